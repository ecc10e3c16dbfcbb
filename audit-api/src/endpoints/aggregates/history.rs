//! `GET /v1/aggregates/{type}/{id}/events`

use axum::{body::Body, http::Response};
use store::{HistoryKey, HistoryRange};
use utoipa::IntoParams;

use super::resolve::Named;
use crate::{
    endpoints::{
        Asked, Serving,
        events::list::{DEFAULT_LIMIT, LARGEST_LIMIT},
    },
    measure,
    openapi::HistoryDocument,
    request::{
        Media, Parameters,
        cursor::{self, Fingerprint},
        negotiate,
        path::Segments,
    },
    respond::{
        Problem,
        page::{self, PageInfo},
    },
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
pub(super) struct RangeParameters {
    /// The aggregate's organisation, needed when several have an aggregate of this type and id.
    organization_id: Option<String>,
    /// Versions from here, inclusive.
    #[param(minimum = 0, maximum = 2_147_483_647)]
    from_version: Option<i32>,
    /// Versions to here, inclusive.
    #[param(minimum = 0, maximum = 2_147_483_647)]
    to_version: Option<i32>,
    /// Event time, inclusive (RFC 3339).
    #[param(format = DateTime)]
    from: Option<String>,
    /// Event time, exclusive.
    #[param(format = DateTime)]
    to: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct PageParameters {
    /// Events on a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `page.nextCursor` of the page before.
    #[param(min_length = 1, max_length = 256)]
    cursor: Option<String>,
}

/// Takes the range out of the parameters.
pub(super) fn range(parameters: &mut Parameters) -> Result<HistoryRange, Problem> {
    let from_version = parameters.number("fromVersion", 0, i32::MAX)?;
    let to_version = parameters.number("toVersion", 0, i32::MAX)?;
    if let (Some(from), Some(to)) = (from_version, to_version)
        && from > to
    {
        return Err(Problem::parameter("toVersion", "is below fromVersion: swap the two"));
    }
    let (from, to) = parameters.range("from", "to")?;
    Ok(HistoryRange { from_version, to_version, from, to, at: None, until_append: None })
}

/// The history of an aggregate
///
/// Its events in version order. The first page also tells the gaps and forks of the whole aggregate.
/// Ids may hold any character: percent-encode them, `/` as `%2F`.
#[utoipa::path(
    get, path = "/v1/aggregates/{type}/{id}/events", operation_id = "aggregateHistory", tag = "Aggregates",
    params(
        ("type" = String, Path, description = "The aggregate's type.", example = "Order"),
        ("id" = String, Path, description = "The aggregate's id.", example = "order-1"),
        RangeParameters, PageParameters
    ),
    responses((status = 200, description = "The events.", body = HistoryDocument, content_type = "application/json",
        headers(("Link" = Option<String>, description = "The next page, `rel=\"next\"`."))))
)]
pub(crate) async fn history(
    Serving(api): Serving,
    asked: Asked,
    Segments(path): Segments<(String, String)>,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, uri, mut parameters } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let named = Named::read(path, &mut parameters)?;
    let range = range(&mut parameters)?;
    let limit = parameters.number("limit", 1, LARGEST_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let cursor = parameters.one("cursor")?;
    parameters.finish()?;

    let key = named.resolve(&api, &scope).await?;
    let fingerprint = Fingerprint::of_history(&key, &range);
    let after = cursor.map(|text| cursor::read_history(&text, &fingerprint)).transpose()?;
    let search = api.reader.history_page(&scope, &key, &range, after, limit);
    let (rows, more) = measure::query("history", search).await?;
    let last = rows.last().map(HistoryKey::from).filter(|_| more);
    let integrity = match after {
        Some(_) => None,
        None => Some(measure::query("integrity", api.reader.integrity(&scope, &key)).await?),
    };
    let next_cursor = last.map(|last| cursor::of_history(&last, &fingerprint));
    Ok(page::of_events(&rows, &PageInfo { limit, next_cursor, integrity, ..PageInfo::default() }, &uri))
}
