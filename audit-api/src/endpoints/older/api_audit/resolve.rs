//! `PUT /api/audit/security/{id}/resolve` (E26): rows never change, so a resolution is an event of its own (F08).

use std::sync::Arc;

use axum::{body::Body, extract::State, http::Response};
use serde::Deserialize;
use shared::vocabulary::{self, Resolution};
use utoipa::ToSchema;

use super::super::{body, paging::json};
use super::{record::facts, security::SecurityEvent, stored::store};
use crate::{
    endpoints::{Asked, events::find},
    measure,
    request::{Media, negotiate, path::Segments},
    respond::Problem,
    state::Api,
    submit::new_id,
};

/// The largest request.
const MOST_BYTES: usize = 64 * 1024;

/// How a security event was settled.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct NewResolution {
    /// What was found and done.
    resolution_notes: Option<String>,
}

/// Settle a security event (document 004)
///
/// Appends an event that says so; the last one holds. It needs the right to see the security event and to write.
#[utoipa::path(
    put, path = "/api/audit/security/{id}/resolve", operation_id = "resolveSecurityEvent", tag = "Older addresses",
    params(("id" = uuid::Uuid, Path, description = "The security event.")),
    request_body(content = NewResolution, content_type = "application/json"),
    responses((status = 200, description = "The security event, settled.", body = SecurityEvent, content_type = "application/json"))
)]
pub(crate) async fn resolve(
    State(api): State<Arc<Api>>,
    asked: Asked,
    Segments(id): Segments<String>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, parameters, .. } = asked;
    let scope = caller.events()?;
    caller.writes()?;
    parameters.finish()?;
    negotiate(&headers, &[Media::Json])?;
    let id = find::parse("id", &id)?;
    let bytes = body::receive(&headers, body, MOST_BYTES, api.settings.body_timeout).await?;
    let given: NewResolution = body::parse(&bytes)?;
    let found = measure::query("find", api.reader.find_event(&scope, id)).await?;
    let found = found.as_ref().and_then(|row| vocabulary::security_event(&facts(row)));
    let event = found.ok_or_else(|| Problem::not_found("security event of this id"))?;
    let resolution = Resolution {
        security_event_id: id,
        organization_id: event.organization_id.clone(),
        resolved_at: api.clock.now(),
        notes: given.resolution_notes,
        resolved_by: Some(caller.subject.clone()),
    };
    let envelope = vocabulary::resolution(&resolution, new_id());
    store(&api, &caller, envelope).await?;
    Ok(json(&SecurityEvent::of(event, Some(resolution)), 1))
}
