//! `GET /v1/event-types`

use axum::{body::Body, http::Response};
use serde_json::json;
use shared::filter::Pattern;
use store::reader::EventTypeRequest;
use utoipa::{IntoParams, ToSchema};

use crate::{
    endpoints::{
        Asked, Serving,
        events::list::{DEFAULT_LIMIT, LARGEST_LIMIT},
    },
    measure,
    openapi::{AsOfDocument, PageInfoDocument},
    request::{
        Media,
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
    /// Only these; `*` at the end stands for any run of characters. Those of the records of accesses (`AuditAccess.*`) come
    /// only when asked for here.
    #[param(style = Form, explode, min_length = 1, max_length = 2048, example = json!(["Order*"]))]
    event_type: Option<Vec<String>>,
    /// Only in these organisations; empty = in none. It narrows what you may see and never widens it.
    #[param(style = Form, explode, max_length = 2048)]
    organization_id: Option<Vec<String>>,
    /// Types on a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `page.nextCursor` of the page before.
    #[param(min_length = 1, max_length = 3072)]
    cursor: Option<String>,
}

/// An event type, counted over all organisations that the answer covers.
#[derive(ToSchema)]
#[schema(as = EventTypeSummary, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct EventTypeDocument {
    #[schema(example = "OrderPlaced")]
    event_type: String,
    event_count: i64,
    /// The least event time.
    #[schema(format = DateTime)]
    first_time: String,
    /// The greatest event time.
    #[schema(format = DateTime)]
    last_time: String,
}

/// A page of event types.
#[derive(ToSchema)]
#[schema(as = EventTypePage, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct EventTypePageDocument {
    data: Vec<EventTypeDocument>,
    page: PageInfoDocument,
    as_of: AsOfDocument,
}

/// The event types
///
/// By name, with their events counted. Counted beside the ingest: `asOf` says up to which append.
#[utoipa::path(
    get, path = "/v1/event-types", operation_id = "listEventTypes", tag = "Events",
    params(ListParameters),
    responses((status = 200, description = "The event types.", body = EventTypePageDocument, content_type = "application/json",
        headers(("Link" = Option<String>, description = "The next page, `rel=\"next\"`."))))
)]
pub(crate) async fn list(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, uri, mut parameters } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let event_type = filter::patterns(&mut parameters, "eventType")?;
    let organization_id = parameters.many_or_empty("organizationId");
    let limit = parameters.number("limit", 1, LARGEST_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let cursor = parameters.one("cursor")?;
    parameters.finish()?;
    filter::within(&scope, &organization_id)?;
    if event_type.iter().any(|pattern| matches!(pattern, Pattern::Glob(_))) {
        return Err(Problem::query_too_broad(
            "eventType uses * elsewhere than at the end: no index serves that".to_owned(),
        ));
    }
    let fingerprint = Fingerprint::of(&["event-types", &format!("{event_type:?} {organization_id:?}")]);
    let after = cursor.map(|text| cursor::read_event_type(&text, &fingerprint)).transpose()?;
    let request = EventTypeRequest { event_type, organization_id, limit, after };
    let found = measure::query("event_types", api.reader.event_types(&scope, &request)).await?;
    let items: Vec<String> = found
        .items
        .iter()
        .map(|item| {
            json!({
                "eventType": item.event_type,
                "eventCount": item.events,
                "firstTime": item.first.to_string(),
                "lastTime": item.last.to_string(),
            })
            .to_string()
        })
        .collect();
    let next_cursor = found.next.map(|key| cursor::of_event_type(&key, &fingerprint));
    let info = PageInfo { limit, next_cursor, as_of: Some(found.as_of), ..PageInfo::default() };
    Ok(page::of_json(items.join(",").as_bytes(), items.len(), &info, &uri))
}
