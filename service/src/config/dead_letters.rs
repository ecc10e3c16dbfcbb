//! `[dead_letters]`: where refused records go.

use serde::Deserialize;

use super::ConfigError;

/// The outbox of refused records (semantics.md 5).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLetterSettings {
    /// The topic that the relay publishes to; the ingestor never subscribes to it.
    pub topic: String,
    /// Values larger than this many bytes are kept as their digest only.
    pub max_stored_bytes: usize,
}

impl Default for DeadLetterSettings {
    fn default() -> Self {
        Self { topic: "audit.dlq".to_owned(), max_stored_bytes: 16 * 1024 * 1024 }
    }
}

impl DeadLetterSettings {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.topic.is_empty() {
            return Err(ConfigError::key(
                "dead_letters.topic",
                "is empty: name the topic of the dead letters",
            ));
        }
        if self.max_stored_bytes == 0 {
            return Err(ConfigError::key(
                "dead_letters.max_stored_bytes",
                "is zero: no dead letter would keep its bytes",
            ));
        }
        Ok(())
    }
}
