//! Logs: one life of one partition of one topic, and the position that the store holds for it (semantics.md 4).

use shared::position::LogName;
use tokio_postgres::Client;

use crate::error::StoreError;

/// The last record read of a log: what tells whether the partition still is what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRecord {
    /// Its offset.
    pub offset: i64,
    /// [`shared::record::record_digest`] of it.
    pub digest: [u8; 32],
}

/// A log and its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Its number in this store.
    pub log_id: i32,
    /// Its name outside.
    pub name: LogName,
    /// Every offset below is accounted for.
    pub next_offset: i64,
    /// The last record read, `None` when none was.
    pub last_record: Option<LastRecord>,
    /// An operator accepts a gap up to this offset (exclusive), where gaps stop a partition.
    pub accepted_gap_to: Option<i64>,
}

const OPEN: &str = include_str!("../sql/open_logs.sql");
const OPEN_POSITIONS: &str = include_str!("../sql/open_positions.sql");
const CREATE: &str = include_str!("../sql/create_logs.sql");

/// The newest incarnation of each partition, made at position 0 where there is none, in the order asked for.
pub async fn open_logs(
    client: &Client,
    cluster: &str,
    partitions: &[(String, i32)],
) -> Result<Vec<Log>, StoreError> {
    let topics: Vec<&str> = partitions.iter().map(|(topic, _)| topic.as_str()).collect();
    let numbers: Vec<i32> = partitions.iter().map(|(_, number)| *number).collect();
    client.execute(CREATE, &[&cluster, &topics, &numbers]).await?;
    let rows = client.query(OPEN, &[&cluster, &topics, &numbers]).await?;
    rows.iter().map(|row| read_log(cluster, row)).collect()
}

/// The newest incarnation of one partition, and none is made.
pub async fn find_log(
    client: &Client,
    cluster: &str,
    topic: &str,
    partition: i32,
) -> Result<Option<Log>, StoreError> {
    let rows = client.query(OPEN, &[&cluster, &[topic].as_slice(), &[partition].as_slice()]).await?;
    rows.first().map(|row| read_log(cluster, row)).transpose()
}

/// Topic, partition and position of each log of the cluster that is still read.
pub async fn open_positions(client: &Client, cluster: &str) -> Result<Vec<(String, i32, i64)>, StoreError> {
    let rows = client.query(OPEN_POSITIONS, &[&cluster]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

fn read_log(cluster: &str, row: &tokio_postgres::Row) -> Result<Log, StoreError> {
    let log_id = row.try_get(0)?;
    let name = LogName {
        cluster: cluster.to_owned(),
        topic: row.try_get(1)?,
        partition: row.try_get(2)?,
        incarnation: row.try_get(3)?,
    };
    let offset: Option<i64> = row.try_get(5)?;
    let digest: Option<Vec<u8>> = row.try_get(6)?;
    let last_record = match (offset, digest) {
        (Some(offset), Some(digest)) => {
            let digest = digest
                .try_into()
                .map_err(|_| StoreError::corrupt("logs", "last_record_digest", "not 32 bytes"))?;
            Some(LastRecord { offset, digest })
        }
        (None, None) => None,
        _ => return Err(StoreError::corrupt("logs", "last_record_offset", "without its digest")),
    };
    Ok(Log { log_id, name, next_offset: row.try_get(4)?, last_record, accepted_gap_to: row.try_get(7)? })
}
