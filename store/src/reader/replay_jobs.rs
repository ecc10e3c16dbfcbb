//! Replay jobs as they are. The caller says whose, since a job is no event: no scope of the transaction hides it.

use uuid::Uuid;

use super::Reader;
use crate::error::StoreError;
use crate::replays::{self, JobRequest, JobState, ReplayJob};
use crate::sql_types::Micros;

const FIND: &str = include_str!("../../sql/find_replay_job.sql");
const PAGE: &str = include_str!("../../sql/replay_jobs_page.sql");

impl Reader {
    /// A job that this organisation may see (`None` = any).
    pub async fn find_replay_job(
        &self,
        job_id: Uuid,
        organization_id: Option<&str>,
    ) -> Result<Option<ReplayJob>, StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(FIND).await?;
        let found = client.query_opt(&statement, &[&job_id, &organization_id]).await?;
        found.as_ref().map(replays::read).transpose()
    }

    /// The jobs that an organisation may see, and whether there are more.
    pub async fn replay_jobs(&self, request: &JobRequest) -> Result<(Vec<ReplayJob>, bool), StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(PAGE).await?;
        let (time, job_id) = request.after.unzip();
        let (time, state) = (time.map(Micros), request.state.map(JobState::as_str));
        let limit = i64::from(request.limit) + 1;
        let rows =
            client.query(&statement, &[&request.organization_id, &state, &time, &job_id, &limit]).await?;
        let mut jobs = rows.iter().map(replays::read).collect::<Result<Vec<_>, _>>()?;
        let more = jobs.len() > request.limit as usize;
        jobs.truncate(request.limit as usize);
        Ok((jobs, more))
    }
}
