//! `GET /v1/replays`

use std::sync::Arc;

use axum::{body::Body, extract::State, http::Response};
use store::replays::{JobRequest, JobState};
use utoipa::{IntoParams, ToSchema};

use super::view::Job;
use crate::{
    endpoints::{
        Asked,
        events::list::{DEFAULT_LIMIT, LARGEST_LIMIT},
    },
    openapi::PageInfoDocument,
    request::{
        Media, Parameters,
        cursor::{self, Fingerprint},
        negotiate,
    },
    respond::{
        Problem,
        page::{self, PageInfo},
    },
    state::Api,
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct ListParameters {
    /// Only jobs in this state; `running` holds those that are queued too.
    #[param(inline)]
    state: Option<JobStateWord>,
    /// Jobs on a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `page.nextCursor` of the page before.
    #[param(min_length = 1, max_length = 256)]
    cursor: Option<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
pub(crate) enum JobStateWord {
    Running,
    Paused,
    Cancelled,
    Finished,
    Failed,
}

/// A page of replay jobs.
#[derive(ToSchema)]
#[schema(as = ReplayJobPage)]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct JobPage {
    data: Vec<Job>,
    page: PageInfoDocument,
}

fn read(parameters: &mut Parameters) -> Result<(JobRequest, Fingerprint), Problem> {
    let state = parameters.word("state", &JobState::ALL.map(|state| (state.as_str(), state)))?;
    let limit = parameters.number("limit", 1, LARGEST_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let fingerprint = Fingerprint::of(&["replays", &format!("{state:?}")]);
    let cursor = parameters.one("cursor")?;
    let after = cursor.map(|text| cursor::read_job(&text, &fingerprint)).transpose()?;
    Ok((JobRequest { state, limit, after, organization_id: None }, fingerprint))
}

/// The replay jobs
///
/// Newest first. An organisation's administrator sees those of its organisation.
#[utoipa::path(
    get, path = "/v1/replays", operation_id = "listReplayJobs", tag = "Replay jobs",
    params(ListParameters),
    responses((status = 200, description = "The jobs.", body = JobPage, content_type = "application/json",
        headers(("Link" = Option<String>, description = "The next page, `rel=\"next\"`."))))
)]
pub(crate) async fn list(State(api): State<Arc<Api>>, asked: Asked) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, uri, mut parameters } = asked;
    let scope = caller.sees_replays()?;
    negotiate(&headers, &[Media::Json])?;
    let (mut request, fingerprint) = read(&mut parameters)?;
    parameters.finish()?;
    request.organization_id = scope.organization().map(str::to_owned);
    let (jobs, more) = api.reader.replay_jobs(&request).await?;
    let last = jobs.last().filter(|_| more).map(|job| (job.created_at, job.job_id));
    let next_cursor = last.map(|key| cursor::of_job(key, &fingerprint));
    let jobs: Vec<Job> = jobs.into_iter().map(Job::of).collect::<Result<_, _>>()?;
    let items: Result<Vec<String>, _> = jobs.iter().map(serde_json::to_string).collect();
    let items = items.map_err(|_| Problem::internal())?;
    let info = PageInfo { limit: request.limit, next_cursor, ..PageInfo::default() };
    Ok(page::of_json(items.join(",").as_bytes(), items.len(), &info, &uri))
}
