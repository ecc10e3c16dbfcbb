//! The one table of what the indexes of events are. A test compares it with a migrated database.

use std::borrow::Cow;

use shared::index_set::IndexSet;

/// An index of `audit.events` and of all its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name on the table; PostgreSQL names those of the partitions.
    pub name: &'static str,
    /// The smallest set that has it; `None` = it is there only where somebody asked for it by name.
    pub set: Option<IndexSet>,
    /// What it is, as `pg_get_indexdef` writes it behind the names.
    pub using: Cow<'static, str>,
    /// What it is for, in a few words.
    pub serves: &'static str,
    /// The filter that is looked up by it and by no other.
    pub lookup: Option<Lookup>,
}

impl Definition {
    /// Whether the set has it.
    pub fn is_in(&self, set: IndexSet) -> bool {
        self.set.is_some_and(|own| own <= set)
    }
}

/// A filter with an index of its own, in the standard set or where somebody asked for it.
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
    /// `payload`, of a question that names a value
    Payload,
    /// `q`
    Text,
}

/// Every index of both sets, the essential ones first.
pub static DEFINITIONS: [Definition; 8] = [
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
    Definition { name, set: Some(IndexSet::Essential), using: Cow::Borrowed(using), serves, lookup: None }
}

const fn standard(
    name: &'static str,
    using: &'static str,
    serves: &'static str,
    lookup: Lookup,
) -> Definition {
    let (set, using) = (Some(IndexSet::Standard), Cow::Borrowed(using));
    Definition { name, set, using, serves, lookup: Some(lookup) }
}
