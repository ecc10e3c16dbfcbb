//! Redrives: which dead letters were sent again, when, by whom, and where they went (semantics.md 5).

use shared::position::Position;
use shared::timestamp::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::api_writer::ApiWriter;
use crate::error::StoreError;
use crate::sql_types::Micros;

const RECORD: &str = include_str!("../sql/record_redrive.sql");

/// A dead letter that is to be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedriveRequest {
    /// This redrive; a dead letter may have several.
    pub redrive_id: Uuid,
    /// The dead letter.
    pub dead_letter: Position,
    /// The token's subject.
    pub requested_by: String,
    /// The topic that it goes to.
    pub topic: String,
}

/// What became of a redrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedriveOutcome {
    /// Kafka has it there.
    Produced {
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
    /// Kafka did not take it in time; after a time-out it may have it all the same.
    Failed,
}

/// A redrive as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// This redrive.
    pub redrive_id: Uuid,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// By whom.
    pub requested_by: String,
    /// The topic that it went to.
    pub topic: String,
    /// `None` = nobody knows: the process ended in between.
    pub outcome: Option<RedriveOutcome>,
}

impl ApiWriter {
    /// Records that a dead letter is about to be sent again; before it is.
    pub async fn record_redrive_request(&self, request: &RedriveRequest) -> Result<(), StoreError> {
        self.record_redrive(request, "requested", None).await
    }

    /// Records what became of it.
    pub async fn record_redrive_outcome(
        &self,
        request: &RedriveRequest,
        outcome: RedriveOutcome,
    ) -> Result<(), StoreError> {
        match outcome {
            RedriveOutcome::Produced { partition, offset } => {
                self.record_redrive(request, "produced", Some((partition, offset))).await
            }
            RedriveOutcome::Failed => self.record_redrive(request, "failed", None).await,
        }
    }

    async fn record_redrive(
        &self,
        request: &RedriveRequest,
        step: &str,
        place: Option<(i32, i64)>,
    ) -> Result<(), StoreError> {
        let RedriveRequest { redrive_id, dead_letter, requested_by, topic } = request;
        let (partition, offset) = place.unzip();
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(RECORD).await?;
        let values: [&(dyn postgres_types::ToSql + Sync); 8] = [
            redrive_id,
            &dead_letter.log_id,
            &dead_letter.offset,
            &step,
            requested_by,
            topic,
            &partition,
            &offset,
        ];
        client.execute(&statement, &values).await?;
        Ok(())
    }
}

pub(crate) fn read(row: &Row) -> Result<Redrive, StoreError> {
    let Micros(requested_at) = row.try_get(1)?;
    let outcome = match row.try_get::<_, Option<&str>>(3)? {
        None => None,
        Some("produced") => {
            Some(RedriveOutcome::Produced { partition: row.try_get(5)?, offset: row.try_get(6)? })
        }
        Some("failed") => Some(RedriveOutcome::Failed),
        Some(other) => return Err(StoreError::corrupt("redrives", "step", other)),
    };
    Ok(Redrive {
        redrive_id: row.try_get(0)?,
        requested_at,
        requested_by: row.try_get(2)?,
        topic: row.try_get(4)?,
        outcome,
    })
}
