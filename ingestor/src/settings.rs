//! What the ingestor goes by, taken from the configuration once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use secrecy::ExposeSecret;
use service::config::{AuditConfig, ConfigError, GapPolicy};
use shared::retention::RetentionRules;
use store::DatabaseUrl;

use crate::consume::plan::OnGap;

/// The ingestor's part of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Role `audit_ingestor`.
    pub database_url: DatabaseUrl,
    /// The brokers.
    pub bootstrap_servers: String,
    /// The name under which this cluster's logs are kept.
    pub cluster: String,
    /// librdkafka's own properties.
    pub kafka_properties: BTreeMap<String, String>,
    /// Names and patterns (which start with `^`).
    pub subscription: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// A fixed member name.
    pub instance_id: Option<String>,
    /// Lanes: connections that append at once.
    pub lanes: usize,
    /// Records in one transaction, at most.
    pub batch_max_records: usize,
    /// Bytes of records in one transaction, at most.
    pub batch_max_bytes: usize,
    /// Key, value and headers of a record together, at most.
    pub max_record_bytes: usize,
    /// What to do about records that are gone unread.
    pub on_gap: OnGap,
    /// Organisation of a topic's records that name none.
    pub organizations: BTreeMap<String, Arc<str>>,
    /// Topics that carry replays.
    pub replay_topics: BTreeSet<String>,
    /// How long a graceful stop may take.
    pub shutdown_deadline: Duration,
    /// How long a healthy registry may not know an id.
    pub unknown_schema_after: Duration,
    /// Scopes the schema copies in the database.
    pub registry: String,
    /// Where refused records are published.
    pub dead_letter_topic: String,
    /// A larger value of a refused record is kept as its digest.
    pub dead_letter_max_bytes: usize,
    /// Which class an event is stored in.
    pub retention: Arc<RetentionRules>,
}

impl Settings {
    /// Takes what the ingestor needs; an error names the key that is missing.
    pub fn from_config(config: &AuditConfig) -> Result<Self, ConfigError> {
        let ingestor = &config.ingestor;
        let text =
            |(name, value): (&String, &credentials::Secret)| (name.clone(), value.expose_secret().to_owned());
        let organization = |(topic, name): (&String, &String)| (topic.clone(), Arc::from(name.as_str()));
        Ok(Self {
            database_url: DatabaseUrl::from(config.database.ingestor_url()?),
            bootstrap_servers: config.kafka.bootstrap_servers()?.to_owned(),
            cluster: config.kafka.cluster.clone(),
            kafka_properties: config.kafka.properties.iter().map(text).collect(),
            subscription: [ingestor.topics.as_slice(), ingestor.topic_patterns.as_slice()].concat(),
            group: ingestor.group.clone(),
            instance_id: ingestor.instance_id.clone(),
            lanes: ingestor.writers,
            batch_max_records: ingestor.batch_max_records,
            batch_max_bytes: ingestor.batch_max_bytes,
            max_record_bytes: ingestor.max_record_bytes,
            on_gap: match ingestor.on_gap {
                GapPolicy::Continue => OnGap::Continue,
                GapPolicy::Stop => OnGap::Stop,
            },
            organizations: ingestor.organizations.iter().map(organization).collect(),
            replay_topics: ingestor.replay_topics.iter().cloned().collect(),
            shutdown_deadline: ingestor.shutdown_deadline,
            unknown_schema_after: ingestor.unknown_schema_after,
            registry: config.registry.url()?.to_owned(),
            dead_letter_topic: config.dead_letters.topic.clone(),
            dead_letter_max_bytes: config.dead_letters.max_stored_bytes,
            retention: Arc::new(config.retention.clone()),
        })
    }
}
