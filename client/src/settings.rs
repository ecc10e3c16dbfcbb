//! What a producing service has to say.

use std::time::Duration;

use service::config::{KafkaSettings, RegistrySettings};

/// Where events go and how much may wait; every field has a default but the two addresses.
#[derive(Debug, Clone)]
pub struct ProducerSettings {
    /// The Kafka cluster, and librdkafka's properties such as `security.protocol`.
    pub kafka: KafkaSettings,
    /// The schema registry.
    pub registry: RegistrySettings,
    /// The topic: `audit.events`, or one of its family such as `audit.events.orders`. Keep one aggregate in one topic,
    /// or its events lose their order.
    pub topic: String,
    /// The name under which the brokers see this client.
    pub client_id: String,
    /// Bytes of events that may wait for Kafka's acknowledgement, 16 MiB by default; each event counts at least 1 KiB.
    pub waiting_bytes: usize,
    /// How long an event is kept and tried before it has failed, 10 minutes by default.
    pub delivery_timeout: Duration,
}

impl ProducerSettings {
    /// The defaults for these brokers (`host:port`, several separated by commas) and this registry (the base URL of
    /// its Confluent-compatible API).
    pub fn new(brokers: impl Into<String>, registry: impl Into<String>) -> Self {
        Self {
            kafka: KafkaSettings { bootstrap_servers: Some(brokers.into()), ..KafkaSettings::default() },
            registry: RegistrySettings { url: Some(registry.into()), ..RegistrySettings::default() },
            topic: "audit.events".to_owned(),
            client_id: "audit-trail-client".to_owned(),
            waiting_bytes: 16 * 1024 * 1024,
            delivery_timeout: Duration::from_mins(10),
        }
    }
}
