//! One line of a file to one Kafka record, with the ingestor's own checks, so that a mistake is found at the desk.

use shared::{
    avro,
    clock::{Clock, SystemClock},
    envelope::{self, Acceptance},
    json::ProtectedMarker,
    refusal::{Reason, Refusal},
};

/// A record that the ingestor will take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The aggregate's id: what keeps its events in one partition.
    pub key: Vec<u8>,
    /// The framed Avro datum.
    pub value: Vec<u8>,
}

/// What the checks depend on besides the line.
#[derive(Debug, Clone)]
pub struct Checker {
    /// The canonical schema's id in the registry.
    pub schema_id: u32,
    /// The organisation configured for the topic; `""` = none.
    pub topic_organization: String,
    /// The ingestor's limit on a record, in bytes.
    pub max_record_bytes: usize,
    /// Against which times in the future are checked.
    pub clock: SystemClock,
}

impl Checker {
    /// Checks one line and makes its record.
    pub fn check(&self, line: &[u8]) -> Result<Checked, Refusal> {
        let text = std::str::from_utf8(line).map_err(|error| {
            let detail = format!("byte {} of the line is not UTF-8", error.valid_up_to() + 1);
            Refusal::new(Reason::EnvelopeInvalid, "", detail)
        })?;
        let envelope = envelope::from_canonical_json(text)?;
        let value = avro::frame(self.schema_id, &avro::encode_canonical(&envelope));
        let key = envelope.aggregate_id.clone().into_bytes();
        if key.len() + value.len() > self.max_record_bytes {
            let detail = format!(
                "the record has {} bytes, the ingestor takes {} (ingestor.max_record_bytes)",
                key.len() + value.len(),
                self.max_record_bytes
            );
            return Err(Refusal::new(Reason::LimitExceeded, "", detail));
        }
        let acceptance = Acceptance {
            now: self.clock.now(),
            topic_organization: &self.topic_organization,
            protected: ProtectedMarker::Refused,
        };
        envelope::accept(envelope, &acceptance)?;
        Ok(Checked { key, value })
    }
}
