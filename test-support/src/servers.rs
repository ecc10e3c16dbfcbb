//! The real servers that tests use, from the variables that `cargo xtask test` sets.

use std::path::PathBuf;

use service::config::{KafkaSettings, RegistrySettings};

/// The superuser's URL of the test PostgreSQL.
pub fn postgres_url() -> String {
    required("AUDIT_TEST_POSTGRES")
}

/// `host:port` of the test Kafka.
pub fn kafka_bootstrap() -> String {
    required("AUDIT_TEST_KAFKA")
}

/// The base URL of the test registry's Confluent API.
pub fn registry_url() -> String {
    required("AUDIT_TEST_REGISTRY")
}

/// The URL of the test RabbitMQ.
pub fn rabbitmq_url() -> String {
    required("AUDIT_TEST_RABBITMQ")
}

/// Debian's `prometheus`, for tests that start one.
pub fn prometheus_program() -> PathBuf {
    required("AUDIT_TEST_PROMETHEUS").into()
}

/// The test Kafka, as configuration.
pub fn kafka_settings() -> KafkaSettings {
    KafkaSettings { bootstrap_servers: Some(kafka_bootstrap()), ..KafkaSettings::default() }
}

/// The test registry, as configuration.
pub fn registry_settings() -> RegistrySettings {
    RegistrySettings { url: Some(registry_url()), ..RegistrySettings::default() }
}

fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run the tests by `cargo xtask test`, or start `cargo xtask servers` and source the file it names"
        )
    })
}
