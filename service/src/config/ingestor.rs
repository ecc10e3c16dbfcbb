//! `[ingestor]`: what is consumed, and how.

use std::{collections::BTreeMap, time::Duration};

use regex::Regex;
use serde::Deserialize;

use super::{ConfigError, DeadLetterSettings, lists};

/// What the ingestor reads and how much of it at once.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestorSettings {
    /// Topics by name.
    #[serde(deserialize_with = "lists::strings")]
    pub topics: Vec<String>,
    /// Topics by regular expression; each starts with `^`, as librdkafka wants.
    #[serde(deserialize_with = "lists::strings")]
    pub topic_patterns: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// A fixed member name (`group.instance.id`), so that a restart keeps its partitions.
    pub instance_id: Option<String>,
    /// Connections that append at once, 1 to 64.
    pub writers: usize,
    /// Records in one transaction, at most.
    pub batch_max_records: usize,
    /// Bytes of records in one transaction, at most.
    pub batch_max_bytes: usize,
    /// A larger record goes to the dead letters (`limit-exceeded`).
    pub max_record_bytes: usize,
    /// What happens when Kafka no longer has records that were not read.
    pub on_gap: GapPolicy,
    /// Topic to organisation, for events whose metadata has none (semantics.md 2).
    #[serde(deserialize_with = "lists::map")]
    pub organizations: BTreeMap<String, String>,
    /// Topics that carry replays: their payloads may hold `$protected` values (semantics.md 9).
    #[serde(deserialize_with = "lists::strings")]
    pub replay_topics: Vec<String>,
    /// How long a graceful stop may take.
    #[serde(with = "humantime_serde")]
    pub shutdown_deadline: Duration,
    /// How long a healthy registry may not know an id before its records go to the dead letters.
    #[serde(with = "humantime_serde")]
    pub unknown_schema_after: Duration,
}

/// What happens when Kafka no longer has records that were not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GapPolicy {
    /// Record it, count it, raise the alarm, go on.
    Continue,
    /// The partition stops until an operator accepts the gap.
    Stop,
}

impl Default for IngestorSettings {
    fn default() -> Self {
        Self {
            topics: vec!["audit.events".to_owned()],
            topic_patterns: vec![r"^audit\.events\..+".to_owned()],
            group: "audit-ingestor".to_owned(),
            instance_id: None,
            writers: 2,
            batch_max_records: 10_000,
            batch_max_bytes: 4 * 1024 * 1024,
            max_record_bytes: 1024 * 1024,
            on_gap: GapPolicy::Continue,
            organizations: BTreeMap::new(),
            replay_topics: Vec::new(),
            shutdown_deadline: Duration::from_secs(20),
            unknown_schema_after: Duration::from_mins(1),
        }
    }
}

impl IngestorSettings {
    /// Whether the subscription takes this topic.
    pub fn subscribes_to(&self, topic: &str) -> bool {
        self.topics.iter().any(|name| name == topic)
            || self.topic_patterns.iter().filter_map(|text| Regex::new(text).ok()).any(|p| p.is_match(topic))
    }

    pub(super) fn validate(&self, dead_letters: &DeadLetterSettings) -> Result<(), ConfigError> {
        self.validate_subscription(dead_letters)?;
        if self.group.is_empty() {
            return Err(ConfigError::key("ingestor.group", "is empty: name the consumer group"));
        }
        within("ingestor.writers", self.writers, 1, 64)?;
        within("ingestor.batch_max_records", self.batch_max_records, 1, 100_000)?;
        within("ingestor.max_record_bytes", self.max_record_bytes, 1024, 64 * 1024 * 1024)?;
        within("ingestor.batch_max_bytes", self.batch_max_bytes, 1024, 256 * 1024 * 1024)?;
        if self.shutdown_deadline.is_zero() {
            return Err(ConfigError::key(
                "ingestor.shutdown_deadline",
                "is zero: give a time such as \"20s\"",
            ));
        }
        if let Some((topic, _)) = self.organizations.iter().find(|(_, organization)| organization.len() > 255)
        {
            return Err(ConfigError::key(
                format!("ingestor.organizations.\"{topic}\""),
                "is longer than 255 bytes: no event could carry it",
            ));
        }
        Ok(())
    }

    fn validate_subscription(&self, dead_letters: &DeadLetterSettings) -> Result<(), ConfigError> {
        if self.topics.is_empty() && self.topic_patterns.is_empty() {
            return Err(ConfigError::key(
                "ingestor.topics",
                "names no topic, and ingestor.topic_patterns neither",
            ));
        }
        for (index, pattern) in self.topic_patterns.iter().enumerate() {
            let key = || format!("ingestor.topic_patterns[{index}]");
            if !pattern.starts_with('^') {
                return Err(ConfigError::key(
                    key(),
                    "does not start with ^, so Kafka would take it for a plain name",
                ));
            }
            let regex = Regex::new(pattern)
                .map_err(|error| ConfigError::key(key(), format!("is not a regular expression: {error}")))?;
            if regex.is_match(&dead_letters.topic) {
                return Err(ConfigError::key(key(), loop_detail(&dead_letters.topic)));
            }
        }
        if self.topics.contains(&dead_letters.topic) {
            return Err(ConfigError::key("ingestor.topics", loop_detail(&dead_letters.topic)));
        }
        Ok(())
    }
}

fn loop_detail(topic: &str) -> String {
    format!(
        "takes the dead-letter topic {topic}, so that refused records would come round for ever: leave it out"
    )
}

/// An integer key within its bounds, both inclusive.
pub(super) fn within(key: &str, value: usize, least: usize, most: usize) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::key(key, format!("is {value}: give a number from {least} to {most}")))
}
