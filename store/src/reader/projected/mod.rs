//! Reads of projections: rows and the moment that they show, in one statement.

mod accesses;
mod aggregates;
mod data_accesses;
mod event_types;
mod reads;
mod security_events;
mod statistics;

use shared::scope::Scope;
use tokio_postgres::Row;

use super::Reader;
use super::bounded::PAGE_BYTES;
use super::session::{self, Budget, Sorting};
use super::statement::Statement;
use crate::error::StoreError;
use crate::projections::{AsOf, Projection, state};

pub use accesses::{AccessFilter, AccessRequest, AccessRow};
pub use aggregates::{AggregateFilter, AggregateRequest, AggregateSummary, Fault};
pub use data_accesses::{DataAccessFilter, DataAccessRequest, DataAccessRow};
pub use event_types::{EventTypeRequest, EventTypeSummary};
pub use security_events::{SecurityEventFilter, SecurityEventRequest, SecurityEventRow, Settlement};
pub use statistics::{Dimension, Statistics, StatisticsCount, StatisticsFilter, StatisticsRequest};

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

/// The rows of a projection that a page shows: their statement, and the order of its columns that they have.
struct Rows {
    projection: Projection,
    statement: Statement,
    order: &'static str,
}

impl Rows {
    /// The statement that also tells the moment.
    fn with_as_of(self) -> Statement {
        let Self { projection, mut statement, order } = self;
        statement.sql = format!(
            include_str!("../../../sql/as_of.sql.in"),
            projection = projection.name(),
            rows = statement.sql,
            order = order
        );
        statement
    }
}

/// Reads a page: at most `limit` rows and about eight mebibytes.
async fn page<T, K>(
    reader: &Reader,
    scope: &Scope,
    rows: Rows,
    limit: u32,
    item: impl Fn(&Row) -> Result<T, StoreError>,
    key: impl Fn(&T) -> K,
) -> Result<Projected<T, K>, StoreError> {
    let statement = rows.with_as_of();
    let budget = Budget { bytes: PAGE_BYTES, ..Budget::UNBOUNDED };
    let (rows, cut) = session::read_within(&reader.pool, scope, &statement, Sorting::Avoided, budget).await?;
    let Some(first) = rows.first() else {
        return Err(StoreError::corrupt("projections", "name", "a projection of this build is not there"));
    };
    let as_of = reader.lag.seen_from_the_primary(state::read_as_of(first, &[0, 1, 2, 3, 4])?);
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        // A page without rows is one line that tells the moment alone.
        if is_there(row)? {
            items.push(item(row)?);
        }
    }
    let more = cut || items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(key);
    Ok(Projected { as_of, items, next })
}

/// Whether the line has a row; its first column is never null.
fn is_there(row: &Row) -> Result<bool, StoreError> {
    Ok(row.try_get::<_, Option<&str>>(AS_OF_COLUMNS)?.is_some())
}
