//! From a message to the record that Kafka gets, or why there can be none.

use bus::{EventRules, Outgoing};
use service::config::AuditConfig;
use shared::{refusal::Refusal, vocabulary, vocabulary::Unmappable};
use uuid::Uuid;

use crate::{delivered::Message, trace};

/// Why a message goes to the dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// From a closed list: the vocabulary's, and the ingestor's.
    pub reason: &'static str,
    /// A JSON Pointer into the body; `""` = the whole.
    pub pointer: String,
    /// What would be right.
    pub detail: String,
}

/// What messages become.
#[derive(Debug)]
pub struct Mapper {
    rules: EventRules,
    topic: String,
    fresh_id: fn() -> Uuid,
}

/// A record, and whether it may double one that was sent before.
#[derive(Debug)]
pub struct Mapped {
    /// Without its headers.
    pub record: Outgoing,
    /// `metadata.possibleDuplicate` is set: it was delivered before and has no id of its own.
    pub possible_duplicate: bool,
}

impl Mapper {
    /// By this configuration; `fresh_id` mints ids for messages that bring none.
    pub fn new(config: &AuditConfig, fresh_id: fn() -> Uuid) -> Self {
        let topic = config.rabbitmq.topic.clone();
        let rules =
            EventRules { header_bytes: trace::MOST_HEADER_BYTES, ..EventRules::for_topic(config, &topic) };
        Self { rules, topic, fresh_id }
    }

    /// The message as a canonical event, framed by the canonical schema's id and keyed by its aggregate (semantics.md 13).
    pub fn map(&self, message: &Message, schema_id: u32) -> Result<Mapped, Refused> {
        let envelope = vocabulary::map(&message.older(), self.fresh_id)?;
        let possible_duplicate = envelope.metadata.contains_key("possibleDuplicate");
        let event = self.rules.check(envelope, message.received_at)?;
        Ok(Mapped { record: event.into_outgoing(&self.topic, schema_id), possible_duplicate })
    }
}

impl From<Unmappable> for Refused {
    fn from(why: Unmappable) -> Self {
        Self { reason: why.reason.as_str(), pointer: why.pointer, detail: why.remedy }
    }
}

impl From<Refusal> for Refused {
    fn from(why: Refusal) -> Self {
        Self { reason: why.reason.as_str(), pointer: why.pointer, detail: why.detail }
    }
}
