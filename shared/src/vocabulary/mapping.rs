//! From an older message to the canonical envelope (semantics.md 13).

use uuid::Uuid;

use super::event_type::{self, Shape};
use super::fields::Fields;
use super::unmappable::{Unmappable, UnmappableReason};
use super::{identity, metadata, subject};
use crate::envelope::{Envelope, MAX_AHEAD_MICROS};
use crate::json::{self, ProtectedMarker};
use crate::timestamp::Timestamp;

/// One message as RabbitMQ delivered it.
#[derive(Debug, Clone, Copy)]
pub struct OlderMessage<'a> {
    /// The exchange it was published to.
    pub exchange: &'a str,
    /// The key it was published with; names what happened where the body does not.
    pub routing_key: &'a str,
    /// The property `message_id`.
    pub message_id: Option<&'a str>,
    /// The property `timestamp`.
    pub timestamp: Option<Timestamp>,
    /// When it was received here.
    pub received_at: Timestamp,
    /// Whether RabbitMQ may have delivered it before.
    pub redelivered: bool,
    /// The body as it came.
    pub body: &'a [u8],
}

/// One record as an older HTTP address was sent it.
#[derive(Debug, Clone, Copy)]
pub struct OlderRecord<'a> {
    /// What the address takes.
    pub kind: RecordKind,
    /// When it was received here.
    pub received_at: Timestamp,
    /// The body as it came.
    pub body: &'a [u8],
}

/// The three records of document 004.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// `POST /api/audit` (E18).
    AuditLog,
    /// `POST /api/audit/security` (E23).
    SecurityEvent,
    /// `POST /api/audit/data-access` (E27).
    DataAccess,
}

/// The canonical envelope that a message becomes, or why none can.
///
/// The payload is the body as it came, without insignificant whitespace; whatever this gives passes
/// [`crate::envelope::accept`] at the time of receipt. `fresh_id` is called only for a message without any id of its own.
pub fn map(message: &OlderMessage<'_>, fresh_id: impl FnOnce() -> Uuid) -> Result<Envelope, Unmappable> {
    let payload = payload(message.body)?;
    let fields = Fields::of(&payload);
    let shape = Shape::of(&fields, None);
    let event_type = event_type::of(&fields, shape, message.routing_key)?;
    let subject = subject::of(&fields, &event_type)?;
    let origin = identity::Origin { exchange: message.exchange, message_id: message.message_id };
    let (event_id, minted) = identity::of(&fields, subject.as_ref(), origin, fresh_id)?;
    let timestamp = timestamp(&fields, message.timestamp, message.received_at)?;
    let mut metadata = metadata::of(&fields, shape, &event_type)?;
    metadata::stamp_amqp(&mut metadata, message, minted && message.redelivered);
    finish(Draft { event_id, event_type, shape, subject, timestamp, metadata }, payload)
}

/// The same for a record that came by HTTP: its address says its kind, and nothing of AMQP is kept.
pub fn map_record(record: &OlderRecord<'_>, fresh_id: impl FnOnce() -> Uuid) -> Result<Envelope, Unmappable> {
    let payload = payload(record.body)?;
    let fields = Fields::of(&payload);
    let shape = Shape::of(&fields, Some(record.kind));
    event_type::require(&fields, record.kind)?;
    let event_type = event_type::of(&fields, shape, "")?;
    let subject = subject::of(&fields, &event_type)?;
    let origin = identity::Origin { exchange: "", message_id: None };
    let (event_id, _) = identity::of(&fields, subject.as_ref(), origin, fresh_id)?;
    let timestamp = timestamp(&fields, None, record.received_at)?;
    let metadata = metadata::of(&fields, shape, &event_type)?;
    finish(Draft { event_id, event_type, shape, subject, timestamp, metadata }, payload)
}

fn payload(body: &[u8]) -> Result<String, Unmappable> {
    let text = std::str::from_utf8(body)
        .map_err(|_| Unmappable::new(UnmappableReason::Undecodable, "", "send one JSON object in UTF-8"))?;
    Ok(json::compact(text.to_owned(), ProtectedMarker::Refused)?)
}

struct Draft {
    event_id: Uuid,
    event_type: String,
    shape: Shape,
    subject: Option<subject::Subject>,
    timestamp: Timestamp,
    metadata: std::collections::BTreeMap<String, String>,
}

fn finish(draft: Draft, payload: String) -> Result<Envelope, Unmappable> {
    let subject = match draft.subject {
        Some(subject) => subject,
        // A failed login may know neither its user nor its service; it is evidence all the same.
        None if draft.shape == Shape::SecurityEvent || draft.metadata.contains_key("severity") => {
            subject::Subject::security(draft.event_id)
        }
        None => return Err(subject::missing()),
    };
    let organization = draft.metadata.get("organizationId").map_or(0, String::len);
    subject.check(organization)?;
    Ok(Envelope {
        event_id: draft.event_id.to_string(),
        event_type: draft.event_type,
        aggregate_type: subject.aggregate_type,
        aggregate_id: subject.aggregate_id,
        timestamp: draft.timestamp,
        version: 0,
        payload,
        metadata: draft.metadata,
    })
}

/// The message's own time, else AMQP's, else that of receipt.
fn timestamp(
    fields: &Fields<'_>,
    published: Option<Timestamp>,
    received_at: Timestamp,
) -> Result<Timestamp, Unmappable> {
    let latest = received_at.as_micros().saturating_add(MAX_AHEAD_MICROS);
    let invalid =
        |pointer: &str, remedy: &str| Unmappable::new(UnmappableReason::TimestampInvalid, pointer, remedy);
    let Some(field) = fields.anywhere(&["timestamp", "createdat", "accessedat"]) else {
        // A publisher whose clock is wrong must not lose the message: receipt is the better time.
        let published =
            published.filter(|time| (Timestamp::MIN.as_micros()..=latest).contains(&time.as_micros()));
        return Ok(published.unwrap_or(received_at));
    };
    let text: String = serde_json::from_str(field.raw.get()).unwrap_or_default();
    // .NET and Python leave the zone out when they were not told it; both documents keep UTC.
    let time = Timestamp::parse(&text)
        .or_else(|_| Timestamp::parse(&format!("{text}Z")))
        .map_err(|_| invalid(&field.pointer, "send an RFC 3339 time, such as 2026-01-07T10:30:00Z"))?;
    if time < Timestamp::MIN || time.as_micros() > latest {
        return Err(invalid(
            &field.pointer,
            "send a time from 0001-01-01 to at most 24 hours ahead of this server's clock",
        ));
    }
    Ok(time)
}
