//! An event as document 001 shows it (B03 to B05, B10, B11).

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;
use shared::{
    timestamp::Timestamp,
    view::EventView,
    vocabulary::{AuditRecord, Outcome},
};
use utoipa::ToSchema;
use uuid::Uuid;

/// An audit log of document 001.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditLog)]
pub(in crate::endpoints::older) struct AuditLog {
    id: Uuid,
    #[schema(example = "USER_UPDATED")]
    event_type: String,
    #[schema(required = true)]
    user_id: Option<String>,
    /// The aggregate's type.
    resource_type: String,
    /// The aggregate's id.
    resource_id: String,
    /// CREATE, READ, UPDATE, DELETE, LOGIN, LOGOUT, ACCESS_DENIED, or the producer's own word.
    #[schema(required = true)]
    action: Option<String>,
    #[schema(value_type = Option<std::collections::HashMap<String, serde_json::Value>>, required = true)]
    old_values: Option<Box<RawValue>>,
    #[schema(value_type = Option<std::collections::HashMap<String, serde_json::Value>>, required = true)]
    new_values: Option<Box<RawValue>>,
    #[schema(required = true)]
    ip_address: Option<String>,
    /// success or failure; what says nothing of it has happened.
    status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// An audit log of document 001 in full.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditLogDetails)]
pub(crate) struct AuditLogDetails {
    #[serde(flatten)]
    log: AuditLog,
    #[schema(required = true)]
    user_agent: Option<String>,
    #[schema(required = true)]
    error_message: Option<String>,
    /// What else is known, under the names of docs/vocabulary.md.
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    metadata: Box<RawValue>,
    /// What the event said, as it came.
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    payload: Box<RawValue>,
}

/// JSON text that was taken from JSON.
pub(in crate::endpoints::older) fn raw(text: Option<String>) -> Option<Box<RawValue>> {
    text.and_then(|text| RawValue::from_string(text).ok())
}

impl AuditLog {
    /// The event in this shape.
    pub(in crate::endpoints::older) fn of(event: &EventView<'_>) -> Self {
        Self::from_record(event, AuditRecord::of(event))
    }

    fn from_record(event: &EventView<'_>, record: AuditRecord) -> Self {
        Self {
            id: event.event_id,
            event_type: event.event_type.to_owned(),
            user_id: record.user_id,
            resource_type: event.aggregate_type.to_owned(),
            resource_id: event.aggregate_id.to_owned(),
            action: record.action,
            old_values: raw(record.old_values),
            new_values: raw(record.new_values),
            ip_address: record.ip_address,
            status: record.outcome.unwrap_or(Outcome::Success).as_str(),
            timestamp: event.timestamp,
        }
    }
}

impl AuditLogDetails {
    /// The columns of an export; [`AuditLogDetails::cells`] are in this order.
    pub(crate) const COLUMNS: [&str; 15] = [
        "id",
        "eventType",
        "userId",
        "resourceType",
        "resourceId",
        "action",
        "oldValues",
        "newValues",
        "ipAddress",
        "userAgent",
        "status",
        "errorMessage",
        "timestamp",
        "metadata",
        "payload",
    ];

    /// A line of an export; what is absent is empty, JSON is its text.
    pub(crate) fn cells(&self) -> [Cow<'_, str>; 15] {
        let log = &self.log;
        [
            log.id.to_string().into(),
            Cow::from(&log.event_type),
            text(log.user_id.as_ref()),
            Cow::from(&log.resource_type),
            Cow::from(&log.resource_id),
            text(log.action.as_ref()),
            json(log.old_values.as_deref()),
            json(log.new_values.as_deref()),
            text(log.ip_address.as_ref()),
            text(self.user_agent.as_ref()),
            log.status.into(),
            text(self.error_message.as_ref()),
            log.timestamp.to_string().into(),
            self.metadata.get().into(),
            self.payload.get().into(),
        ]
    }

    /// The event in this shape; `None` when what is stored is no JSON.
    pub(crate) fn of(event: &EventView<'_>) -> Option<Self> {
        let mut record = AuditRecord::of(event);
        Some(Self {
            user_agent: record.user_agent.take(),
            error_message: record.error_message.take(),
            log: AuditLog::from_record(event, record),
            metadata: raw(Some(event.metadata.to_owned()))?,
            payload: raw(Some(event.payload.to_owned()))?,
        })
    }
}

fn text(value: Option<&String>) -> Cow<'_, str> {
    Cow::from(value.map_or("", String::as_str))
}

fn json(value: Option<&RawValue>) -> Cow<'_, str> {
    Cow::from(value.map_or("", RawValue::get))
}
