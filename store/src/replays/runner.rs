//! The side of a job's runner: it takes a job for a time, says how far it has come, and lets go.

use std::time::Duration;

use shared::position::Position;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Change, JobState, StepKind, to_sql};
use crate::api_writer::ApiWriter;
use crate::error::StoreError;
use crate::reader::RecordedCursor;

const CLAIM: &str = include_str!("../../sql/claim_replay_job.sql");
const RENEW: &str = include_str!("../../sql/renew_replay_lease.sql");
const SAVE: &str = include_str!("../../sql/save_replay_progress.sql");
const RELEASE: &str = include_str!("../../sql/release_replay_job.sql");

/// Who works on a job: a value of its own for each time that a job is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runner {
    /// The job.
    pub job_id: Uuid,
    /// This taking of it.
    pub runner: Uuid,
    /// How long it holds from each word of it on.
    pub lease: Duration,
}

/// A job that was taken: what is left to do.
#[derive(Debug, Clone)]
pub struct ClaimedJob {
    /// Who has it.
    pub runner: Runner,
    /// Where its events go.
    pub topic: String,
    /// Which events: JSON text.
    pub filter: String,
    /// Whose events; `None` = everybody's.
    pub organization_id: Option<String>,
    /// Events a second, at most.
    pub rate: Option<u32>,
    /// The append that it ends with.
    pub until_append: i64,
    /// How far it has come.
    pub progress: Progress,
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to here is in the topic.
    pub reached: RecordedCursor,
    /// The last event sent; `None` = none since the job was taken.
    pub last: Option<Position>,
    /// Events sent.
    pub sent: u64,
    /// Bytes of their records.
    pub sent_bytes: u64,
}

impl ApiWriter {
    /// Takes the oldest job that nobody works on.
    pub async fn claim_replay_job(
        &self,
        runner: Uuid,
        lease: Duration,
    ) -> Result<Option<ClaimedJob>, StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(CLAIM).await?;
        let found = client.query_opt(&statement, &[&runner, &lease.as_secs_f64()]).await?;
        found.map(|row| read(&row, runner, lease)).transpose()
    }

    /// Holds a job for another lease; its state, `None` = somebody else has it. `trouble`: what it waits for.
    pub async fn renew_replay_lease(
        &self,
        runner: &Runner,
        trouble: Option<&str>,
    ) -> Result<Option<JobState>, StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(RENEW).await?;
        let Runner { job_id, runner, lease } = runner;
        let found = client.query_opt(&statement, &[job_id, runner, &lease.as_secs_f64(), &trouble]).await?;
        found.map(|row| JobState::read(row.try_get(0)?)).transpose()
    }

    /// Kafka has everything up to here; the job's state, `None` = somebody else has it, and nothing was changed.
    pub async fn save_replay_progress(
        &self,
        runner: &Runner,
        progress: &Progress,
    ) -> Result<Option<JobState>, StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(SAVE).await?;
        let (log_id, offset) = progress.last.map(|last| (last.log_id, last.offset)).unzip();
        let values: [&(dyn postgres_types::ToSql + Sync); 9] = [
            &runner.job_id,
            &runner.runner,
            &runner.lease.as_secs_f64(),
            &progress.reached.append_no,
            &progress.reached.offset,
            &log_id,
            &offset,
            &to_sql(progress.sent),
            &to_sql(progress.sent_bytes),
        ];
        let found = client.query_opt(&statement, &values).await?;
        found.map(|row| JobState::read(row.try_get(0)?)).transpose()
    }

    /// Lets a job go: another may take it at once, if it is to be worked on.
    pub async fn release_replay_job(&self, runner: &Runner) -> Result<(), StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(RELEASE).await?;
        client.execute(&statement, &[&runner.job_id, &runner.runner]).await?;
        Ok(())
    }

    /// Everything was sent; false = it is no longer this runner's, or was paused or cancelled.
    pub async fn finish_replay_job(&self, runner: &Runner, event_id: Uuid) -> Result<bool, StoreError> {
        let change = Change::by_runner(runner, JobState::Finished, StepKind::Finished, "");
        self.change(runner.job_id, None, change, event_id).await
    }

    /// It cannot go on by itself; the reason names the remedy.
    pub async fn fail_replay_job(
        &self,
        runner: &Runner,
        reason: &str,
        event_id: Uuid,
    ) -> Result<bool, StoreError> {
        let change = Change::by_runner(runner, JobState::Failed, StepKind::Failed, reason);
        self.change(runner.job_id, None, change, event_id).await
    }
}

impl<'a> Change<'a> {
    fn by_runner(runner: &Runner, to: JobState, step: StepKind, detail: &'a str) -> Self {
        Self { from: &["running"], to, step, runner: Some(runner.runner), by_whom: None, detail }
    }
}

fn read(row: &Row, runner: Uuid, lease: Duration) -> Result<ClaimedJob, StoreError> {
    let count = |index| row.try_get::<_, i64>(index).map(i64::unsigned_abs);
    Ok(ClaimedJob {
        runner: Runner { job_id: row.try_get(0)?, runner, lease },
        topic: row.try_get(1)?,
        filter: row.try_get(2)?,
        organization_id: row.try_get(3)?,
        rate: row.try_get::<_, Option<i32>>(4)?.map(i32::unsigned_abs),
        until_append: row.try_get(7)?,
        progress: Progress {
            reached: RecordedCursor { append_no: row.try_get(5)?, offset: row.try_get(6)? },
            last: None,
            sent: count(8)?,
            sent_bytes: count(9)?,
        },
    })
}
