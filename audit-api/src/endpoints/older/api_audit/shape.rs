//! An event as document 004 shows it (E03 to E09).

use serde::Serialize;
use shared::{
    timestamp::Timestamp,
    view::EventView,
    vocabulary::{AuditRecord, Outcome},
};
use utoipa::ToSchema;
use uuid::Uuid;

/// An audit log of document 004.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditLogOf004)]
pub(in crate::endpoints::older) struct AuditLog {
    id: Uuid,
    /// Create, Update, Delete, Login, Logout, AccessDenied; Read, or the event's own type, for what that list has no word for.
    #[schema(example = "Update")]
    event_type: String,
    #[schema(example = "Vehicle.PriceChanged")]
    action: String,
    #[schema(required = true)]
    description: Option<String>,
    #[schema(required = true)]
    user_id: Option<String>,
    #[schema(required = true)]
    user_name: Option<String>,
    #[schema(required = true)]
    user_email: Option<String>,
    /// The aggregate's type.
    entity_type: String,
    /// The aggregate's id.
    entity_id: String,
    #[schema(required = true)]
    entity_identifier: Option<String>,
    /// JSON of the state before.
    #[schema(required = true, example = "{\"price\": 15000}")]
    old_value: Option<String>,
    /// JSON of the state after.
    #[schema(required = true, example = "{\"price\": 14500}")]
    new_value: Option<String>,
    #[schema(required = true)]
    ip_address: Option<String>,
    #[schema(required = true)]
    user_agent: Option<String>,
    #[schema(required = true)]
    request_path: Option<String>,
    #[schema(required = true)]
    http_method: Option<String>,
    success: bool,
    #[schema(required = true)]
    error_message: Option<String>,
    #[schema(required = true)]
    http_status_code: Option<u16>,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    #[schema(required = true)]
    service_name: Option<String>,
    #[schema(required = true)]
    trace_id: Option<String>,
}

impl AuditLog {
    /// The event in this shape.
    pub(in crate::endpoints::older) fn of(event: &EventView<'_>) -> Self {
        let record = AuditRecord::of(event);
        Self {
            id: event.event_id,
            event_type: record.kind,
            action: record.happened,
            description: record.description,
            user_id: record.user_id,
            user_name: record.user_name,
            user_email: record.user_email,
            entity_type: event.aggregate_type.to_owned(),
            entity_id: event.aggregate_id.to_owned(),
            entity_identifier: record.entity_identifier,
            old_value: record.old_values.map(as_string),
            new_value: record.new_values.map(as_string),
            ip_address: record.ip_address,
            user_agent: record.user_agent,
            request_path: record.request_path,
            http_method: record.http_method,
            success: record.outcome != Some(Outcome::Failure),
            error_message: record.error_message,
            http_status_code: record.http_status_code,
            timestamp: event.timestamp,
            service_name: record.service_name,
            trace_id: record.trace_id,
        }
    }
}

/// Document 004 keeps JSON in strings: a JSON string is its text, anything else its JSON.
pub(in crate::endpoints::older) fn as_string(json: String) -> String {
    serde_json::from_str::<String>(&json).unwrap_or(json)
}
