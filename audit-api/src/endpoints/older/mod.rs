//! The older services' addresses (documents 000, 001 and 004) over the same data: each in its document's own shape, with
//! the same authentication, scope, guards and limits as `/v1`, and marked as deprecated (RFC 9745).

mod api_audit;
mod audit;
mod listing;
mod logs;
mod names;
mod paging;

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, header},
    middleware::{self, Next},
    response::Response,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::state::Api;

/// When the successors came: 2026-11-21T00:00:00Z, as a structured field's date.
const DEPRECATED_SINCE: HeaderValue = HeaderValue::from_static("@1795219200");
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");

/// Every older address.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(logs::logs))
        .routes(routes!(audit::logs::list))
        .routes(routes!(audit::logs::find))
        .routes(routes!(audit::report::report))
        .routes(routes!(api_audit::logs::list))
        .routes(routes!(api_audit::logs::of_entity))
        .routes(routes!(api_audit::logs::of_user))
        .routes(routes!(api_audit::logs::search))
        .route_layer(middleware::from_fn(deprecate))
}

/// Whether a path of the OpenAPI document is one of these.
pub(crate) fn is_older(path: &str) -> bool {
    path == "/logs" || path.starts_with("/audit/") || path.starts_with("/api/audit")
}

/// What to use instead, for each address.
fn successor(path: &str) -> &'static str {
    match path {
        "/audit/logs/{id}" => "</v1/events/{eventId}>; rel=\"successor-version\"",
        "/api/audit/entity/{type}/{id}" => "</v1/aggregates/{type}/{id}/events>; rel=\"successor-version\"",
        _ => "</v1/events>; rel=\"successor-version\"",
    }
}

/// Says on every answer of an older address, refusals too, that there is a newer one.
async fn deprecate(request: Request, next: Next) -> Response {
    let link = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let link = successor(link);
    let mut response = next.run(request).await;
    response.headers_mut().insert(DEPRECATION, DEPRECATED_SINCE);
    response.headers_mut().append(header::LINK, HeaderValue::from_static(link));
    response
}
