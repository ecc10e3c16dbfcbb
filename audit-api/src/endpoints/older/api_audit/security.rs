//! `GET /api/audit/security` and `/unresolved` (E24, E25).

use axum::{body::Body, http::Response};
use serde::Serialize;
use shared::{
    filter::Pattern,
    timestamp::Timestamp,
    vocabulary::{self, Level, Resolution, Severity},
};
use store::reader::{SecurityEventFilter, Settlement};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::{
    names::OF_004,
    paging::{Paged, Paging, PagingParameters},
    projected::security_events,
};
use super::shape::as_string;
use crate::{
    endpoints::{Asked, Serving},
    request::{Media, Parameters, negotiate},
    respond::Problem,
    state::Api,
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct SecurityParameters {
    /// What happened; `*` is any run of characters.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    r#type: Option<Vec<String>>,
    /// The user concerned.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    user_id: Option<Vec<String>>,
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

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct LevelParameters {
    /// Info, Warning (document 001's medium and high) or Critical.
    #[param(inline)]
    severity: Option<LevelWord>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
enum LevelWord {
    Info,
    Warning,
    Critical,
}

/// A security event of document 004.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecurityEventOf004)]
pub(in crate::endpoints::older) struct SecurityEvent {
    id: Uuid,
    #[schema(example = "LoginFailed")]
    r#type: String,
    /// Info, Warning or Critical.
    severity: &'static str,
    #[schema(required = true)]
    user_id: Option<String>,
    #[schema(required = true)]
    username: Option<String>,
    #[schema(required = true)]
    email: Option<String>,
    #[schema(required = true)]
    description: Option<String>,
    /// JSON of more.
    #[schema(required = true)]
    details: Option<String>,
    #[schema(required = true)]
    ip_address: Option<String>,
    #[schema(required = true)]
    location: Option<String>,
    #[schema(required = true)]
    device: Option<String>,
    #[schema(required = true)]
    user_agent: Option<String>,
    requires_action: bool,
    is_resolved: bool,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    resolved_at: Option<Timestamp>,
    #[schema(required = true)]
    resolution_notes: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

impl SecurityEvent {
    /// A security event and what became of it.
    pub(in crate::endpoints::older) fn of(
        event: vocabulary::SecurityEvent,
        resolution: Option<Resolution>,
    ) -> Self {
        Self {
            id: event.id,
            r#type: event.event_type,
            severity: event.severity.level().as_str(),
            user_id: event.user_id,
            username: event.username,
            email: event.email,
            description: event.description,
            details: event.details.map(as_string),
            ip_address: event.ip_address,
            location: event.location,
            device: event.device,
            user_agent: event.user_agent,
            requires_action: event.requires_action,
            is_resolved: resolution.is_some(),
            resolved_at: resolution.as_ref().map(|resolution| resolution.resolved_at),
            resolution_notes: resolution.and_then(|resolution| resolution.notes),
            timestamp: event.timestamp,
        }
    }
}

fn filter(parameters: &mut Parameters) -> Result<SecurityEventFilter, Problem> {
    let (from, to) = parameters.range(OF_004.from, OF_004.to)?;
    Ok(SecurityEventFilter {
        from,
        to,
        event_type: parameters.many("type")?.iter().map(|text| Pattern::parse(text)).collect(),
        user_id: parameters.many(OF_004.user)?,
        organization_id: parameters.many_or_empty(OF_004.organization),
        ..SecurityEventFilter::default()
    })
}

async fn answer(
    api: &Api,
    asked: Asked,
    read: impl FnOnce(&mut Parameters) -> Result<SecurityEventFilter, Problem> + Send,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let filter = read(&mut parameters)?;
    let paging = Paging::read(&mut parameters, &OF_004)?;
    parameters.finish()?;
    let (rows, total) = security_events(api, &scope, filter, paging).await?;
    Ok(paging
        .answer(rows.into_iter().map(|row| SecurityEvent::of(row.event, row.resolution)).collect(), total))
}

/// Security events (document 004)
///
/// What a projection has seen so far: an event that was stored a moment ago may be a moment late here.
#[utoipa::path(
    get, path = "/api/audit/security", operation_id = "listSecurityEventsOf004", tag = "Older addresses",
    params(LevelParameters, SecurityParameters, PagingParameters),
    responses((status = 200, description = "The security events, newest first.", body = inline(Paged<SecurityEvent>), content_type = "application/json"))
)]
pub(crate) async fn list(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    answer(&api, asked, |parameters| {
        let level = parameters.word("severity", &Level::ALL.map(|level| (level.as_str(), level)))?;
        let severity = level.map(|level| level.severities().to_vec()).unwrap_or_default();
        Ok(SecurityEventFilter { severity, ..filter(parameters)? })
    })
    .await
}

/// Critical security events that nobody has settled (document 004)
#[utoipa::path(
    get, path = "/api/audit/security/unresolved", operation_id = "unresolvedSecurityEvents", tag = "Older addresses",
    params(SecurityParameters, PagingParameters),
    responses((status = 200, description = "The security events, newest first.", body = inline(Paged<SecurityEvent>), content_type = "application/json"))
)]
pub(crate) async fn unresolved(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    answer(&api, asked, |parameters| {
        let (severity, settlement) = (vec![Severity::Critical], Some(Settlement::Open));
        Ok(SecurityEventFilter { severity, settlement, ..filter(parameters)? })
    })
    .await
}
