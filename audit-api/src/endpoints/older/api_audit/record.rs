//! `POST /api/audit`, `/security` and `/data-access` (E18, E23, E27): a record in document 004's words becomes an event.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde::Serialize;
use shared::{
    problem::ProblemType,
    scope::Scope,
    vocabulary::{self, Facts, OlderRecord, RecordKind, Unmappable, map_record},
};
use store::WholeRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::{body, paging::json};
use super::{data_access::DataAccess, security::SecurityEvent, shape::AuditLog, stored::store};
use crate::{
    auth::{Caller, Writes},
    endpoints::Asked,
    measure,
    request::{Media, negotiate},
    respond::Problem,
    state::Api,
    submit::new_id,
};

/// An audit log to record: members of document 004, `eventType` or a dotted `action`, and what it happened to.
#[derive(ToSchema)]
#[schema(as = NewAuditLog, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub(super) struct NewAuditLog {
    #[schema(example = "Update", required = false, nullable = false)]
    event_type: Option<String>,
    #[schema(example = "Vehicle.PriceChanged", required = false, nullable = false)]
    action: Option<String>,
    #[schema(required = false, nullable = false)]
    user_id: Option<String>,
    #[schema(example = "Vehicle", required = false, nullable = false)]
    entity_type: Option<String>,
    #[schema(required = false, nullable = false)]
    entity_id: Option<String>,
    #[schema(example = "{\"price\": 15000}", required = false, nullable = false)]
    old_value: Option<String>,
    #[schema(example = "{\"price\": 14500}", required = false, nullable = false)]
    new_value: Option<String>,
    #[schema(required = false, nullable = false)]
    ip_address: Option<String>,
    #[schema(example = "VehiclesSaleService", required = false, nullable = false)]
    service_name: Option<String>,
}

/// A security event to record.
#[derive(ToSchema)]
#[schema(as = NewSecurityEvent, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub(super) struct NewSecurityEvent {
    #[schema(example = "LoginFailed")]
    r#type: String,
    /// Info, Warning or Critical; document 001's words too.
    #[schema(example = "Warning")]
    severity: String,
    #[schema(required = false, nullable = false)]
    user_id: Option<String>,
    #[schema(required = false, nullable = false)]
    description: Option<String>,
    #[schema(required = false, nullable = false)]
    ip_address: Option<String>,
    #[schema(required = false, nullable = false)]
    requires_action: Option<bool>,
}

/// A data access to record.
#[derive(ToSchema)]
#[schema(as = NewDataAccess, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub(super) struct NewDataAccess {
    accessor_user_id: String,
    subject_user_id: String,
    #[schema(example = "PersonalInfo")]
    data_type: String,
    #[schema(example = "CustomerSupport")]
    purpose: String,
    #[schema(example = json!(["email", "phone"]), required = false, nullable = false)]
    fields_accessed: Option<Vec<String>>,
}

/// A record that no event can be made of.
fn unmappable(unmappable: Unmappable) -> Problem {
    let detail = format!("the record cannot be kept ({}): {}", unmappable.reason, unmappable.remedy);
    Problem::in_body(ProblemType::InvalidEvents, detail, [(unmappable.pointer, unmappable.remedy)])
}

/// What a caller who has just written an event may read of it: its own.
pub(super) fn own_scope(caller: &Caller) -> Result<Scope, Problem> {
    Ok(match caller.writes()? {
        Writes::Anywhere(_) => Scope::All,
        Writes::Own(organization) => Scope::Organization(organization),
    })
}

/// Takes the record, waits until it is stored and shows it in its document's shape.
async fn record<T: Serialize>(
    api: &Api,
    asked: Asked,
    body: Body,
    kind: RecordKind,
    shape: fn(&WholeRow) -> Option<T>,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, parameters, .. } = asked;
    let scope = own_scope(&caller)?;
    parameters.finish()?;
    negotiate(&headers, &[Media::Json])?;
    let bytes = body::receive(&headers, body, api.settings.max_body_bytes, api.settings.body_timeout).await?;
    let record = OlderRecord { kind, received_at: api.clock.now(), body: &bytes };
    let envelope = map_record(&record, new_id).map_err(unmappable)?;
    let id = store(api, &caller, envelope).await?;
    let stored = measure::query("find", api.reader.find_event(&scope, id)).await?;
    let stored = stored.ok_or_else(Problem::internal)?;
    created(json(&shape(&stored).ok_or_else(Problem::internal)?, 1), id)
}

/// 201, and where the event is.
pub(super) fn created(mut response: Response<Body>, id: Uuid) -> Result<Response<Body>, Problem> {
    *response.status_mut() = StatusCode::CREATED;
    let location = HeaderValue::try_from(format!("/v1/events/{id}")).map_err(|_| Problem::internal())?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// What the vocabulary needs of a stored event.
pub(super) fn facts(row: &WholeRow) -> Facts<'_> {
    Facts {
        event_id: row.event_id(),
        organization_id: row.organization_id(),
        event_type: row.event_type(),
        aggregate_type: row.aggregate_type(),
        aggregate_id: row.aggregate_id(),
        timestamp: row.timestamp(),
        user_id: row.user_id(),
        payload: row.payload(),
        metadata: row.metadata(),
    }
}

/// Record an audit log (document 004)
///
/// The record becomes an event and is kept whole; docs/vocabulary.md says how its words map. The answer comes when it is
/// stored. A record with an `eventId` of its own is stored once, however often it is sent.
#[utoipa::path(
    post, path = "/api/audit", operation_id = "recordAuditLog", tag = "Older addresses",
    request_body(content = NewAuditLog, content_type = "application/json"),
    responses((status = 201, description = "The stored record.", body = AuditLog, content_type = "application/json",
        headers(("Location" = String, description = "The event."))))
)]
pub(crate) async fn audit_log(
    State(api): State<Arc<Api>>,
    asked: Asked,
    body: Body,
) -> Result<Response<Body>, Problem> {
    record(&api, asked, body, RecordKind::AuditLog, |row| Some(AuditLog::of(&row.view()))).await
}

/// Record a security event (document 004)
#[utoipa::path(
    post, path = "/api/audit/security", operation_id = "recordSecurityEvent", tag = "Older addresses",
    request_body(content = NewSecurityEvent, content_type = "application/json"),
    responses((status = 201, description = "The stored record.", body = SecurityEvent, content_type = "application/json",
        headers(("Location" = String, description = "The event."))))
)]
pub(crate) async fn security_event(
    State(api): State<Arc<Api>>,
    asked: Asked,
    body: Body,
) -> Result<Response<Body>, Problem> {
    record(&api, asked, body, RecordKind::SecurityEvent, |row| {
        let facts = facts(row);
        let event = vocabulary::security_event(&facts)?;
        Some(SecurityEvent::of(event, vocabulary::security_resolution(&facts)))
    })
    .await
}

/// Record a data access (document 004)
#[utoipa::path(
    post, path = "/api/audit/data-access", operation_id = "recordDataAccess", tag = "Older addresses",
    request_body(content = NewDataAccess, content_type = "application/json"),
    responses((status = 201, description = "The stored record.", body = DataAccess, content_type = "application/json",
        headers(("Location" = String, description = "The event."))))
)]
pub(crate) async fn data_access(
    State(api): State<Arc<Api>>,
    asked: Asked,
    body: Body,
) -> Result<Response<Body>, Problem> {
    record(&api, asked, body, RecordKind::DataAccess, |row| {
        vocabulary::data_access(&facts(row)).map(DataAccess::from)
    })
    .await
}
