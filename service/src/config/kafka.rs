//! `[kafka]`: the cluster.

use std::collections::BTreeMap;

use credentials::Secret;
use serde::Deserialize;

use super::{ConfigError, lists};

/// How the Kafka cluster is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaSettings {
    /// `host:port`, several separated by commas.
    pub bootstrap_servers: Option<String>,
    /// The name under which the cluster's logs are kept; it is part of every leaf, so it never changes (semantics.md 4).
    pub cluster: String,
    /// librdkafka's own properties, such as `security.protocol`; never those that promises rest on.
    #[serde(deserialize_with = "lists::secret_map")]
    pub properties: BTreeMap<String, Secret>,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self { bootstrap_servers: None, cluster: "default".to_owned(), properties: BTreeMap::new() }
    }
}

/// Properties that decide what is lost or doubled; the code sets them.
const RESERVED: [&str; 22] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "client.id",
    "group.id",
    "group.instance.id",
    "acks",
    "request.required.acks",
    "auto.offset.reset",
    "check.crcs",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.ssl.certificate.verification",
    "enable.idempotence",
    "enable.partition.eof",
    "isolation.level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "partition.assignment.strategy",
    "partitioner",
    "transactional.id",
    "group.protocol",
];

impl KafkaSettings {
    /// The brokers; an error that names the key when they are absent.
    pub fn bootstrap_servers(&self) -> Result<&str, ConfigError> {
        self.bootstrap_servers.as_deref().ok_or_else(|| ConfigError::missing("kafka.bootstrap_servers"))
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.bootstrap_servers.as_ref().is_some_and(|servers| servers.trim().is_empty()) {
            return Err(ConfigError::key(
                "kafka.bootstrap_servers",
                "is empty: give host:port, separated by commas",
            ));
        }
        if self.cluster.is_empty() || self.cluster.len() > 255 || self.cluster.chars().any(char::is_control) {
            return Err(ConfigError::key(
                "kafka.cluster",
                "give a name of 1 to 255 bytes without control characters",
            ));
        }
        match self.properties.keys().find(|key| RESERVED.contains(&key.as_str())) {
            Some(key) => Err(ConfigError::key(
                format!("kafka.properties.\"{key}\""),
                "is set by the audit trail itself, because its promises rest on it: remove it",
            )),
            None => Ok(()),
        }
    }
}
