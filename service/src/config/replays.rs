//! `[replays]`: replays to topics, as jobs.

use std::time::Duration;

use regex::Regex;
use serde::Deserialize;

use super::{ConfigError, SubmissionSettings, ingestor::within, lists};

/// Where replays may go, and how many at once.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplaySettings {
    /// Topics that a replay may go to, by regular expression; none = any that would not come round.
    #[serde(deserialize_with = "lists::strings")]
    pub topic_patterns: Vec<String>,
    /// Jobs that one API works on at once.
    pub max_running: usize,
    /// How long a job stays with an API that says nothing; then another one takes it over.
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
}

impl Default for ReplaySettings {
    fn default() -> Self {
        Self { topic_patterns: Vec::new(), max_running: 2, lease: Duration::from_secs(30) }
    }
}

impl ReplaySettings {
    /// Whether the configuration lets a replay go to this topic.
    pub fn allows(&self, topic: &str) -> bool {
        self.topic_patterns.is_empty()
            || self.topic_patterns.iter().filter_map(|text| Regex::new(text).ok()).any(|p| p.is_match(topic))
    }

    pub(super) fn validate(&self, submissions: &SubmissionSettings) -> Result<(), ConfigError> {
        for (index, pattern) in self.topic_patterns.iter().enumerate() {
            let key = || format!("replays.topic_patterns[{index}]");
            if !pattern.starts_with('^') {
                return Err(ConfigError::key(key(), "does not start with ^, so it would match inside names"));
            }
            Regex::new(pattern)
                .map_err(|error| ConfigError::key(key(), format!("is not a regular expression: {error}")))?;
        }
        within("replays.max_running", self.max_running, 1, 32)?;
        // What a runner has handed to Kafka must have arrived or failed before another one may go on.
        if self.lease <= submissions.delivery_timeout || self.lease > Duration::from_hours(1) {
            return Err(ConfigError::key(
                "replays.lease",
                "must be longer than submissions.delivery_timeout, or two APIs could send at once; an hour at most",
            ));
        }
        Ok(())
    }
}
