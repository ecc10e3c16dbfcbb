//! `[accesses]`: the record of who looked (semantics.md 12).

use serde::Deserialize;

use super::{AuditConfig, ConfigError};

/// How the API records the requests that it answers and refuses.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessSettings {
    /// Whether it does. Without it nobody can say who looked at what.
    pub record: bool,
    /// The topic that the records are produced to.
    pub topic: String,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self { record: true, topic: "audit.events.access".to_owned() }
    }
}

impl AccessSettings {
    pub(super) fn validate(&self, config: &AuditConfig) -> Result<(), ConfigError> {
        if self.topic.is_empty() || self.topic == config.dead_letters.topic {
            return Err(ConfigError::key(
                "accesses.topic",
                "is empty or the topic of the dead letters: name a topic that the ingestor reads",
            ));
        }
        Ok(())
    }

    /// What recording needs: no answer leaves the API without its record, so it does not start without Kafka.
    pub(crate) fn require(&self, config: &AuditConfig) -> Result<(), ConfigError> {
        if self.record && (config.kafka.bootstrap_servers.is_none() || config.registry.url.is_none()) {
            return Err(ConfigError::key(
                "accesses.record",
                "records every request in Kafka, so it needs kafka.bootstrap_servers and registry.url: set both, or this to false, and nobody can say who looked",
            ));
        }
        Ok(())
    }
}
