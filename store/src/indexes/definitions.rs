//! The one table of what the indexes of events are. A test compares it with a migrated database.

use shared::index_set::IndexSet;

/// An index of `audit.events` and of all its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// Its name on the table; PostgreSQL names those of the partitions.
    pub name: &'static str,
    /// The smallest set that has it.
    pub set: IndexSet,
    /// What it is, as `pg_get_indexdef` writes it behind the names.
    pub using: &'static str,
    /// What it is for, in a few words.
    pub serves: &'static str,
    /// The filter that is looked up by it and by no other.
    pub lookup: Option<Lookup>,
}

/// A filter with an index of its own in the standard set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// `organizationId`, and the scope of a caller of one organisation.
    Organization,
    /// `userId`
    User,
    /// `eventType`
    EventType,
    /// `correlationId`
    Correlation,
    /// `causationId`
    Causation,
}

/// Every index of both sets, the essential ones first.
pub const DEFINITIONS: [Definition; 8] = [
    essential(
        "events_history",
        "USING btree (aggregate_type, aggregate_id, organization_id, version, recorded_at)",
        "histories, aggregates",
    ),
    essential(
        "events_order",
        "USING btree (log_id, \"offset\") WITH (fillfactor='100')",
        "recorded order, single records",
    ),
    essential("events_time", "USING btree (\"timestamp\") WITH (fillfactor='100')", "pages by time"),
    standard(
        "events_organization",
        "USING btree (organization_id, \"timestamp\")",
        "organizationId",
        Lookup::Organization,
    ),
    standard(
        "events_user",
        "USING btree (user_id, \"timestamp\") WHERE (user_id <> ''::text)",
        "userId",
        Lookup::User,
    ),
    standard("events_type", "USING btree (event_type, \"timestamp\")", "eventType", Lookup::EventType),
    standard(
        "events_correlation",
        "USING hash (correlation_id) WHERE (correlation_id <> ''::text)",
        "correlationId",
        Lookup::Correlation,
    ),
    standard(
        "events_causation",
        "USING btree (causation_id) WHERE (causation_id <> ''::text)",
        "causationId",
        Lookup::Causation,
    ),
];

const fn essential(name: &'static str, using: &'static str, serves: &'static str) -> Definition {
    Definition { name, set: IndexSet::Essential, using, serves, lookup: None }
}

const fn standard(
    name: &'static str,
    using: &'static str,
    serves: &'static str,
    lookup: Lookup,
) -> Definition {
    Definition { name, set: IndexSet::Standard, using, serves, lookup: Some(lookup) }
}
