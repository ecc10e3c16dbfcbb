//! The older services' addresses (documents 000, 001 and 004) over the same data: each in its document's own shape, with
//! the same authentication, scope, guards and limits as `/v1`, and marked as deprecated (RFC 9745).

mod api_audit;
mod audit;
mod listing;
mod logs;
mod names;
mod paging;
mod projected;

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, header},
    middleware::{self, Next},
    response::Response,
};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use audit::shape::AuditLogDetails;

use super::body;
use crate::state::Api;

/// When the successors came: 2026-11-21T00:00:00Z, as a structured field's date.
const DEPRECATED_SINCE: HeaderValue = HeaderValue::from_static("@1795219200");
/// Part of an export, and no address that anybody knew before.
pub(crate) const DOWNLOAD: &str = "/audit/exports/{name}";
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");

/// Every older address.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(logs::logs))
        .routes(routes!(audit::logs::list))
        .routes(routes!(audit::logs::find))
        .routes(routes!(audit::report::report))
        .routes(routes!(audit::export::export))
        .routes(routes!(audit::security_events::list))
        .routes(routes!(api_audit::logs::list, api_audit::record::audit_log))
        .routes(routes!(api_audit::logs::of_entity))
        .routes(routes!(api_audit::logs::of_user))
        .routes(routes!(api_audit::logs::search))
        .routes(routes!(api_audit::security::list, api_audit::record::security_event))
        .routes(routes!(api_audit::security::unresolved))
        .routes(routes!(api_audit::resolve::resolve))
        .routes(routes!(api_audit::record::data_access))
        .routes(routes!(api_audit::data_access::of_subject))
        .routes(routes!(api_audit::data_access::by_accessor))
        .routes(routes!(api_audit::compliance::gdpr))
        .routes(routes!(api_audit::compliance::retention))
        .route_layer(middleware::from_fn(deprecate))
}

/// What a signed link gives, without a token.
pub(super) fn signed() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(audit::download::download))
}

/// Whether a path of the OpenAPI document is one of these.
pub(crate) fn is_older(path: &str) -> bool {
    let older = path == "/logs" || path.starts_with("/audit/") || path.starts_with("/api/audit");
    older && path != DOWNLOAD
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
