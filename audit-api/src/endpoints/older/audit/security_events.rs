//! `GET /audit/security-events` (B12).

use axum::{body::Body, http::Response};
use serde::Serialize;
use shared::{timestamp::Timestamp, vocabulary::Severity};
use store::reader::{SecurityEventFilter, SecurityEventRow};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::{
    names::OF_001,
    paging::{Paging, PagingParameters, json},
    projected::security_events,
};
use crate::{
    endpoints::{Asked, Serving},
    request::{Media, negotiate},
    respond::Problem,
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct SecurityParameters {
    /// low, medium, high or critical.
    #[param(inline)]
    severity: Option<SeverityWord>,
    /// Event time, inclusive (RFC 3339).
    #[param(format = DateTime)]
    start_date: Option<String>,
    /// Event time, exclusive.
    #[param(format = DateTime)]
    end_date: Option<String>,
    /// Whose it is; it narrows what you may see and never widens it.
    #[param(style = Form, explode, max_length = 2048)]
    organization_id: Option<Vec<String>>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
enum SeverityWord {
    Low,
    Medium,
    High,
    Critical,
}

/// A page of security events of document 001.
#[derive(Serialize, ToSchema)]
pub(super) struct SecurityEvents {
    data: Vec<SecurityEvent>,
    /// How many there are; 10001 = more than 10,000.
    total: u64,
}

/// A security event of document 001.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecurityEvent)]
pub(super) struct SecurityEvent {
    id: Uuid,
    #[schema(example = "LOGIN_FAILED")]
    event_type: String,
    #[schema(required = true)]
    user_id: Option<String>,
    /// low, medium, high or critical.
    severity: &'static str,
    #[schema(required = true)]
    description: Option<String>,
    #[schema(required = true)]
    ip_address: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

impl From<SecurityEventRow> for SecurityEvent {
    fn from(row: SecurityEventRow) -> Self {
        let event = row.event;
        Self {
            id: event.id,
            event_type: event.event_type,
            user_id: event.user_id,
            severity: event.severity.as_str(),
            description: event.description,
            ip_address: event.ip_address,
            timestamp: event.timestamp,
        }
    }
}

/// Security events (document 001)
///
/// What a projection has seen so far: an event that was stored a moment ago may be a moment late here.
#[utoipa::path(
    get, path = "/audit/security-events", operation_id = "listSecurityEvents", tag = "Older addresses",
    params(SecurityParameters, PagingParameters),
    responses((status = 200, description = "The security events, newest first.", body = SecurityEvents, content_type = "application/json"))
)]
pub(crate) async fn list(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let severity =
        parameters.word("severity", &Severity::ALL.map(|severity| (severity.as_str(), severity)))?;
    let (from, to) = parameters.range(OF_001.from, OF_001.to)?;
    let organization_id = parameters.many_or_empty(OF_001.organization);
    let paging = Paging::read(&mut parameters, &OF_001)?;
    parameters.finish()?;
    let severity = severity.into_iter().collect();
    let filter =
        SecurityEventFilter { from, to, severity, organization_id, ..SecurityEventFilter::default() };
    let (rows, total) = security_events(&api, &scope, filter, paging).await?;
    let data: Vec<_> = rows.into_iter().map(SecurityEvent::from).collect();
    let count = data.len();
    Ok(json(&SecurityEvents { data, total }, count))
}
