//! Canonical events for tests.

use std::collections::BTreeMap;

use serde_json::Value;
use shared::{envelope::Envelope, timestamp::Timestamp};

use crate::unique_id;

/// 2026-01-15T12:00:00Z, in microseconds.
const NOON: i64 = 1_768_478_400_000_000;

/// Builds envelopes that break no rule until told to.
#[derive(Debug, Clone)]
pub struct EventBuilder {
    envelope: Envelope,
}

/// The event of this version of an aggregate of type `Order`, with a fresh id, one second after its predecessor.
pub fn canonical_event(aggregate_id: &str, version: i64) -> EventBuilder {
    let payload = serde_json::json!({ "orderId": aggregate_id, "step": version }).to_string();
    let envelope = Envelope {
        event_id: unique_id().to_string(),
        event_type: if version == 1 { "OrderCreated" } else { "OrderUpdated" }.to_owned(),
        aggregate_type: "Order".to_owned(),
        aggregate_id: aggregate_id.to_owned(),
        timestamp: Timestamp::from_micros(NOON + version * 1_000_000),
        version,
        payload,
        metadata: BTreeMap::from([
            ("userId".to_owned(), "user-1".to_owned()),
            ("source".to_owned(), "test".to_owned()),
            ("organizationId".to_owned(), "demo".to_owned()),
        ]),
    };
    EventBuilder { envelope }
}

impl EventBuilder {
    /// Sets the id, as text, so that it may be wrong.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.envelope.event_id = id.into();
        self
    }

    /// Sets the event type.
    pub fn event_type(mut self, event_type: &str) -> Self {
        event_type.clone_into(&mut self.envelope.event_type);
        self
    }

    /// Sets the aggregate type.
    pub fn aggregate_type(mut self, aggregate_type: &str) -> Self {
        aggregate_type.clone_into(&mut self.envelope.aggregate_type);
        self
    }

    /// Sets the event time, microseconds since 1970.
    pub fn at_micros(mut self, micros: i64) -> Self {
        self.envelope.timestamp = Timestamp::from_micros(micros);
        self
    }

    /// Sets the event time, RFC 3339.
    pub fn at(mut self, time: &str) -> Self {
        self.envelope.timestamp = Timestamp::parse(time).expect("an RFC 3339 time");
        self
    }

    /// Sets the payload.
    pub fn payload(self, payload: &Value) -> Self {
        self.payload_text(payload.to_string())
    }

    /// Sets the payload's text, so that it may be anything.
    pub fn payload_text(mut self, payload: impl Into<String>) -> Self {
        self.envelope.payload = payload.into();
        self
    }

    /// Sets a metadata value.
    pub fn metadata(mut self, key: &str, value: impl Into<String>) -> Self {
        self.envelope.metadata.insert(key.to_owned(), value.into());
        self
    }

    /// Leaves a metadata key out.
    pub fn without_metadata(mut self, key: &str) -> Self {
        self.envelope.metadata.remove(key);
        self
    }

    /// Sets the organisation.
    pub fn organization(self, organization: &str) -> Self {
        self.metadata("organizationId", organization)
    }

    /// The envelope.
    pub fn build(self) -> Envelope {
        self.envelope
    }
}
