//! `[submissions]`: events that come in by HTTP (semantics.md 13).

use std::time::Duration;

use serde::Deserialize;

use super::{ApiSettings, ConfigError, DeadLetterSettings, ingestor::within};

/// How the API takes events.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubmissionSettings {
    /// The topic that they are produced to.
    pub topic: String,
    /// A record that Kafka has not acknowledged within this time fails, and its request is answered 503.
    #[serde(with = "humantime_serde")]
    pub delivery_timeout: Duration,
    /// Bytes of request bodies held at once, for all requests together; more are answered 503 with `Retry-After`.
    pub max_bytes_in_flight: usize,
    /// How long an `Idempotency-Key` is remembered.
    #[serde(with = "humantime_serde")]
    pub key_lifetime: Duration,
}

impl Default for SubmissionSettings {
    fn default() -> Self {
        Self {
            topic: "audit.events".to_owned(),
            delivery_timeout: Duration::from_secs(10),
            max_bytes_in_flight: 16 * 1024 * 1024,
            key_lifetime: Duration::from_hours(24),
        }
    }
}

impl SubmissionSettings {
    pub(super) fn validate(
        &self,
        api: &ApiSettings,
        dead_letters: &DeadLetterSettings,
    ) -> Result<(), ConfigError> {
        if self.topic.is_empty() || self.topic == dead_letters.topic {
            return Err(ConfigError::key(
                "submissions.topic",
                "is empty or the topic of the dead letters: name a topic that the ingestor reads",
            ));
        }
        if self.delivery_timeout < Duration::from_secs(1) || self.delivery_timeout >= api.request_timeout {
            return Err(ConfigError::key(
                "submissions.delivery_timeout",
                "must be a second at least, and shorter than api.request_timeout, or no caller would get its answer",
            ));
        }
        within(
            "submissions.max_bytes_in_flight",
            self.max_bytes_in_flight,
            api.max_body_bytes,
            1024 * 1024 * 1024,
        )?;
        if self.key_lifetime < Duration::from_mins(1) {
            return Err(ConfigError::key(
                "submissions.key_lifetime",
                "is under a minute: a caller's repeat after a fault would be a second event",
            ));
        }
        Ok(())
    }
}
