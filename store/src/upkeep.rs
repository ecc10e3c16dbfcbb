//! What a live database needs somebody to look after: its months, its write-ahead log, its age. Questions of `trailctl doctor`,
//! which `audit_operator` may ask; none reads a row of evidence.

use tokio_postgres::Client;

use crate::error::StoreError;

/// Whether every event finds its partition. Months are made on demand by the ingestor (semantics.md 11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Months {
    /// Months that have partitions.
    pub count: i64,
    /// The last of them, as its table is called.
    pub newest: Option<String>,
    /// A table of a month that is not attached: that month is never made again, so its events cannot be stored.
    pub detached: Option<String>,
    /// A partition that a retention class lacks in a month that is there.
    pub missing: Option<String>,
    /// A default partition, which is never ours: the rows that it takes keep their month from being made.
    pub stray_default: Option<String>,
    /// Whether the ingestor's role may make months.
    pub are_made_on_demand: bool,
    /// Bytes of the events of the month of now, with their indexes.
    pub bytes_this_month: i64,
    /// The day of the month, from 1, by the server's clock in UTC.
    pub day: i32,
}

/// A replication slot: the server keeps its write-ahead log until the slot's reader has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicationSlot {
    /// Its name.
    pub name: String,
    /// Whether somebody reads from it.
    pub is_active: bool,
    /// `wal_status`: `reserved`, `extended`, `unreserved`, `lost`; `None` = it holds nothing yet.
    pub status: Option<String>,
    /// Bytes of write-ahead log from its position to now.
    pub held: Option<i64>,
    /// `max_slot_wal_keep_size`, as the server writes it; `-1` = it may hold as much as the disk takes.
    pub limit: String,
}

/// What grows until it is tidied up, and what should never have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wear {
    /// Transactions since the oldest unfrozen one; at 2.1 thousand million the server refuses to write.
    pub transaction_age: i32,
    /// The same of multixacts.
    pub multixact_age: i32,
    /// Whether the server vacuums by itself.
    pub has_autovacuum: bool,
    /// Connections to the server.
    pub connections: i64,
    /// `max_connections`.
    pub max_connections: i32,
    /// The table of evidence with the most rows updated or deleted since statistics began, and how many.
    pub changed: Option<(String, i64)>,
    /// The table with the most dead rows, where they are more than half as many as the living and over 100,000.
    pub dead: Option<(String, i64)>,
}

const MONTHS: &str = include_str!("../sql/months.sql");
const SLOTS: &str = include_str!("../sql/replication_slots.sql");
const WEAR: &str = include_str!("../sql/wear.sql");

/// Looks at the partitions.
pub async fn months(client: &Client) -> Result<Months, StoreError> {
    let row = client.query_one(MONTHS, &[]).await?;
    Ok(Months {
        count: row.try_get(0)?,
        newest: row.try_get(1)?,
        detached: row.try_get(2)?,
        missing: row.try_get(3)?,
        stray_default: row.try_get(4)?,
        are_made_on_demand: row.try_get(5)?,
        bytes_this_month: row.try_get(6)?,
        day: row.try_get(7)?,
    })
}

/// The server's replication slots but the ones of running base backups, by name.
pub async fn replication_slots(client: &Client) -> Result<Vec<ReplicationSlot>, StoreError> {
    let rows = client.query(SLOTS, &[]).await?;
    let slot = |row: &tokio_postgres::Row| {
        Ok(ReplicationSlot {
            name: row.try_get(0)?,
            is_active: row.try_get(1)?,
            status: row.try_get(2)?,
            held: row.try_get(3)?,
            limit: row.try_get(4)?,
        })
    };
    rows.iter().map(slot).collect()
}

/// Looks at age, connections and the statistics of tables.
pub async fn wear(client: &Client) -> Result<Wear, StoreError> {
    let row = client.query_one(WEAR, &[]).await?;
    let table = |at: usize| -> Result<Option<(String, i64)>, StoreError> {
        let (name, rows): (Option<String>, Option<i64>) = (row.try_get(at)?, row.try_get(at + 1)?);
        Ok(name.zip(rows))
    };
    Ok(Wear {
        transaction_age: row.try_get(0)?,
        multixact_age: row.try_get(1)?,
        has_autovacuum: row.try_get(2)?,
        connections: row.try_get(3)?,
        max_connections: row.try_get(4)?,
        changed: table(5)?,
        dead: table(7)?,
    })
}
