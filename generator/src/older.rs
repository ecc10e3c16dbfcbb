//! The same events as the older services would publish them to RabbitMQ, in their three vocabularies.
//!
//! Logins and exports in document 001's (exchange `events`, `auth.*` and `user.*`), data accesses in AuditFlow's
//! (document 002: exchange `audit.flow`, `audit.event.*`, with the record of document 004), what is made, changed and
//! deleted in document 004's. The message id is the event's id, so that a message that comes twice is one event.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shared::{
    envelope::Envelope,
    vocabulary::{Action, lookup},
};

/// A message for RabbitMQ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OlderMessage {
    /// The exchange.
    pub exchange: &'static str,
    /// The routing key.
    pub routing_key: String,
    /// The message id.
    pub message_id: String,
    /// The time in seconds since 1970, as AMQP has it.
    pub timestamp: u64,
    /// JSON.
    pub body: String,
}

const EVENTS: &str = "events";
const AUDIT_FLOW: &str = "audit.flow";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Of001<'a> {
    event_type: &'a str,
    user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<&'a str>,
    ip_address: &'a str,
    organization_id: &'a str,
    timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Access<'a> {
    accessor_user_id: &'a str,
    #[serde(flatten)]
    what: AccessedData<'a>,
    accessed_at: String,
    ip_address: &'a str,
    service_name: &'a str,
    organization_id: &'a str,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessedData<'a> {
    subject_user_id: &'a str,
    data_type: &'a str,
    fields_accessed: Vec<&'a str>,
    purpose: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Of004<'a> {
    event_type: &'a str,
    action: &'a str,
    user_id: &'a str,
    entity_type: &'a str,
    entity_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_value: Option<String>,
    ip_address: &'a str,
    service_name: &'a str,
    organization_id: &'a str,
    timestamp: String,
}

/// What the payloads of made and changed things hold, in the bytes they came in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Values<'a> {
    #[serde(borrow)]
    new_values: Option<&'a RawValue>,
    #[serde(borrow, default)]
    changes: BTreeMap<&'a str, Pair<'a>>,
}

#[derive(Deserialize)]
struct Pair<'a> {
    #[serde(borrow)]
    old: &'a RawValue,
    #[serde(borrow)]
    new: &'a RawValue,
}

/// The message of an event that a [`World`](crate::World) has made.
pub fn message(event: &Envelope) -> Result<OlderMessage, serde_json::Error> {
    let (exchange, routing_key, body) = match event.event_type.as_str() {
        "DataAccess" => (AUDIT_FLOW, "audit.event.data_access".to_owned(), access(event)?),
        "DATA_EXPORT" => (EVENTS, "user.data_export".to_owned(), of_001(event, true)?),
        name @ ("LOGIN_SUCCESS" | "LOGIN_FAILED" | "LOGOUT") => {
            (EVENTS, format!("auth.{}", name.to_lowercase()), of_001(event, false)?)
        }
        name => (EVENTS, name.to_owned(), of_004(event)?),
    };
    let timestamp = u64::try_from(event.timestamp.as_micros() / 1_000_000).unwrap_or(0);
    Ok(OlderMessage { exchange, routing_key, message_id: event.event_id.clone(), timestamp, body })
}

fn of<'a>(event: &'a Envelope, key: &str) -> &'a str {
    event.metadata.get(key).map_or("", String::as_str)
}

fn of_001(event: &Envelope, about_a_resource: bool) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Of001 {
        event_type: &event.event_type,
        user_id: of(event, "userId"),
        resource_type: about_a_resource.then_some(&event.aggregate_type),
        resource_id: about_a_resource.then_some(&event.aggregate_id),
        ip_address: of(event, "ipAddress"),
        organization_id: of(event, "organizationId"),
        timestamp: event.timestamp.to_string(),
    })
}

fn access(event: &Envelope) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Access {
        accessor_user_id: of(event, "userId"),
        what: serde_json::from_str(&event.payload)?,
        accessed_at: event.timestamp.to_string(),
        ip_address: of(event, "ipAddress"),
        service_name: of(event, "source"),
        organization_id: of(event, "organizationId"),
    })
}

/// One side of all changes as a JSON object; `None` when nothing changed.
fn side<'a>(
    values: &Values<'a>,
    pick: fn(&Pair<'a>) -> &'a RawValue,
) -> Result<Option<String>, serde_json::Error> {
    let fields: BTreeMap<_, _> = values.changes.iter().map(|(name, pair)| (name, pick(pair))).collect();
    if fields.is_empty() { Ok(None) } else { serde_json::to_string(&fields).map(Some) }
}

fn of_004(event: &Envelope) -> Result<String, serde_json::Error> {
    let values: Values<'_> = serde_json::from_str(&event.payload)?;
    let new_value = match values.new_values {
        Some(values) => Some(values.get().to_owned()),
        None => side(&values, |pair| pair.new)?,
    };
    let kind = lookup(&event.event_type).and_then(|name| name.action).unwrap_or(Action::Update);
    serde_json::to_string(&Of004 {
        event_type: kind.in_004(),
        action: &event.event_type,
        user_id: of(event, "userId"),
        entity_type: &event.aggregate_type,
        entity_id: &event.aggregate_id,
        old_value: side(&values, |pair| pair.old)?,
        new_value,
        ip_address: of(event, "ipAddress"),
        service_name: of(event, "source"),
        organization_id: of(event, "organizationId"),
        timestamp: event.timestamp.to_string(),
    })
}
