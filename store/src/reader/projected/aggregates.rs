//! The aggregates with their events counted.

use shared::filter::{ACCESS_TYPE, Pattern};
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use tokio_postgres::Row;

use super::{AS_OF_COLUMNS, Rows};
use crate::error::StoreError;
use crate::projections::Projection;
use crate::reader::conditions::{Conditions, one_of, patterns, storable};
use crate::reader::statement::{Statement, limit_step};
use crate::reader::types::{AggregateKey, Integrity};
use crate::sql_types::Micros;

/// What can be wrong with the versions of an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// One below the greatest is missing.
    Gap,
    /// One is held by more than one event.
    Fork,
}

/// Which aggregates; several values of one field are "or", different fields are "and".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AggregateFilter {
    /// Of these kinds.
    pub aggregate_type: Vec<Pattern>,
    /// With these ids.
    pub aggregate_id: Vec<String>,
    /// Of these organisations; `""` = of none.
    pub organization_id: Vec<String>,
    /// With this fault.
    pub fault: Option<Fault>,
    /// Whose last event is not before this time.
    pub from: Option<Timestamp>,
    /// Whose first event is before this time.
    pub to: Option<Timestamp>,
    /// Leaves out the records of accesses (semantics.md 12).
    pub without_accesses: bool,
}

/// A request for one page of aggregates.
#[derive(Debug, Clone, Default)]
pub struct AggregateRequest {
    /// What to look for.
    pub filter: AggregateFilter,
    /// Aggregates on the page, 1 to 1,000.
    pub limit: u32,
    /// The last one of the page before.
    pub after: Option<AggregateKey>,
}

/// An aggregate with its events counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateSummary {
    /// Which.
    pub key: AggregateKey,
    /// How many events.
    pub events: i64,
    /// The greatest version; 0 = all are unversioned.
    pub last_version: i32,
    /// The least event time.
    pub first: Timestamp,
    /// The greatest event time.
    pub last: Timestamp,
    /// Gaps and forks.
    pub integrity: Integrity,
}

/// Entries of gaps, and of forks, that are told of one aggregate (semantics.md 6).
const MOST_FAULTS: u32 = 100;

pub(super) fn rows(scope: &Scope, request: &AggregateRequest) -> Rows {
    let AggregateRequest { filter, limit, after } = request;
    let mut statement = Statement::default();
    let mut all = Conditions::default();
    if let Some(own) = scope.organization() {
        one_of(&mut statement, &mut all, "organization_id", &[own.to_owned()]);
    }
    patterns(&mut statement, &mut all, "aggregate_type", &filter.aggregate_type);
    one_of(&mut statement, &mut all, "aggregate_id", &filter.aggregate_id);
    one_of(&mut statement, &mut all, "organization_id", &filter.organization_id);
    if filter.without_accesses {
        all.add(format!("e.aggregate_type <> '{ACCESS_TYPE}'"));
    }
    match filter.fault {
        None => {}
        Some(Fault::Gap) => all.add("e.has_gap".to_owned()),
        Some(Fault::Fork) => all.add("e.has_fork".to_owned()),
    }
    if let Some(from) = filter.from {
        all.add(format!("e.last_time >= {}", statement.bind(Micros(from))));
    }
    if let Some(to) = filter.to {
        all.add(format!("e.first_time < {}", statement.bind(Micros(to))));
    }
    if let Some(AggregateKey { organization_id, aggregate_type, aggregate_id }) = after {
        if [organization_id, aggregate_type, aggregate_id].into_iter().all(|text| storable(text)) {
            let kind = statement.bind(aggregate_type.clone());
            let (id, own) = (statement.bind(aggregate_id.clone()), statement.bind(organization_id.clone()));
            all.add(format!("(e.aggregate_type, e.aggregate_id, e.organization_id) > ({kind}, {id}, {own})"));
        } else {
            all.add("false".to_owned());
        }
    }
    statement.push(&format!(
        include_str!("../../../sql/aggregates_page.sql.in"),
        conditions = all.to_sql(),
        limit = limit_step(limit.saturating_add(1)),
        faults = MOST_FAULTS,
    ));
    let order = "r.aggregate_type, r.aggregate_id, r.organization_id";
    Rows { projection: Projection::Aggregates, statement, order }
}

pub(super) fn item(row: &Row) -> Result<AggregateSummary, StoreError> {
    let at = |column: usize| AS_OF_COLUMNS + column;
    let version = |number: i64| {
        i32::try_from(number)
            .map_err(|_| StoreError::corrupt("aggregates", "versions", format!("{number} is no version")))
    };
    let (Micros(first), Micros(last)) = (row.try_get(at(5))?, row.try_get(at(6))?);
    let gaps: Option<(Vec<i64>, Vec<i64>)> =
        row.try_get::<_, Option<Vec<i64>>>(at(7))?.zip(row.try_get::<_, Option<Vec<i64>>>(at(8))?);
    let (from, to) = gaps.unwrap_or_default();
    let forks: Vec<i64> = row.try_get::<_, Option<Vec<i64>>>(at(9))?.unwrap_or_default();
    Ok(AggregateSummary {
        key: AggregateKey {
            aggregate_type: row.try_get(at(0))?,
            aggregate_id: row.try_get(at(1))?,
            organization_id: row.try_get(at(2))?,
        },
        events: row.try_get(at(3))?,
        last_version: version(row.try_get(at(4))?)?,
        first,
        last,
        integrity: Integrity {
            gaps: from
                .into_iter()
                .zip(to)
                .map(|(from, to)| Ok((version(from)?, version(to)?)))
                .collect::<Result<_, StoreError>>()?,
            forks: forks.into_iter().map(version).collect::<Result<_, _>>()?,
        },
    })
}
