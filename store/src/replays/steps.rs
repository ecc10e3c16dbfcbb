//! What was done with each job, until the trail itself has it: an outbox of events.

use shared::timestamp::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::api_writer::ApiWriter;
use crate::error::StoreError;
use crate::sql_types::Micros;

const UNPUBLISHED: &str = include_str!("../../sql/unpublished_replay_steps.sql");
const PUBLISHED: &str = include_str!("../../sql/mark_replay_step_published.sql");

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// It was made.
    Started,
    /// Stopped until it is resumed.
    Paused,
    /// Sent on its way again.
    Resumed,
    /// Ended before its end.
    Cancelled,
    /// Everything was sent.
    Finished,
    /// It could not go on.
    Failed,
}

impl StepKind {
    const ALL: [Self; 6] =
        [Self::Started, Self::Paused, Self::Resumed, Self::Cancelled, Self::Finished, Self::Failed];

    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }
}

/// A step that is to become an event. Read again it is the same, so that its event is.
#[derive(Debug, Clone)]
pub struct ReplayStep {
    /// The event's id.
    pub event_id: Uuid,
    /// The job.
    pub job_id: Uuid,
    /// Its number within the job, from 1.
    pub version: i32,
    /// What was done.
    pub kind: StepKind,
    /// By whom.
    pub by_whom: String,
    /// When.
    pub at: Timestamp,
    /// How many events had been sent then.
    pub sent: u64,
    /// Why, where there is a reason.
    pub detail: String,
    /// The job's topic.
    pub topic: String,
    /// Its filter: JSON text.
    pub filter: String,
    /// Whose events it sends; `None` = everybody's.
    pub organization_id: Option<String>,
    /// Its limit, in events a second.
    pub rate: Option<u32>,
    /// How many events it was expected to send.
    pub expected: Option<u64>,
}

impl ApiWriter {
    /// The oldest steps that are no events yet.
    pub async fn unpublished_replay_steps(&self, limit: u32) -> Result<Vec<ReplayStep>, StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(UNPUBLISHED).await?;
        client.query(&statement, &[&i64::from(limit)]).await?.iter().map(read).collect()
    }

    /// Kafka has the event of this step.
    pub async fn mark_replay_step_published(&self, step: &ReplayStep) -> Result<(), StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(PUBLISHED).await?;
        client.execute(&statement, &[&step.job_id, &step.version]).await?;
        Ok(())
    }
}

fn read(row: &Row) -> Result<ReplayStep, StoreError> {
    let word: &str = row.try_get(3)?;
    let kind = StepKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    let Micros(at) = row.try_get(5)?;
    Ok(ReplayStep {
        event_id: row.try_get(0)?,
        job_id: row.try_get(1)?,
        version: row.try_get(2)?,
        kind: kind.ok_or_else(|| StoreError::corrupt("replay_steps", "step", word))?,
        by_whom: row.try_get(4)?,
        at,
        sent: row.try_get::<_, i64>(6)?.unsigned_abs(),
        detail: row.try_get(7)?,
        topic: row.try_get(8)?,
        filter: row.try_get(9)?,
        organization_id: row.try_get(10)?,
        rate: row.try_get::<_, Option<i32>>(11)?.map(i32::unsigned_abs),
        expected: row.try_get::<_, Option<i64>>(12)?.map(i64::unsigned_abs),
    })
}
