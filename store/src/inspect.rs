//! What a role is and could do: the questions of `trailctl doctor`.

use shared::timestamp::Timestamp;
use tokio_postgres::Client;

use crate::error::StoreError;
use crate::sql_types::Micros;

/// A connection, looked at from inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The role.
    pub role: String,
    /// Whether nothing is refused to it.
    pub superuser: bool,
    /// The server's clock.
    pub now: Timestamp,
    /// A table of events that this role could update, delete from or truncate; only the owner's members should.
    pub changeable: Option<String>,
    /// A partition of events whose guards against UPDATE, DELETE and TRUNCATE are not all there and always on.
    pub unguarded: Option<String>,
    /// Partitions of events; 0 = our schema is not there.
    pub partitions: i64,
}

const INSPECT: &str = include_str!("../sql/inspect.sql");
const UNPUBLISHED: &str = include_str!("../sql/unpublished_count.sql");

/// Looks at the connected role and the guards of the events.
pub async fn inspect(client: &Client) -> Result<Inspection, StoreError> {
    let row = client.query_one(INSPECT, &[]).await?;
    let Micros(now) = row.try_get(2)?;
    Ok(Inspection {
        role: row.try_get(0)?,
        superuser: row.try_get(1)?,
        now,
        changeable: row.try_get(3)?,
        unguarded: row.try_get(4)?,
        partitions: row.try_get(5)?,
    })
}

/// How many dead letters wait for the relay, and when the oldest of them was recorded.
pub async fn unpublished_dead_letters(client: &Client) -> Result<(i64, Option<Timestamp>), StoreError> {
    let row = client.query_one(UNPUBLISHED, &[]).await?;
    let oldest: Option<Micros> = row.try_get(1)?;
    Ok((row.try_get(0)?, oldest.map(|Micros(at)| at)))
}
