//! `GET /v1/accesses`

use axum::{body::Body, http::Response};
use serde::Serialize;
use shared::{
    access::{Access, AccessOutcome},
    timestamp::Timestamp,
};
use store::{
    projections::About,
    reader::{AccessFilter, AccessRequest, AccessRow},
};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::{
    endpoints::{
        Asked, Serving,
        events::list::{DEFAULT_LIMIT, LARGEST_LIMIT},
    },
    measure,
    openapi::{AccessOutcomeWord, AccessPageDocument},
    request::{
        Media, Parameters,
        cursor::{self, Fingerprint},
        filter, negotiate,
    },
    respond::{
        Problem,
        page::{self, PageInfo},
    },
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct ListParameters {
    /// Who looked: a token's subject, a signed link's name, or `anonymous`.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    user_id: Option<Vec<String>>,
    /// Who was looked at: a user that the request named. Not together with `aggregateId`.
    #[param(min_length = 1, max_length = 2048)]
    subject: Option<String>,
    /// What was looked at: an aggregate that the request named.
    #[param(min_length = 1, max_length = 2048)]
    aggregate_id: Option<String>,
    /// The kind of that aggregate. Requests that named its id and no kind are found too.
    #[param(min_length = 1, max_length = 2048)]
    aggregate_type: Option<String>,
    /// By which operation: its id in this document.
    #[param(style = Form, explode, min_length = 1, max_length = 2048, example = json!(["listEvents"]))]
    operation: Option<Vec<String>>,
    /// What came of it.
    #[param(inline)]
    outcome: Option<AccessOutcomeWord>,
    /// Time of the access, inclusive (RFC 3339).
    #[param(format = DateTime)]
    from: Option<String>,
    /// Time of the access, exclusive.
    #[param(format = DateTime)]
    to: Option<String>,
    /// Only in these organisations; empty = in none. It narrows what you may see and never widens it.
    #[param(style = Form, explode, max_length = 2048)]
    organization_id: Option<Vec<String>>,
    /// Accesses on a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `page.nextCursor` of the page before.
    #[param(min_length = 1, max_length = 256)]
    cursor: Option<String>,
}

/// An access as it is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccessView<'a> {
    event_id: Uuid,
    position: String,
    accessed_at: Timestamp,
    organization_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<&'a str>,
    #[serde(flatten)]
    access: &'a Access,
}

fn view(row: &AccessRow) -> AccessView<'_> {
    AccessView {
        event_id: row.event_id,
        position: row.position.to_string(),
        accessed_at: row.accessed_at,
        organization_id: &row.organization_id,
        ip_address: row.ip_address.as_deref(),
        access: &row.access,
    }
}

fn read(parameters: &mut Parameters) -> Result<AccessFilter, Problem> {
    let (from, to) = parameters.range("from", "to")?;
    let outcomes = AccessOutcome::ALL.map(|outcome| (outcome.as_str(), outcome));
    Ok(AccessFilter {
        from,
        to,
        accessor_id: parameters.many("userId")?,
        about: about(parameters)?,
        operation: parameters.many("operation")?,
        outcome: parameters.word("outcome", &outcomes)?.into_iter().collect(),
        organization_id: parameters.many_or_empty("organizationId"),
    })
}

fn about(parameters: &mut Parameters) -> Result<About, Problem> {
    let subject = parameters.one("subject")?;
    let (id, kind) = (parameters.one("aggregateId")?, parameters.one("aggregateType")?);
    match (subject, id, kind) {
        (None, None, None) => Ok(About::Itself),
        (Some(user), None, None) => Ok(About::User(user)),
        (None, Some(id), kind) => Ok(About::Aggregate { kind: kind.unwrap_or_default(), id }),
        (None, None, Some(_)) => {
            Err(Problem::parameter("aggregateType", "has no index of its own: add aggregateId"))
        }
        (Some(_), ..) => {
            Err(Problem::parameter("subject", "goes without aggregateId and aggregateType: ask twice"))
        }
    }
}

/// Who looked
///
/// The requests that this API has answered or refused, newest first: who asked for what, and what came of it. An
/// organisation's administrator sees those of its own tokens. Read from a projection: `asOf` says up to which append.
#[utoipa::path(
    get, path = "/v1/accesses", operation_id = "listAccesses", tag = "Accesses",
    params(ListParameters),
    responses((status = 200, description = "The accesses.", body = AccessPageDocument, content_type = "application/json",
        headers(("Link" = Option<String>, description = "The next page, `rel=\"next\"`."))))
)]
pub(crate) async fn list(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, uri, mut parameters } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let filter = read(&mut parameters)?;
    let limit = parameters.number("limit", 1, LARGEST_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let cursor = parameters.one("cursor")?;
    parameters.finish()?;
    filter::within(&scope, &filter.organization_id)?;
    let fingerprint = Fingerprint::of(&["accesses", &format!("{filter:?}")]);
    let after = cursor.map(|text| cursor::read_access(&text, &fingerprint)).transpose()?;
    let request = AccessRequest { filter, limit, after };
    let found = measure::query("accesses", api.reader.accesses(&scope, &request)).await?;
    let items: Result<Vec<String>, _> =
        found.items.iter().map(|row| serde_json::to_string(&view(row))).collect();
    let items = items.map_err(|_| Problem::internal())?;
    let next_cursor = found.next.map(|key| cursor::of_access(key, &fingerprint));
    let info = PageInfo { limit, next_cursor, as_of: Some(found.as_of), ..PageInfo::default() };
    Ok(page::of_json(items.join(",").as_bytes(), items.len(), &info, &uri))
}
