//! What became of records that were just produced: for a caller who waits until his events are stored.

use deadpool_postgres::Pool;
use shared::account::DispositionKind;
use shared::position::Position;
use shared::refusal::Reason;
use shared::scope::Scope;
use tokio_postgres::Row;
use uuid::Uuid;

use super::session::{Sorting, read};
use super::statement::Statement;
use crate::error::StoreError;

const WHEREABOUTS: &str = include_str!("../../sql/whereabouts.sql");

/// A record that Kafka has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducedRecord {
    /// The event in it.
    pub event_id: Uuid,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// The ingestor has not come to it.
    NotRead,
    /// The event is stored: by this record, or it was before.
    Stored(Position),
    /// It is a dead letter.
    Refused(Reason),
    /// It was gone from Kafka before it was read, or its event has been removed since.
    Gone,
}

pub(super) async fn whereabouts(
    pool: &Pool,
    cluster: &str,
    topic: &str,
    records: &[ProducedRecord],
) -> Result<Vec<Whereabouts>, StoreError> {
    let mut statement = Statement::new(WHEREABOUTS);
    statement.bind(cluster.to_owned());
    statement.bind(topic.to_owned());
    statement.bind(records.iter().map(|record| record.partition).collect::<Vec<_>>());
    statement.bind(records.iter().map(|record| record.offset).collect::<Vec<_>>());
    statement.bind(records.iter().map(|record| record.event_id).collect::<Vec<_>>());
    // Nothing of any event is shown: only where the records of this caller have gone.
    let rows = read(pool, &Scope::All, &statement, Sorting::AsPlanned).await?;
    rows.iter().map(one).collect()
}

fn one(row: &Row) -> Result<Whereabouts, StoreError> {
    if !row.try_get::<_, bool>(0)? {
        return Ok(Whereabouts::NotRead);
    }
    let kind: Option<&str> = row.try_get(1)?;
    match kind.and_then(DispositionKind::parse) {
        Some(DispositionKind::DeadLettered) => {
            let reason: &str = row.try_get(2)?;
            let known = Reason::parse(reason);
            known
                .map(Whereabouts::Refused)
                .ok_or_else(|| StoreError::corrupt("dispositions", "reason", reason))
        }
        Some(DispositionKind::Duplicate) | None => {
            let log_id: Option<i32> = row.try_get(3)?;
            let offset: Option<i64> = row.try_get(4)?;
            let position = log_id.zip(offset).map(|(log_id, offset)| Position { log_id, offset });
            Ok(position.map_or(Whereabouts::Gone, Whereabouts::Stored))
        }
        Some(_) => Ok(Whereabouts::Gone),
    }
}
