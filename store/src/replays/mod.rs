//! Replays as jobs: what each is to send, how far it has come, who works on it, and what was done with it.
//!
//! A job's row is moved by compare-and-set on its runner: a runner whose lease ended and that was replaced changes nothing.

mod runner;
mod steps;

use shared::position::Position;
use shared::timestamp::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::api_writer::ApiWriter;
use crate::error::StoreError;
use crate::reader::RecordedCursor;
use crate::sql_types::Micros;

pub use runner::{ClaimedJob, Progress, Runner};
pub use steps::{ReplayStep, StepKind};

const CREATE: &str = include_str!("../../sql/create_replay_job.sql");
const CHANGE: &str = include_str!("../../sql/change_replay_job.sql");

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// To be worked on, by whoever is free.
    Running,
    /// Nobody works on it until it is resumed.
    Paused,
    /// Ended before its end, by somebody's wish.
    Cancelled,
    /// Everything was sent.
    Finished,
    /// It cannot go on by itself; it can be resumed when that is mended.
    Failed,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Running, Self::Paused, Self::Cancelled, Self::Finished, Self::Failed];

    /// The word in the table and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }

    fn read(text: &str) -> Result<Self, StoreError> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| StoreError::corrupt("replay_jobs", "state", text))
    }
}

/// How near a number of events is to what a replay will send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exactness {
    /// It is that number.
    Exact,
    /// There are as many, or more.
    AtLeast,
    /// There are as many, or fewer.
    AtMost,
}

impl Exactness {
    /// The word in the table and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::AtLeast => "at-least",
            Self::AtMost => "at-most",
        }
    }

    fn read(text: &str) -> Result<Self, StoreError> {
        let found = [Self::Exact, Self::AtLeast, Self::AtMost].into_iter().find(|word| word.as_str() == text);
        found.ok_or_else(|| StoreError::corrupt("replay_jobs", "expectation", text))
    }
}

/// A job to be made.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id.
    pub job_id: Uuid,
    /// The id of the event that tells of its start.
    pub event_id: Uuid,
    /// Where its events go.
    pub topic: String,
    /// Which events: JSON text, the parameters of `GET /v1/replay`.
    pub filter: String,
    /// Whose events; `None` = everybody's.
    pub organization_id: Option<String>,
    /// Events a second, at most.
    pub rate: Option<u32>,
    /// Behind which place it begins.
    pub after: RecordedCursor,
    /// The last append that belongs to it.
    pub until_append: i64,
    /// How many events it is expected to send.
    pub expected: Option<(u64, Exactness)>,
    /// The token's subject.
    pub created_by: String,
}

/// A job as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayJob {
    /// Its id.
    pub job_id: Uuid,
    /// Where its events go.
    pub topic: String,
    /// Which events: JSON text.
    pub filter: String,
    /// Whose events; `None` = everybody's.
    pub organization_id: Option<String>,
    /// Events a second, at most.
    pub rate: Option<u32>,
    /// Its state.
    pub state: JobState,
    /// Whether somebody works on it now.
    pub is_held: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it moved last.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The append that it has come to.
    pub reached_append: i64,
    /// The append that it ends with.
    pub until_append: i64,
    /// The last event that it has sent.
    pub last: Option<Position>,
    /// Events sent; what is sent again after a fault is counted once.
    pub sent: u64,
    /// Bytes of their records.
    pub sent_bytes: u64,
    /// How many events it was expected to send.
    pub expected: Option<(u64, Exactness)>,
    /// Events a second since its present runner took it.
    pub events_per_second: Option<f64>,
    /// What it waits for, or why it failed.
    pub trouble: Option<String>,
}

/// A change that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Stop until it is resumed.
    Pause,
    /// Go on.
    Resume,
    /// End.
    Cancel,
}

impl Wish {
    /// From which states, to which one, and the step that says so.
    fn change(self) -> (&'static [&'static str], JobState, StepKind) {
        match self {
            Self::Pause => (&["running"], JobState::Paused, StepKind::Paused),
            Self::Resume => (&["paused", "failed"], JobState::Running, StepKind::Resumed),
            Self::Cancel => (&["running", "paused", "failed"], JobState::Cancelled, StepKind::Cancelled),
        }
    }

    /// The state that it asks for.
    pub fn wants(self) -> JobState {
        self.change().1
    }
}

/// A request for a page of jobs, newest first.
#[derive(Debug, Clone, Default)]
pub struct JobRequest {
    /// Whose jobs; `None` = everybody's.
    pub organization_id: Option<String>,
    /// Only of this state.
    pub state: Option<JobState>,
    /// The last one of the page before.
    pub after: Option<(Timestamp, Uuid)>,
    /// Jobs on the page.
    pub limit: u32,
}

impl ApiWriter {
    /// Makes a job with the step that says so; false = as many as `most_open` have not ended.
    pub async fn create_replay_job(&self, job: &NewJob, most_open: u32) -> Result<bool, StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(CREATE).await?;
        let rate = job.rate.map(|rate| i32::try_from(rate).unwrap_or(i32::MAX));
        let (expected, exactness) = job.expected.unzip();
        let (expected, exactness) = (expected.map(to_sql), exactness.map(Exactness::as_str));
        let values: [&(dyn postgres_types::ToSql + Sync); 13] = [
            &job.job_id,
            &job.topic,
            &job.filter,
            &job.organization_id,
            &rate,
            &job.after.append_no,
            &job.after.offset,
            &job.until_append,
            &expected,
            &exactness,
            &job.created_by,
            &job.event_id,
            &i64::from(most_open),
        ];
        Ok(client.query_opt(&statement, &values).await?.is_some())
    }

    /// Changes a job as somebody wishes, with the step that says so, whose event gets this id; false = it is not there,
    /// or in no state for it.
    pub async fn change_replay_job(
        &self,
        job_id: Uuid,
        organization_id: Option<&str>,
        wish: Wish,
        by_whom: &str,
        event_id: Uuid,
    ) -> Result<bool, StoreError> {
        let (from, to, step) = wish.change();
        let change = Change { from, to, step, runner: None, by_whom: Some(by_whom), detail: "" };
        self.change(job_id, organization_id, change, event_id).await
    }

    async fn change(
        &self,
        job_id: Uuid,
        organization_id: Option<&str>,
        change: Change<'_>,
        event_id: Uuid,
    ) -> Result<bool, StoreError> {
        let Change { from, to, step, runner, by_whom, detail } = change;
        let is_end = matches!(to, JobState::Cancelled | JobState::Finished);
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(CHANGE).await?;
        let values: [&(dyn postgres_types::ToSql + Sync); 10] = [
            &job_id,
            &organization_id,
            &from,
            &to.as_str(),
            &is_end,
            &runner,
            &step.as_str(),
            &event_id,
            &by_whom,
            &detail,
        ];
        Ok(client.query_opt(&statement, &values).await?.is_some())
    }
}

/// A change of a job's state.
struct Change<'a> {
    from: &'a [&'a str],
    to: JobState,
    step: StepKind,
    runner: Option<Uuid>,
    /// `None` = whoever created it.
    by_whom: Option<&'a str>,
    detail: &'a str,
}

fn to_sql(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn read(row: &Row) -> Result<ReplayJob, StoreError> {
    let Micros(created_at) = row.try_get(7)?;
    let Micros(updated_at) = row.try_get(9)?;
    let ended_at: Option<Micros> = row.try_get(10)?;
    let last: (Option<i32>, Option<i64>) = (row.try_get(13)?, row.try_get(14)?);
    let count = |index| row.try_get::<_, i64>(index).map(i64::unsigned_abs);
    let expected: Option<i64> = row.try_get(17)?;
    let exactness: Option<&str> = row.try_get(18)?;
    Ok(ReplayJob {
        job_id: row.try_get(0)?,
        topic: row.try_get(1)?,
        filter: row.try_get(2)?,
        organization_id: row.try_get(3)?,
        rate: row.try_get::<_, Option<i32>>(4)?.map(i32::unsigned_abs),
        state: JobState::read(row.try_get(5)?)?,
        is_held: row.try_get::<_, Option<bool>>(6)?.unwrap_or(false),
        created_at,
        created_by: row.try_get(8)?,
        updated_at,
        ended_at: ended_at.map(|Micros(time)| time),
        reached_append: row.try_get(11)?,
        until_append: row.try_get(12)?,
        last: last.0.zip(last.1).map(|(log_id, offset)| Position { log_id, offset }),
        sent: count(15)?,
        sent_bytes: count(16)?,
        expected: expected.map(i64::unsigned_abs).zip(exactness.map(Exactness::read).transpose()?),
        events_per_second: row.try_get(19)?,
        trouble: row.try_get(20)?,
    })
}
