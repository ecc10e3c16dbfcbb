//! What every Kafka client of this project is configured with.

use rdkafka::ClientConfig;
use secrecy::ExposeSecret;
use service::config::{ConfigError, KafkaSettings};

/// Brokers, the configured properties, and `client.id`; the caller adds what its promises rest on, which therefore wins.
pub fn kafka_client_config(settings: &KafkaSettings, client_id: &str) -> Result<ClientConfig, ConfigError> {
    let mut config = ClientConfig::new();
    for (key, value) in &settings.properties {
        config.set(key, value.expose_secret());
    }
    config.set("bootstrap.servers", settings.bootstrap_servers()?);
    config.set("client.id", client_id);
    // A dropped idle connection is routine (the broker closes them after 10 minutes): not worth a log line.
    config.set("log.connection.close", "false");
    Ok(config)
}
