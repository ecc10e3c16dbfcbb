//! How far the projections have read.

use std::time::Duration;

use shared::timestamp::Timestamp;
use tokio_postgres::{Client, Row};

use super::Projection;
use crate::error::StoreError;
use crate::sql_types::Micros;

const STATES: &str = include_str!("../../sql/projection_states.sql");
const REBUILD: &str = include_str!("../../sql/rebuild_projection.sql");

/// The moment that an answer from a projection shows: it holds exactly the events of the appends up to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf {
    /// The last append that is in; 0 = none yet.
    pub append: i64,
    /// When that append was recorded.
    pub recorded_at: Option<Timestamp>,
    /// How many appends there are beyond it.
    pub behind: i64,
    /// How long the first of those has been waiting; zero when there is none.
    pub age: Duration,
}

/// One projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionState {
    /// Its name; one that this build does not know is a newer build's.
    pub name: String,
    /// The version of the fold that made it.
    pub version: i32,
    /// How far it has read.
    pub as_of: AsOf,
    /// When it moved last, or was sent back to the start.
    pub updated_at: Timestamp,
}

impl ProjectionState {
    /// The projection, when this build has it.
    pub fn projection(&self) -> Option<Projection> {
        Projection::parse(&self.name)
    }
}

/// Every projection, by name.
pub async fn states(client: &Client) -> Result<Vec<ProjectionState>, StoreError> {
    client.query(STATES, &[]).await?.iter().map(read_state).collect()
}

fn read_state(row: &Row) -> Result<ProjectionState, StoreError> {
    let Micros(updated_at) = row.try_get(3)?;
    Ok(ProjectionState {
        name: row.try_get(0)?,
        version: row.try_get(1)?,
        updated_at,
        as_of: read_as_of(row, &[2, 4, 5, 6, 7])?,
    })
}

/// Reads position, when it was recorded, the head, when the first unread append was recorded, and the clock, at these
/// columns.
pub(crate) fn read_as_of(row: &Row, at: &[usize; 5]) -> Result<AsOf, StoreError> {
    let append: i64 = row.try_get(at[0])?;
    let recorded_at: Option<Micros> = row.try_get(at[1])?;
    let head: i64 = row.try_get(at[2])?;
    let waiting: Option<Micros> = row.try_get(at[3])?;
    let Micros(now) = row.try_get(at[4])?;
    let waited = waiting.map_or(0, |Micros(since)| now.as_micros().saturating_sub(since.as_micros()));
    Ok(AsOf {
        append,
        recorded_at: recorded_at.map(|Micros(time)| time),
        behind: head.saturating_sub(append).max(0),
        age: Duration::from_micros(u64::try_from(waited).unwrap_or(0)),
    })
}

/// Empties a projection and sends it back to the start; the projector fills it again. Ingest is not touched, and readers
/// are told by [`AsOf`] how far it has come. `version`: of the fold that will fill it, `None` = the one that made it.
///
/// # Errors
/// [`StoreError::Database`] when somebody reads it for so long that it cannot be emptied.
pub async fn rebuild(
    client: &Client,
    projection: Projection,
    version: Option<i32>,
) -> Result<(), StoreError> {
    client.execute(REBUILD, &[&projection.name(), &version]).await?;
    Ok(())
}
