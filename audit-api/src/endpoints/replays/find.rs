//! `GET /v1/replays/{id}`

use std::sync::Arc;

use axum::{body::Body, extract::State, http::Response};

use super::view::{self, Job};
use crate::{
    endpoints::{Asked, body::json, events::find::parse},
    request::{Media, negotiate, path::Segments},
    respond::Problem,
    state::Api,
};

/// One replay job
///
/// What it sends, how far it has come, and what it waits for.
#[utoipa::path(
    get, path = "/v1/replays/{id}", operation_id = "findReplayJob", tag = "Replay jobs",
    params(("id" = uuid::Uuid, Path, description = "The job.")),
    responses((status = 200, description = "The job.", body = Job, content_type = "application/json"))
)]
pub(crate) async fn find(
    State(api): State<Arc<Api>>,
    asked: Asked,
    Segments(id): Segments<String>,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, parameters, .. } = asked;
    let scope = caller.sees_replays()?;
    parameters.finish()?;
    negotiate(&headers, &[Media::Json])?;
    let id = parse("id", &id)?;
    let job = api.reader.find_replay_job(id, scope.organization()).await?;
    Ok(json(&Job::of(job.ok_or_else(view::none)?)?, 1))
}
