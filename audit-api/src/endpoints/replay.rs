//! `GET /v1/replay`

use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode},
    response::IntoResponse as _,
};
use shared::position::Position;
use store::RecordedCursor;
use utoipa::IntoParams;

use crate::{
    endpoints::{Asked, Serving},
    measure,
    openapi::{ContainerDocument, EventDocument},
    request::{
        Media, Parameters,
        filter::{self, FilterParameters},
        negotiate,
        resume::{RecordedId, last_event_id},
    },
    respond::{Problem, REPLAY_LIMITS, Streaming, sse},
    state::Api,
    walk::{RecordedWalk, Walk as _},
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct AfterParameters {
    /// Where to begin: `start`, `now`, or behind an event's `position`. `Last-Event-ID` beats it.
    #[param(pattern = r"^(start|now|[0-9]{1,10}:[0-9]{1,19})$", default = "start")]
    after: Option<String>,
}

/// Where a stream in recorded order begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Beginning,
    Now,
    Behind {
        position: Position,
        named_by: &'static str,
    },
    /// The client got everything already.
    Ended,
}

impl Start {
    /// From `Last-Event-ID`, else from `after`, else from what the endpoint begins with.
    pub(super) fn read(
        headers: &HeaderMap,
        parameters: &mut Parameters,
        default: Self,
    ) -> Result<Self, Problem> {
        let after = parameters.one("after")?;
        match last_event_id(headers)? {
            Some(RecordedId::End) => return Ok(Self::Ended),
            Some(RecordedId::At(position)) => {
                return Ok(Self::Behind { position, named_by: "Last-Event-ID" });
            }
            None => {}
        }
        match after.as_deref() {
            None => Ok(default),
            Some("start") => Ok(Self::Beginning),
            Some("now") => Ok(Self::Now),
            Some(text) => match text.parse() {
                Ok(position) => Ok(Self::Behind { position, named_by: "after" }),
                Err(_) => Err(Problem::parameter("after", "is not start, now, or the position of an event")),
            },
        }
    }

    /// The place in recorded order; `head` is the newest append.
    pub(super) async fn cursor(self, api: &Api, head: i64) -> Result<RecordedCursor, Problem> {
        match self {
            Self::Beginning => Ok(RecordedCursor::START),
            Self::Now | Self::Ended => Ok(RecordedCursor::after_append(head)),
            Self::Behind { position, named_by } => api.reader.locate(position).await?.ok_or_else(|| {
                Problem::parameter(
                    named_by,
                    "is not a position of this store: send one that an answer gave you",
                )
            }),
        }
    }
}

/// The replay of everything
///
/// Every event that you may see and that matches, in recorded order, up to the newest one at the start of the
/// request: JSON lines, server-sent events that resume by `Last-Event-ID`, or an Avro object container file, which ends
/// with a block of no events when it is whole.
#[utoipa::path(
    get, path = "/v1/replay", operation_id = "replay", tag = "Streams",
    params(FilterParameters, AfterParameters,
        ("Last-Event-ID" = Option<String>, Header, description = "The last id that you got.")),
    responses(
        (status = 200, description = "The events.", content(
            (EventDocument = "application/x-ndjson"), (String = "text/event-stream"),
            (ContainerDocument = "application/vnd.apache.avro"))),
        (status = 204, description = "You got the `end` event already.")
    )
)]
pub(crate) async fn replay(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    let media = negotiate(&headers, &[Media::Ndjson, Media::EventStream, Media::Avro])?;
    let filter = filter::read(&mut parameters)?;
    let start = Start::read(&headers, &mut parameters, Start::Beginning)?;
    parameters.finish()?;
    filter::within(&scope, &filter.organization_id)?;
    if start == Start::Ended {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let reader = api.reader.clone();
    let head = reader.head().await?;
    let cursor = start.cursor(&api, head).await?;
    let mut walk = RecordedWalk::new(reader.clone(), scope, filter, cursor, head, REPLAY_LIMITS);
    let first = measure::query("recorded", walk.next()).await?;
    let (stream, response) = Streaming::open(&api, &caller, media)?;
    stream.spawn(sse::Replay { first, walk, head, reader });
    Ok(response)
}
