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

/// What the server promises about what it has acknowledged, and whether it could be restored to a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// `server_version_num`: 150020 is 15.20.
    pub version: i32,
    /// Whether commits reach the disk at all (`fsync`, `full_page_writes`).
    pub is_durable: bool,
    /// `synchronous_commit`.
    pub synchronous_commit: String,
    /// `synchronous_standby_names`; `""` = a commit waits for no standby.
    pub synchronous_standbys: String,
    /// Whether pages have checksums.
    pub checksums: bool,
    /// Whether the write-ahead log is archived by the server.
    pub archives: bool,
    /// Whether the last try to archive failed.
    pub archiving_fails: bool,
    /// Bytes of this database.
    pub size: i64,
}

/// Asks the server for its settings; every role may.
pub async fn server_settings(client: &Client) -> Result<ServerSettings, StoreError> {
    let row = client.query_one(SERVER_SETTINGS, &[]).await?;
    let (fsync, full_pages): (bool, bool) = (row.try_get(1)?, row.try_get(2)?);
    let time = |at: usize| row.try_get::<_, Option<Micros>>(at).map(|time| time.map(|Micros(time)| time));
    Ok(ServerSettings {
        version: row.try_get(0)?,
        is_durable: fsync && full_pages,
        synchronous_commit: row.try_get(3)?,
        synchronous_standbys: row.try_get(4)?,
        checksums: row.try_get(5)?,
        archives: row.try_get(6)?,
        archiving_fails: time(8)? > time(7)?,
        size: row.try_get(9)?,
    })
}

const SERVER_SETTINGS: &str = include_str!("../sql/server_settings.sql");
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
