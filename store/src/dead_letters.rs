//! The dead letters as an outbox: what the relay still has to publish (semantics.md 5).

use bytes::Bytes;
use shared::position::{LogName, Position};
use shared::refusal::Reason;
use shared::timestamp::Timestamp;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use crate::batch::{RawRecord, Stage};
use crate::error::StoreError;
use crate::sql_types::Micros;

/// A dead letter with everything the original record had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterRow {
    /// Its place; as text the id in `/v1/dead-letters/{id}` and in `audit.dead.letter.id`.
    pub position: Position,
    /// The log it stood in.
    pub log: LogName,
    /// Where it was refused.
    pub stage: Stage,
    /// Why.
    pub reason: Reason,
    /// Where in the record, a JSON Pointer; `""` = the whole.
    pub pointer: String,
    /// A sentence with the remedy.
    pub detail: String,
    /// The event's id, where it could be read.
    pub event_id: Option<Uuid>,
    /// The original record.
    pub record: RawRecord,
    /// When its batch was committed.
    pub recorded_at: Timestamp,
    /// When the relay published it.
    pub published_at: Option<Timestamp>,
}

/// The columns of a [`DeadLetterRow`], from `dead_letters d` and `logs l`.
pub(crate) const COLUMNS: &str = r#"d.log_id, d."offset", l.cluster, l.topic, l."partition", l.incarnation, d.stage, d.reason, d.pointer, d.detail, d.event_id, d.record_key, d.record_value, d.header_names, d.header_values, d.record_timestamp_ms, d.recorded_at, d.published_at"#;

const UNPUBLISHED: &str = include_str!("../sql/unpublished_dead_letters.sql");
const MARK: &str = include_str!("../sql/mark_published.sql");

/// The oldest dead letters that are not published yet, at most `limit` of them and about `max_bytes` of their bytes
/// (always at least one, when there is one).
pub async fn unpublished(
    client: &Client,
    limit: u32,
    max_bytes: u64,
) -> Result<Vec<DeadLetterRow>, StoreError> {
    let max_bytes = i64::try_from(max_bytes).unwrap_or(i64::MAX);
    let rows = client.query(UNPUBLISHED, &[&i64::from(limit), &max_bytes]).await?;
    rows.iter().map(read).collect()
}

/// Marks these as published at the database's now; those that are marked already stay as they are.
pub async fn mark_published(client: &Client, positions: &[Position]) -> Result<u64, StoreError> {
    let logs: Vec<i32> = positions.iter().map(|position| position.log_id).collect();
    let offsets: Vec<i64> = positions.iter().map(|position| position.offset).collect();
    Ok(client.execute(MARK, &[&logs, &offsets]).await?)
}

pub(crate) fn read(row: &Row) -> Result<DeadLetterRow, StoreError> {
    let log = LogName {
        cluster: row.try_get(2)?,
        topic: row.try_get(3)?,
        partition: row.try_get(4)?,
        incarnation: row.try_get(5)?,
    };
    let stage: &str = row.try_get(6)?;
    let reason: &str = row.try_get(7)?;
    let Micros(recorded_at) = row.try_get(16)?;
    let published_at: Option<Micros> = row.try_get(17)?;
    Ok(DeadLetterRow {
        position: Position { log_id: row.try_get(0)?, offset: row.try_get(1)? },
        log,
        stage: Stage::parse(stage).ok_or_else(|| StoreError::corrupt("dead_letters", "stage", stage))?,
        reason: Reason::parse(reason).ok_or_else(|| StoreError::corrupt("dead_letters", "reason", reason))?,
        pointer: row.try_get(8)?,
        detail: row.try_get(9)?,
        event_id: row.try_get(10)?,
        record: RawRecord {
            key: row.try_get::<_, Option<&[u8]>>(11)?.map(Bytes::copy_from_slice),
            value: row.try_get::<_, Option<&[u8]>>(12)?.map(Bytes::copy_from_slice),
            headers: read_headers(row)?,
            timestamp_ms: row.try_get(15)?,
        },
        recorded_at,
        published_at: published_at.map(|Micros(at)| at),
    })
}

fn read_headers(row: &Row) -> Result<Vec<(String, Option<Bytes>)>, StoreError> {
    let names: Vec<&[u8]> = row.try_get(13)?;
    let values: Vec<Option<&[u8]>> = row.try_get(14)?;
    if names.len() != values.len() {
        return Err(StoreError::corrupt("dead_letters", "header_values", "not as many as names"));
    }
    names
        .into_iter()
        .zip(values)
        .map(|(name, value)| {
            let name = std::str::from_utf8(name)
                .map_err(|error| StoreError::corrupt("dead_letters", "header_names", error.to_string()))?;
            Ok((name.to_owned(), value.map(Bytes::copy_from_slice)))
        })
        .collect()
}

const TRY_LOCK: &str = include_str!("../sql/try_relay_lock.sql");

/// Takes the relay's lock for as long as this connection lives; false when another ingestor has it.
pub async fn try_relay_lock(client: &Client) -> Result<bool, StoreError> {
    Ok(client.query_one(TRY_LOCK, &[]).await?.try_get(0)?)
}
