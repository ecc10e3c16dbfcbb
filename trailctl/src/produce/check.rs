//! One line of a file to one Kafka record, with the ingestor's own checks, so that a mistake is found at the desk.

use bus::{EventRecord, EventRules};
use shared::{
    clock::{Clock, SystemClock},
    envelope,
    refusal::{Reason, Refusal},
};

/// What the checks depend on besides the line.
#[derive(Debug, Clone)]
pub struct Checker {
    /// The topic's rules.
    pub rules: EventRules,
    /// Against which times in the future are checked.
    pub clock: SystemClock,
}

impl Checker {
    /// Checks one line and makes its record.
    pub fn check(&self, line: &[u8]) -> Result<EventRecord, Refusal> {
        let text = std::str::from_utf8(line).map_err(|error| {
            let detail = format!("byte {} of the line is not UTF-8", error.valid_up_to() + 1);
            Refusal::new(Reason::EnvelopeInvalid, "", detail)
        })?;
        self.rules.check(envelope::from_canonical_json(text)?, self.clock.now())
    }
}
