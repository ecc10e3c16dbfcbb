//! What an operator decides about a log: a gap that may be passed over, a new life of a partition (semantics.md 4).

use tokio_postgres::Client;

use crate::error::StoreError;

const ACCEPT_GAP: &str = include_str!("../sql/accept_gap.sql");
const NEW_INCARNATION: &str = include_str!("../sql/new_incarnation.sql");

/// Accepts that the offsets of the partition below `to` (exclusive) may be gone: where gaps stop a partition, it goes
/// on from there and records them as `gap`. Answers the log's id.
pub async fn accept_gap(
    client: &Client,
    cluster: &str,
    topic: &str,
    partition: i32,
    to: i64,
) -> Result<i32, StoreError> {
    Ok(client.query_one(ACCEPT_GAP, &[&cluster, &topic, &partition, &to]).await?.try_get(0)?)
}

/// Closes the newest incarnation of the partition and opens the next at position 0, for a topic that was made anew.
/// Answers the new log's id and incarnation.
pub async fn new_incarnation(
    client: &Client,
    cluster: &str,
    topic: &str,
    partition: i32,
) -> Result<(i32, i32), StoreError> {
    let row = client.query_one(NEW_INCARNATION, &[&cluster, &topic, &partition]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
