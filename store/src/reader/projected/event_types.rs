//! The event types, counted.

use shared::filter::{ACCESS_EVENT_PREFIX, Pattern, leaves_accesses_out};
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use tokio_postgres::Row;

use super::{AS_OF_COLUMNS, Rows};
use crate::error::StoreError;
use crate::projections::Projection;
use crate::reader::conditions::{Conditions, one_of, patterns, storable};
use crate::reader::statement::{Statement, limit_step};
use crate::sql_types::Micros;

/// A request for one page of event types.
#[derive(Debug, Clone, Default)]
pub struct EventTypeRequest {
    /// Only these.
    pub event_type: Vec<Pattern>,
    /// Only in these organisations; `""` = in none.
    pub organization_id: Vec<String>,
    /// Types on the page, 1 to 1,000.
    pub limit: u32,
    /// The last one of the page before.
    pub after: Option<String>,
}

/// An event type, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTypeSummary {
    /// What happened.
    pub event_type: String,
    /// How many events.
    pub events: i64,
    /// The least event time.
    pub first: Timestamp,
    /// The greatest event time.
    pub last: Timestamp,
}

pub(super) fn rows(scope: &Scope, request: &EventTypeRequest) -> Rows {
    let mut statement = Statement::default();
    let mut all = Conditions::default();
    if let Some(own) = scope.organization() {
        one_of(&mut statement, &mut all, "organization_id", &[own.to_owned()]);
    }
    patterns(&mut statement, &mut all, "event_type", &request.event_type);
    if leaves_accesses_out(&request.event_type, &[]) {
        // As a range, which the index serves: `/` is what follows the prefix's last character.
        let end = ACCESS_EVENT_PREFIX.replace('.', "/");
        all.add(format!("(e.event_type < '{ACCESS_EVENT_PREFIX}' or e.event_type >= '{end}')"));
    }
    one_of(&mut statement, &mut all, "organization_id", &request.organization_id);
    match &request.after {
        None => {}
        Some(after) if storable(after) => {
            all.add(format!("e.event_type > {}", statement.bind(after.clone())));
        }
        Some(_) => all.add("false".to_owned()),
    }
    statement.push(&format!(
        "select e.event_type, sum(e.event_count)::bigint as events, min(e.first_time) as first, max(e.last_time) as last \
         from audit.event_types_visible e where {} group by e.event_type order by e.event_type limit {}",
        all.to_sql(),
        limit_step(request.limit.saturating_add(1))
    ));
    Rows { projection: Projection::EventTypes, statement, order: "r.event_type" }
}

pub(super) fn item(row: &Row) -> Result<EventTypeSummary, StoreError> {
    let at = |column: usize| AS_OF_COLUMNS + column;
    let (Micros(first), Micros(last)) = (row.try_get(at(2))?, row.try_get(at(3))?);
    Ok(EventTypeSummary { event_type: row.try_get(at(0))?, events: row.try_get(at(1))?, first, last })
}
