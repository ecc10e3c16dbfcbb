//! An event that breaks no rule, and the builder that is the only way to one.

use std::collections::BTreeMap;

use bus::{EventRecord, EventRules};
use serde::Serialize;
use shared::{
    envelope::Envelope,
    refusal::{Reason, Refusal},
    timestamp::Timestamp,
};
use uuid::Uuid;

use crate::{Changes, Mint};

/// The largest record in bytes, key, value and headers: the ingestor's default limit.
pub(crate) const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// Room for trace headers in it.
const HEADER_BYTES: usize = 4096;

/// The longest organisation that a topic may be configured with, in bytes.
const LONGEST_ORGANIZATION: usize = 255;

/// An event that the audit trail will store: every rule of the envelope has been checked by the code that the ingestor
/// checks with.
///
/// There is no other way to one than [`AuditEvent::named`]. What depends on more than the event cannot be known here:
/// whether the ingestor's clock agrees, and whether the id was used before for another event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    id: Uuid,
    envelope: Envelope,
    record: EventRecord,
}

impl AuditEvent {
    /// Begins an event: what happened, in the past tense, such as `OrderPlaced`.
    pub fn named(event_type: impl Into<String>) -> Named {
        Named { event_type: event_type.into() }
    }

    /// The id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What happened.
    pub fn event_type(&self) -> &str {
        &self.envelope.event_type
    }

    /// The kind of the aggregate.
    pub fn aggregate_type(&self) -> &str {
        &self.envelope.aggregate_type
    }

    /// The aggregate's id: the record's key.
    pub fn aggregate_id(&self) -> &str {
        &self.envelope.aggregate_id
    }

    /// When it happened.
    pub fn timestamp(&self) -> Timestamp {
        self.envelope.timestamp
    }

    /// The count per aggregate; 0 = unversioned.
    pub fn version(&self) -> i64 {
        self.envelope.version
    }

    /// The payload's JSON.
    pub fn payload(&self) -> &str {
        &self.envelope.payload
    }

    /// The metadata.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.envelope.metadata
    }

    /// Key and value of its record together, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.record.size()
    }

    /// Its record, not yet framed.
    pub(crate) fn into_record(self) -> EventRecord {
        self.record
    }

    /// The conversation that it belongs to: its correlation id, else its own id.
    fn correlation(&self) -> String {
        self.metadata().get("correlationId").cloned().unwrap_or_else(|| self.id.to_string())
    }
}

/// What happened is said; [`Named::of`] says to what.
#[derive(Debug, Clone)]
pub struct Named {
    event_type: String,
}

impl Named {
    /// To which aggregate it happened, such as `("Order", "order-4711")`; its events keep their order.
    pub fn of(self, aggregate_type: impl Into<String>, aggregate_id: impl Into<String>) -> EventBuilder {
        EventBuilder {
            id: None,
            at: None,
            payload: Ok("{}".to_owned()),
            envelope: Envelope {
                event_id: String::new(),
                event_type: self.event_type,
                aggregate_type: aggregate_type.into(),
                aggregate_id: aggregate_id.into(),
                timestamp: Timestamp::default(),
                version: 0,
                payload: String::new(),
                metadata: BTreeMap::new(),
            },
        }
    }
}

/// An event in the making; whatever is wrong with it is said by [`EventBuilder::build`].
#[derive(Debug, Clone)]
#[must_use = "an event is made by `build`"]
pub struct EventBuilder {
    id: Option<Uuid>,
    at: Option<Timestamp>,
    payload: Result<String, Refusal>,
    envelope: Envelope,
}

impl EventBuilder {
    /// An id of your own, for events that may be built again after a crash: the store keeps the first and drops the
    /// repeats. Otherwise the [`Mint`] gives a fresh one.
    pub fn id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    /// When it happened; otherwise the [`Mint`]'s time. At most 24 hours ahead of it.
    pub fn at(mut self, time: Timestamp) -> Self {
        self.at = Some(time);
        self
    }

    /// Your own count of the aggregate's events, from 1, without holes: the store reports gaps and forks by it. Left
    /// out, the event is unversioned.
    pub fn version(mut self, version: u32) -> Self {
        self.envelope.version = version.into();
        self
    }

    /// The payload: anything that serialises to a JSON object.
    pub fn payload(mut self, payload: &impl Serialize) -> Self {
        self.payload = serde_json::to_string(payload).map_err(|error| {
            Refusal::new(Reason::PayloadInvalid, "", format!("it cannot be serialised: {error}"))
        });
        self
    }

    /// The payload `{"changes": …}`: which fields changed, each with its old and its new value.
    pub fn changes(self, changes: &Changes) -> Self {
        self.payload(&BTreeMap::from([("changes", changes)]))
    }

    /// Who did it: `metadata.userId`.
    pub fn user(self, user: impl Into<String>) -> Self {
        self.metadata("userId", user)
    }

    /// Whose event it is: `metadata.organizationId`. Without one, only the topic's organisation, if it has one, may
    /// see it.
    pub fn organization(self, organization: impl Into<String>) -> Self {
        self.metadata("organizationId", organization)
    }

    /// Which service says so: `metadata.source`.
    pub fn source(self, source: impl Into<String>) -> Self {
        self.metadata("source", source)
    }

    /// The conversation that it belongs to: `metadata.correlationId`.
    pub fn correlation(self, id: impl Into<String>) -> Self {
        self.metadata("correlationId", id)
    }

    /// The event that led to this one: `metadata.causationId`, and its conversation.
    pub fn caused_by(self, cause: &AuditEvent) -> Self {
        self.metadata("causationId", cause.id().to_string()).correlation(cause.correlation())
    }

    /// Any other metadata; the last value of a key counts.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.envelope.metadata.insert(key.into(), value.into());
        self
    }

    /// The finished event, or the first rule that it breaks, with its place and the remedy.
    pub fn build(self, mint: &Mint) -> Result<AuditEvent, Refusal> {
        let now = mint.now();
        let id = self.id.unwrap_or_else(|| mint.id());
        let envelope = Envelope {
            event_id: id.to_string(),
            timestamp: self.at.unwrap_or(now),
            payload: self.payload?,
            ..self.envelope
        };
        let rules = EventRules {
            // The topic may have an organisation, and the rule about lengths counts it: the longest is assumed.
            topic_organization: "o".repeat(LONGEST_ORGANIZATION),
            max_record_bytes: MAX_RECORD_BYTES,
            header_bytes: HEADER_BYTES,
        };
        let record = rules.check(envelope.clone(), now)?;
        Ok(AuditEvent { id, envelope, record })
    }
}

#[cfg(test)]
mod tests;
