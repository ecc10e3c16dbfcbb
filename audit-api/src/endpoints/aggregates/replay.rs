//! `GET /v1/aggregates/{type}/{id}/replay`

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode},
    response::IntoResponse as _,
};
use shared::{
    filter::{EventFilter, Pattern},
    scope::Scope,
};
use store::{AggregateKey, HistoryKey, HistoryRange, RecordedCursor};
use utoipa::IntoParams;

use super::{
    history::{RangeParameters, range},
    resolve::Named,
};
use crate::{
    auth::Caller,
    endpoints::{Asked, Serving},
    measure,
    openapi::{ContainerDocument, EventDocument},
    request::{
        Media, Parameters, negotiate,
        path::Segments,
        resume::{AggregateId, last_event_id},
    },
    respond::{
        Problem, Streaming, TAIL_LIMITS,
        sse::{AggregateReplay, Tail, by_aggregate},
    },
    router::Live,
    state::Api,
    walk::{HistoryWalk, RecordedWalk, Walk as _},
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct ReplayParameters {
    /// Event time, inclusive: the aggregate as it was at that moment.
    #[param(format = DateTime)]
    at: Option<String>,
    /// Go on with what is stored from now on; not together with `at`, `to` or `toVersion`.
    follow: Option<bool>,
}

/// A replay that has been understood.
struct Replay {
    range: HistoryRange,
    follow: bool,
    media: Media,
    resumed: Option<AggregateId>,
}

impl Replay {
    fn read(headers: &HeaderMap, parameters: &mut Parameters) -> Result<Self, Problem> {
        let media = negotiate(headers, &[Media::Ndjson, Media::EventStream, Media::Avro])?;
        let mut range = range(parameters)?;
        range.at = parameters.time("at")?;
        let follow = parameters.word("follow", &[("true", true), ("false", false)])?.unwrap_or(false);
        if follow && media == Media::Avro {
            return Err(Problem::parameter(
                "follow",
                "goes on without end, and a container file has one: follow as text/event-stream or application/x-ndjson",
            ));
        }
        let ends = [
            ("at", range.at.is_some()),
            ("to", range.to.is_some()),
            ("toVersion", range.to_version.is_some()),
        ];
        if let Some((name, _)) = ends.into_iter().find(|(_, given)| follow && *given) {
            return Err(Problem::parameter(
                name,
                "says where to end, and follow=true goes on without end: leave one out",
            ));
        }
        Ok(Self { range, follow, media, resumed: last_event_id(headers)? })
    }
}

/// The replay of an aggregate
///
/// Its history in version order as one stream: JSON lines, server-sent events whose ids resume by `Last-Event-ID`, or an
/// Avro object container file, which ends with a block of no events when it is whole.
/// With `follow=true` it goes on with what is stored later, in recorded order; a container file cannot.
#[utoipa::path(
    get, path = "/v1/aggregates/{type}/{id}/replay", operation_id = "replayAggregate", tag = "Aggregates",
    params(
        ("type" = String, Path, description = "The aggregate's type.", example = "Order"),
        ("id" = String, Path, description = "The aggregate's id.", example = "order-1"),
        RangeParameters, ReplayParameters,
        ("Last-Event-ID" = Option<String>, Header, description = "The last id that you got.")
    ),
    responses(
        (status = 200, description = "The events.", content(
            (EventDocument = "application/x-ndjson"), (String = "text/event-stream"),
            (ContainerDocument = "application/vnd.apache.avro"))),
        (status = 204, description = "You got the `end` event already.")
    )
)]
pub(crate) async fn replay(
    Serving(api): Serving,
    asked: Asked,
    Segments(path): Segments<(String, String)>,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    let named = Named::read(path, &mut parameters)?;
    let replay = Replay::read(&headers, &mut parameters)?;
    parameters.finish()?;
    if replay.resumed == Some(AggregateId::End) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let key = named.resolve(&api, &scope).await?;
    match replay.resumed {
        Some(AggregateId::Recorded(position)) if replay.follow => {
            let cursor = api.reader.locate(position).await?.ok_or_else(unknown_id)?;
            let tail = tail(&api, &scope, &key, &replay.range, cursor);
            let (stream, response) = Streaming::open(&api, &caller, replay.media)?;
            stream.spawn(tail);
            Ok(live(response))
        }
        Some(AggregateId::Recorded(_) | AggregateId::End) => Err(unknown_id()),
        Some(AggregateId::History { head, key: last }) => {
            if head > api.reader.head().await? {
                return Err(unknown_id());
            }
            from(&api, &caller, &scope, key, replay, head, Some(last)).await
        }
        None => {
            let head = api.reader.head().await?;
            from(&api, &caller, &scope, key, replay, head, None).await
        }
    }
}

async fn from(
    api: &Arc<Api>,
    caller: &Caller,
    scope: &Scope,
    key: AggregateKey,
    replay: Replay,
    head: i64,
    after: Option<HistoryKey>,
) -> Result<Response<Body>, Problem> {
    let Replay { mut range, follow, media, .. } = replay;
    range.until_append = Some(head);
    let tail = follow.then(|| tail(api, scope, &key, &range, RecordedCursor::after_append(head)));
    let mut history = HistoryWalk::new(api.reader.clone(), scope.clone(), key, range, after);
    let first = measure::query("history", history.next()).await?;
    let (stream, response) = Streaming::open(api, caller, media)?;
    stream.spawn(AggregateReplay { first, history, head, tail });
    Ok(if follow { live(response) } else { response })
}

fn tail(api: &Api, scope: &Scope, key: &AggregateKey, range: &HistoryRange, cursor: RecordedCursor) -> Tail {
    let filter = EventFilter {
        from: range.from,
        aggregate_type: vec![Pattern::Exact(key.aggregate_type.clone())],
        aggregate_id: vec![key.aggregate_id.clone()],
        organization_id: vec![key.organization_id.clone()],
        ..EventFilter::default()
    };
    Tail {
        walk: RecordedWalk::new(api.reader.clone(), scope.clone(), filter, cursor, 0, TAIL_LIMITS),
        head: api.head.follow(),
        reader: api.reader.clone(),
        name: by_aggregate,
        least_version: range.from_version,
        shutdown: api.shutdown.clone(),
    }
}

fn live(mut response: Response<Body>) -> Response<Body> {
    response.extensions_mut().insert(Live);
    response
}

fn unknown_id() -> Problem {
    Problem::header(
        "Last-Event-ID",
        "is not an id of this stream: send the last id that you got, or leave it out",
    )
}
