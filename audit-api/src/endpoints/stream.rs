//! `GET /v1/stream`

use axum::{
    body::Body,
    http::{Response, StatusCode},
    response::IntoResponse as _,
};
use utoipa::IntoParams;

use super::replay::Start;
use crate::{
    endpoints::{Asked, Serving},
    request::{
        Media,
        filter::{self, FilterParameters},
        negotiate,
    },
    respond::{
        Problem, Streaming, TAIL_LIMITS,
        sse::{Tail, by_position},
    },
    walk::RecordedWalk,
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct AfterParameters {
    /// Where to begin: `now`, `start`, or behind an event's `position`. `Last-Event-ID` beats it.
    #[param(pattern = r"^(start|now|[0-9]{1,10}:[0-9]{1,19})$", default = "now")]
    after: Option<String>,
}

/// The live tail
///
/// Events as they are stored, in recorded order, as server-sent events; a client that reconnects with `Last-Event-ID`
/// misses none and gets none twice. It ends when the token expires.
#[utoipa::path(
    get, path = "/v1/stream", operation_id = "stream", tag = "Streams",
    params(FilterParameters, AfterParameters,
        ("Last-Event-ID" = Option<String>, Header, description = "The last id that you got.")),
    responses(
        (status = 200, description = "The events.", body = String, content_type = "text/event-stream"),
        (status = 204, description = "The id is that of an `end` event: nothing follows it.")
    )
)]
pub(crate) async fn stream(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    let media = negotiate(&headers, &[Media::EventStream])?;
    let filter = filter::read(&mut parameters)?;
    let start = Start::read(&headers, &mut parameters, Start::Now)?;
    parameters.finish()?;
    filter::within(&scope, &filter.organization_id)?;
    if start == Start::Ended {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let reader = api.reader.clone();
    let head = reader.head().await?;
    let cursor = start.cursor(&api, head).await?;
    let walk = RecordedWalk::new(reader.clone(), scope, filter, cursor, head, TAIL_LIMITS);
    let (stream, response) = Streaming::open(&api, &caller, media)?;
    stream.spawn(Tail {
        walk,
        head: api.head.follow(),
        reader,
        name: by_position,
        least_version: None,
        shutdown: api.shutdown.clone(),
    });
    Ok(response)
}
