//! Security events (B07, E10 to E13) and their resolution (E26), read from stored events of any vocabulary.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::facts::{Facts, Words};
use super::fields::Fields;
use super::words::{Action, Category, Outcome, Severity};
use super::{RESOLVED_TYPE, SECURITY_AGGREGATE};
use crate::envelope::Envelope;
use crate::json::push_string;
use crate::timestamp::Timestamp;

/// A security event, in the union of the two documents' members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityEvent {
    /// The event's id.
    pub id: Uuid,
    /// Its organisation; `""` = none.
    pub organization_id: String,
    /// What happened: 001's `eventType`, 004's `Type`.
    pub event_type: String,
    /// How grave it is, on the scale of four; [`Severity::level`] gives the scale of three.
    pub severity: Severity,
    /// The user concerned.
    pub user_id: Option<String>,
    /// The user's name, where the message says it.
    pub username: Option<String>,
    /// The user's address.
    pub email: Option<String>,
    /// What happened, in words.
    pub description: Option<String>,
    /// More, as JSON text.
    pub details: Option<String>,
    /// Where from.
    pub ip_address: Option<String>,
    /// Where that is, roughly.
    pub location: Option<String>,
    /// On what.
    pub device: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// Whether somebody must act: as the message says, else what is critical.
    pub requires_action: bool,
    /// When it happened.
    pub timestamp: Timestamp,
}

/// That a security event is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// Which one.
    pub security_event_id: Uuid,
    /// The organisation of the event that says so; it settles only a security event of the same.
    pub organization_id: String,
    /// When it was settled.
    pub resolved_at: Timestamp,
    /// What was found and done.
    pub notes: Option<String>,
    /// By whom.
    pub resolved_by: Option<String>,
}

/// What an event is as a security event; `None` when it is none.
///
/// It is one when its metadata hold a valid `category` and a valid `severity`, of either scale, or when the table grades its
/// type. Resolutions and data accesses are none.
pub fn security_event(event: &Facts<'_>) -> Option<SecurityEvent> {
    let words = Words::of(event);
    let severity = words.severity?;
    if event.event_type == RESOLVED_TYPE || words.category == Some(Category::DataAccess) {
        return None;
    }
    let fields = Fields::of(event.payload);
    let metadata = Fields::of(event.metadata);
    let text = |names: &[&str]| fields.text_if_any(names);
    Some(SecurityEvent {
        id: event.event_id,
        organization_id: event.organization_id.to_owned(),
        event_type: event.event_type.to_owned(),
        severity,
        user_id: (!event.user_id.is_empty()).then(|| event.user_id.to_owned()),
        username: text(&["username"]),
        email: text(&["email", "useremail"]),
        description: text(&["description"]),
        details: fields.json(&["details"]),
        ip_address: metadata.text_if_any(&["ipaddress"]).or_else(|| text(&["ipaddress"])),
        location: text(&["location"]),
        device: text(&["device"]),
        user_agent: metadata.text_if_any(&["useragent"]).or_else(|| text(&["useragent"])),
        requires_action: fields.boolean(&["requiresaction"]).unwrap_or(severity == Severity::Critical),
        timestamp: event.timestamp,
    })
}

/// What an event settles: one of [`RESOLVED_TYPE`], or a security event that came resolved.
pub fn security_resolution(event: &Facts<'_>) -> Option<Resolution> {
    let own = event.event_type == RESOLVED_TYPE && event.aggregate_type == SECURITY_AGGREGATE;
    if !own && Words::of(event).severity.is_none() {
        return None;
    }
    let fields = Fields::of(event.payload);
    let came_resolved = || fields.boolean(&["isresolved"]) == Some(true) && security_event(event).is_some();
    if !(own || came_resolved()) {
        return None;
    }
    let security_event_id = if own { Uuid::try_parse(event.aggregate_id).ok()? } else { event.event_id };
    let stated = fields.text_if_any(&["resolvedat"]).and_then(|time| Timestamp::parse(&time).ok());
    let user = (own && !event.user_id.is_empty()).then(|| event.user_id.to_owned());
    Some(Resolution {
        security_event_id,
        organization_id: event.organization_id.to_owned(),
        resolved_at: stated.unwrap_or(event.timestamp),
        notes: fields.text_if_any(&["resolutionnotes"]),
        resolved_by: user.or_else(|| fields.text_if_any(&["resolvedby"])),
    })
}

/// The event that `PUT /api/audit/security/{id}/resolve` appends: rows never change (F08).
pub fn resolution(resolution: &Resolution, event_id: Uuid) -> Envelope {
    let mut payload = br#"{"securityEventId":""#.to_vec();
    payload.extend_from_slice(resolution.security_event_id.to_string().as_bytes());
    payload.extend_from_slice(br#"","isResolved":true,"resolvedAt":""#);
    resolution.resolved_at.write_to(&mut payload);
    payload.push(b'"');
    for (name, value) in [("resolutionNotes", &resolution.notes), ("resolvedBy", &resolution.resolved_by)] {
        if let Some(value) = value {
            payload.push(b',');
            push_string(&mut payload, name);
            payload.push(b':');
            push_string(&mut payload, value);
        }
    }
    payload.push(b'}');
    let id = resolution.security_event_id.to_string();
    let metadata = [
        ("action", Some(Action::Update.as_str())),
        ("category", Some(Category::Security.as_str())),
        ("outcome", Some(Outcome::Success.as_str())),
        ("causationId", Some(id.as_str())),
        // Empty too: it settles an event of no organisation, whoever's token it comes with.
        ("organizationId", Some(resolution.organization_id.as_str())),
        ("userId", resolution.resolved_by.as_deref()),
    ];
    let metadata: BTreeMap<String, String> =
        metadata.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned()))).collect();
    Envelope {
        event_id: event_id.to_string(),
        event_type: RESOLVED_TYPE.to_owned(),
        aggregate_type: SECURITY_AGGREGATE.to_owned(),
        aggregate_id: id,
        timestamp: resolution.resolved_at,
        version: 0,
        payload: String::from_utf8(payload).expect("made of strings and ASCII"),
        metadata,
    }
}
