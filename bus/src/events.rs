//! Canonical events as records: checked by the ingestor's own rules, keyed by aggregate, framed by the canonical
//! schema's id (semantics.md 1, 13). Every producer of ours makes its records here.

use bytes::Bytes;
use service::config::AuditConfig;
use shared::{
    avro,
    envelope::{self, Acceptance, Envelope},
    json::ProtectedMarker,
    refusal::{Reason, Refusal},
    timestamp::Timestamp,
};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::{
    Outgoing,
    registry::{Registry, RegistryError},
};

/// The subject of the canonical envelope (contract.md, Kafka).
pub const CANONICAL_SUBJECT: &str = "audit.events-value";

/// The bytes that the Confluent framing puts in front of a datum.
const FRAMING: usize = 5;

/// What the ingestor will ask of the records of one topic.
#[derive(Debug, Clone)]
pub struct EventRules {
    /// The organisation configured for the topic; `""` = none.
    pub topic_organization: String,
    /// The ingestor's limit on a record, in bytes.
    pub max_record_bytes: usize,
    /// How much of it the record's headers will take, in bytes.
    pub header_bytes: usize,
}

/// An event that the ingestor will take, ready to be framed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    event_id: Uuid,
    key: Bytes,
    datum: Vec<u8>,
}

impl EventRules {
    /// The rules of this configuration for a topic, for records without headers.
    pub fn for_topic(config: &AuditConfig, topic: &str) -> Self {
        Self {
            topic_organization: config.ingestor.organizations.get(topic).cloned().unwrap_or_default(),
            max_record_bytes: config.ingestor.max_record_bytes,
            header_bytes: 0,
        }
    }

    /// Checks an envelope as the ingestor will at about `now`; a refusal is the one it would be dead-lettered with.
    pub fn check(&self, envelope: Envelope, now: Timestamp) -> Result<EventRecord, Refusal> {
        let key = Bytes::from(envelope.aggregate_id.clone());
        let datum = avro::encode_canonical(&envelope);
        let size = key.len() + FRAMING + datum.len() + self.header_bytes;
        if size > self.max_record_bytes {
            let detail = format!(
                "the record has {size} bytes, the ingestor takes {} (ingestor.max_record_bytes)",
                self.max_record_bytes
            );
            return Err(Refusal::new(Reason::LimitExceeded, "", detail));
        }
        let acceptance = Acceptance {
            now,
            topic_organization: &self.topic_organization,
            protected: ProtectedMarker::Refused,
        };
        let event = envelope::accept(envelope, &acceptance)?;
        Ok(EventRecord { event_id: event.event_id, key, datum })
    }
}

impl EventRecord {
    /// The event's id.
    pub fn event_id(&self) -> Uuid {
        self.event_id
    }

    /// The record for a topic, its schema named by this id; headers, partition and time are the caller's to add.
    pub fn into_outgoing(self, topic: &str, schema_id: u32) -> Outgoing {
        Outgoing {
            topic: topic.to_owned(),
            key: Some(self.key),
            value: Some(Bytes::from(avro::frame(schema_id, &self.datum))),
            ..Outgoing::default()
        }
    }

    /// Key and framed value together, in bytes.
    pub fn size(&self) -> usize {
        self.key.len() + FRAMING + self.datum.len()
    }
}

/// The canonical schema's id, asked of the registry when it is first needed and remembered from then on.
#[derive(Debug)]
pub struct CanonicalSchema {
    registry: Registry,
    id: OnceCell<u32>,
}

impl CanonicalSchema {
    /// Does not ask yet.
    pub fn new(registry: Registry) -> Self {
        Self { registry, id: OnceCell::new() }
    }

    /// The id; registers the schema when it is not there yet. After an error the next call asks again.
    pub async fn id(&self) -> Result<u32, RegistryError> {
        let text = avro::canonical_schema_compact();
        let register = || self.registry.register(CANONICAL_SUBJECT, &text, &[]);
        self.id.get_or_try_init(register).await.copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn envelope(payload: &str) -> Envelope {
        Envelope {
            event_id: "0194fdc2-fa2f-7cc0-81d3-ff12045b73c8".to_owned(),
            event_type: "OrderPlaced".to_owned(),
            aggregate_type: "Order".to_owned(),
            aggregate_id: "order-1".to_owned(),
            timestamp: NOW,
            version: 1,
            payload: payload.to_owned(),
            metadata: std::collections::BTreeMap::new(),
        }
    }

    fn rules(max_record_bytes: usize, header_bytes: usize) -> EventRules {
        EventRules { topic_organization: String::new(), max_record_bytes, header_bytes }
    }

    #[test]
    fn a_good_event_is_keyed_by_its_aggregate_and_framed() {
        let record = rules(1000, 0).check(envelope("{}"), NOW).expect("a good event");
        let size = record.size();
        let outgoing = record.into_outgoing("audit.events", 7);
        assert_eq!(
            (outgoing.topic.as_str(), outgoing.key.as_deref()),
            ("audit.events", Some(&b"order-1"[..]))
        );
        let value = outgoing.value.expect("a value");
        assert_eq!(value[..5], [0, 0, 0, 0, 7]);
        assert_eq!(size, value.len() + "order-1".len());
    }

    #[test]
    fn a_record_over_the_ingestors_limit_is_refused_here() {
        let size = rules(1000, 0).check(envelope("{}"), NOW).expect("a good event").size();
        assert!(rules(size, 0).check(envelope("{}"), NOW).is_ok());
        assert!(rules(size + 9, 10).check(envelope("{}"), NOW).is_err());
        let refusal = rules(size - 1, 0).check(envelope("{}"), NOW).expect_err("too large");
        assert_eq!(refusal.reason, Reason::LimitExceeded);
    }

    #[test]
    fn the_ingestors_refusals_are_given_here() {
        let refusal = rules(1000, 0).check(envelope(r#"{"a":{"a":1,"a":2}}"#), NOW).expect_err("a key twice");
        assert_eq!((refusal.reason, refusal.pointer.as_str()), (Reason::PayloadInvalid, "/a/a"));
        let late = Timestamp::from_micros(NOW.as_micros() - 2 * envelope::MAX_AHEAD_MICROS);
        let refusal = rules(1000, 0).check(envelope("{}"), late).expect_err("in the future");
        assert_eq!(refusal.reason, Reason::TimestampInFuture);
    }
}
