//! Reads of projections: rows and the moment that they show, in one statement.

mod aggregates;
mod event_types;

use shared::scope::Scope;
use tokio_postgres::Row;

use super::Reader;
use super::explain;
use super::session::{self, Sorting};
use super::statement::Statement;
use crate::error::StoreError;
use crate::projections::{AsOf, Projection, state};

pub use aggregates::{AggregateFilter, AggregateRequest, AggregateSummary, Fault};
pub use event_types::{EventTypeRequest, EventTypeSummary};

/// Columns before those of the rows.
const AS_OF_COLUMNS: usize = 5;

/// A page of a projection.
#[derive(Debug)]
pub struct Projected<T, K> {
    /// The moment that it shows.
    pub as_of: AsOf,
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next page starts; `None` = there is none.
    pub next: Option<K>,
}

/// Puts the rows' statement into the one that tells the moment too.
fn with_as_of(projection: Projection, mut rows: Statement) -> Statement {
    rows.sql =
        format!(include_str!("../../../sql/as_of.sql.in"), projection = projection.name(), rows = rows.sql);
    rows
}

/// The moment, and the rows with their columns from [`AS_OF_COLUMNS`] on. `present` = a column of theirs that is never null.
async fn read(
    reader: &Reader,
    scope: &Scope,
    statement: &Statement,
    present: usize,
) -> Result<(AsOf, Vec<Row>), StoreError> {
    let rows = session::read(&reader.pool, scope, statement, Sorting::Avoided).await?;
    let Some(first) = rows.first() else {
        return Err(StoreError::corrupt("projections", "name", "a projection of this build is not there"));
    };
    let as_of = state::read_as_of(first, &[0, 1, 2, 3, 4])?;
    let is_there = |row: &Row| -> Result<bool, StoreError> {
        Ok(row.try_get::<_, Option<&str>>(AS_OF_COLUMNS + present)?.is_some())
    };
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        if is_there(&row)? {
            kept.push(row);
        }
    }
    Ok((as_of, kept))
}

/// Leaves out what is beyond the page, and says where the next one starts.
fn page<T, K>(
    as_of: AsOf,
    mut items: Vec<T>,
    limit: u32,
    order: impl Fn(&T, &T) -> std::cmp::Ordering,
    key: impl Fn(&T) -> K,
) -> Projected<T, K> {
    // The lines of a join come in the order of its rows, but nothing says so.
    items.sort_by(order);
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(key);
    Projected { as_of, items, next }
}

impl Reader {
    /// A page of the aggregates, by type, id and organisation.
    pub async fn aggregates(
        &self,
        scope: &Scope,
        request: &AggregateRequest,
    ) -> Result<Projected<AggregateSummary, crate::AggregateKey>, StoreError> {
        let statement = with_as_of(Projection::Aggregates, aggregates::rows(scope, request));
        let (as_of, rows) = read(self, scope, &statement, 0).await?;
        let items = rows.iter().map(aggregates::item).collect::<Result<_, _>>()?;
        Ok(page(as_of, items, request.limit, |a, b| a.place().cmp(&b.place()), |item| item.key.clone()))
    }

    /// The plan of the same.
    pub async fn explain_aggregates(
        &self,
        scope: &Scope,
        request: &AggregateRequest,
    ) -> Result<Vec<String>, StoreError> {
        let statement = with_as_of(Projection::Aggregates, aggregates::rows(scope, request));
        explain::explain(&self.pool, scope, &statement, Sorting::Avoided).await
    }

    /// A page of the event types, by name, each over all organisations that the scope and the request allow.
    pub async fn event_types(
        &self,
        scope: &Scope,
        request: &EventTypeRequest,
    ) -> Result<Projected<EventTypeSummary, String>, StoreError> {
        let statement = with_as_of(Projection::EventTypes, event_types::rows(scope, request));
        let (as_of, rows) = read(self, scope, &statement, 0).await?;
        let items = rows.iter().map(event_types::item).collect::<Result<_, _>>()?;
        let order = |a: &EventTypeSummary, b: &EventTypeSummary| a.event_type.cmp(&b.event_type);
        Ok(page(as_of, items, request.limit, order, |item| item.event_type.clone()))
    }

    /// The plan of the same.
    pub async fn explain_event_types(
        &self,
        scope: &Scope,
        request: &EventTypeRequest,
    ) -> Result<Vec<String>, StoreError> {
        let statement = with_as_of(Projection::EventTypes, event_types::rows(scope, request));
        explain::explain(&self.pool, scope, &statement, Sorting::Avoided).await
    }
}
