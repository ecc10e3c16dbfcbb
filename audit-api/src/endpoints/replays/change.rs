//! `DELETE /v1/replays/{id}`, `POST /v1/replays/{id}/pause`, `POST /v1/replays/{id}/resume`

use std::sync::Arc;

use axum::{body::Body, extract::State, http::Response};
use shared::problem::ProblemType;
use store::replays::{JobState, Wish};

use super::view::{self, Job};
use crate::{
    endpoints::{Asked, body::json, events::find::parse},
    request::{Media, negotiate, path::Segments},
    respond::Problem,
    state::Api,
    submit::new_id,
};

/// Pause a replay job
///
/// It stops behind the batch that is on its way, which takes two seconds at most, and can be resumed. Pausing a job that is
/// paused changes nothing.
#[utoipa::path(
    post, path = "/v1/replays/{id}/pause", operation_id = "pauseReplayJob", tag = "Replay jobs",
    params(("id" = uuid::Uuid, Path, description = "The job.")),
    responses((status = 200, description = "The job.", body = Job, content_type = "application/json"))
)]
pub(crate) async fn pause(
    State(api): State<Arc<Api>>,
    asked: Asked,
    Segments(id): Segments<String>,
) -> Result<Response<Body>, Problem> {
    change(&api, asked, &id, Wish::Pause).await
}

/// Resume a replay job
///
/// A paused one, or one that has failed and whose cause is mended. It goes on behind the last event that was sent.
#[utoipa::path(
    post, path = "/v1/replays/{id}/resume", operation_id = "resumeReplayJob", tag = "Replay jobs",
    params(("id" = uuid::Uuid, Path, description = "The job.")),
    responses((status = 200, description = "The job.", body = Job, content_type = "application/json"))
)]
pub(crate) async fn resume(
    State(api): State<Arc<Api>>,
    asked: Asked,
    Segments(id): Segments<String>,
) -> Result<Response<Body>, Problem> {
    change(&api, asked, &id, Wish::Resume).await
}

/// Cancel a replay job
///
/// For good. What was sent stays in the topic, and the job in the list.
#[utoipa::path(
    delete, path = "/v1/replays/{id}", operation_id = "cancelReplayJob", tag = "Replay jobs",
    params(("id" = uuid::Uuid, Path, description = "The job.")),
    responses((status = 200, description = "The job.", body = Job, content_type = "application/json"))
)]
pub(crate) async fn cancel(
    State(api): State<Arc<Api>>,
    asked: Asked,
    Segments(id): Segments<String>,
) -> Result<Response<Body>, Problem> {
    change(&api, asked, &id, Wish::Cancel).await
}

async fn change(api: &Api, asked: Asked, id: &str, wish: Wish) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, parameters, .. } = asked;
    let scope = caller.replays()?;
    parameters.finish()?;
    negotiate(&headers, &[Media::Json])?;
    let id = parse("id", id)?;
    let replays = api.replays()?;
    let (writer, organization) = (replays.writer(), scope.organization());
    let is_changed = writer.change_replay_job(id, organization, wish, &caller.subject, new_id()).await?;
    let job = api.reader.find_replay_job(id, organization).await?.ok_or_else(view::none)?;
    if is_changed {
        replays.wake();
    } else if job.state != wish.wants() {
        return Err(Problem::new(ProblemType::JobState, remedy(job.state)));
    }
    Ok(json(&Job::of(job)?, 1))
}

fn remedy(state: JobState) -> &'static str {
    match state {
        JobState::Failed => "the job has failed: resume it when what it says is mended, or cancel it",
        JobState::Finished => "the job is finished: start another one",
        JobState::Cancelled => "the job was cancelled: start another one",
        JobState::Running | JobState::Paused => "the job was changed by somebody else: look at it again",
    }
}
