//! What every Kafka client of this project is configured with.

use credentials::ClientTls;
use rdkafka::ClientConfig;
use secrecy::ExposeSecret;
use service::config::{ConfigError, KafkaSettings};

use crate::faults;

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

/// By which TLS the brokers are spoken to, for whoever looks at their certificates; `None` = in the clear.
pub fn broker_tls(settings: &KafkaSettings) -> Result<Option<ClientTls>, ConfigError> {
    let config = kafka_client_config(settings, "audit-certificates")?;
    let protocol = config.get("security.protocol").unwrap_or_default();
    Ok(protocol.to_ascii_uppercase().ends_with("SSL").then(|| faults::tls_of(&config)))
}
