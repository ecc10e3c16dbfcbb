//! `GET /v1/dead-letters`

use std::sync::Arc;

use axum::{body::Body, extract::State, http::Response};
use shared::{position::Position, refusal::Reason, scope::Scope, timestamp::Timestamp};
use store::reader::DeadLetterRequest;
use utoipa::IntoParams;

use super::view;
use crate::{
    endpoints::{
        Asked,
        events::list::{DEFAULT_LIMIT, LARGEST_LIMIT},
    },
    measure,
    openapi::DeadLetterPageDocument,
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
    /// Only of this topic.
    #[param(min_length = 1, max_length = 2048)]
    topic: Option<String>,
    /// Only for this reason.
    #[param(inline)]
    reason: Option<ReasonWord>,
    /// Time of recording, inclusive (RFC 3339).
    #[param(format = DateTime)]
    from: Option<String>,
    /// Time of recording, exclusive.
    #[param(format = DateTime)]
    to: Option<String>,
    /// Dead letters on a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `page.nextCursor` of the page before.
    #[param(min_length = 1, max_length = 256)]
    cursor: Option<String>,
}

#[derive(utoipa::ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
pub(crate) enum ReasonWord {
    MalformedFraming,
    UnknownSchema,
    Undecodable,
    LimitExceeded,
    EnvelopeInvalid,
    PayloadInvalid,
    TimestampInFuture,
    TimestampOutOfRange,
    EventIdConflict,
}

/// What is asked for.
struct Listing {
    request: DeadLetterRequest,
    from: Option<Timestamp>,
    fingerprint: Fingerprint,
}

impl Listing {
    fn read(parameters: &mut Parameters) -> Result<Self, Problem> {
        let topic = parameters.one("topic")?;
        let reason = parameters.word("reason", &Reason::ALL.map(|reason| (reason.as_str(), reason)))?;
        let (from, to) = parameters.range("from", "to")?;
        let limit = parameters.number("limit", 1, LARGEST_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        let fingerprint = Fingerprint::of(&[
            "dead-letters",
            &format!("{topic:?}"),
            &format!("{reason:?}"),
            &format!("{from:?} {to:?}"),
        ]);
        let cursor = parameters.one("cursor")?;
        let after = match cursor {
            Some(text) => Some(cursor::read_dead_letter(&text, &fingerprint)?),
            // Newest first, behind the least position of that moment = everything before it.
            None => to.map(|to| (to, Position { log_id: 0, offset: 0 })),
        };
        let request = DeadLetterRequest { topic, reason, limit, after, with_records: false };
        Ok(Self { request, from, fingerprint })
    }
}

/// The dead letters
///
/// Newest first, without the original bytes: `/v1/dead-letters/{id}` has them.
#[utoipa::path(
    get, path = "/v1/dead-letters", operation_id = "listDeadLetters", tag = "Dead letters",
    params(ListParameters),
    responses((status = 200, description = "The dead letters.", body = DeadLetterPageDocument, content_type = "application/json",
        headers(("Link" = Option<String>, description = "The next page, `rel=\"next\"`."))))
)]
pub(crate) async fn list(State(api): State<Arc<Api>>, asked: Asked) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, uri, mut parameters } = asked;
    caller.dead_letters()?;
    negotiate(&headers, &[Media::Json])?;
    let Listing { request, from, fingerprint } = Listing::read(&mut parameters)?;
    parameters.finish()?;
    let mut found = measure::query("dead_letters", api.reader.dead_letters(&Scope::All, &request)).await?;
    if let Some(from) = from {
        let all = found.letters.len();
        found.letters.retain(|letter| letter.recorded_at >= from);
        // Newest first: once one is too old, so is all that follows.
        found.next = found.next.filter(|_| found.letters.len() == all);
    }
    let items: Result<Vec<String>, _> =
        found.letters.iter().map(|row| serde_json::to_string(&view::of(row, false))).collect();
    let items = items.map_err(|_| Problem::internal())?;
    let next_cursor = found.next.map(|key| cursor::of_dead_letter(key, &fingerprint));
    let info = PageInfo { limit: request.limit, next_cursor, ..PageInfo::default() };
    Ok(page::of_json(items.join(",").as_bytes(), items.len(), &info, &uri))
}
