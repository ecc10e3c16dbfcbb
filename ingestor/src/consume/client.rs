//! The consumer's settings: what the account relies on is not for configuration to change.

use bus::BrokerFaults;
use rdkafka::{ClientConfig, config::RDKafkaLogLevel, consumer::BaseConsumer, error::KafkaError};

use super::context::GroupContext;
use crate::{health::Conditions, settings::Settings};

/// Bounds of memory and pace; `kafka.properties` may set others. Each partition has a queue of its own ([`super::log`]),
/// and the bounds of queues are for each: one that holds 256 kB is not fetched. Fetches are small because their bytes are
/// compressed ones (1 MB of them was 10 MB of records), and what is fetched ahead costs several times its bytes in
/// librdkafka. `message.max.bytes` is a producer's limit that librdkafka raises `fetch.max.bytes` to; a larger batch still
/// comes whole.
///
/// A full queue is looked at again soon, since small ones are empty soon: librdkafka's own second starves the lanes. And a
/// broker is asked one thing at a time: were a question about partitions that are read to their ends to wait 100 ms, the
/// one that is behind, its queue full at that moment, would wait as long.
const DEFAULTS: [(&str, &str); 11] = [
    ("client.id", "audit-ingestor"),
    ("queued.max.messages.kbytes", "256"),
    ("queued.min.messages", "10000"),
    ("message.max.bytes", "131072"),
    ("fetch.max.bytes", "131072"),
    ("max.partition.fetch.bytes", "65536"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.wait.max.ms", "10"),
    ("topic.metadata.refresh.interval.ms", "10000"),
    ("reconnect.backoff.max.ms", "5000"),
    ("statistics.interval.ms", "5000"),
];

/// What semantics.md 4 rests on; `kafka.properties` cannot change it.
const FIXED: [(&str, &str); 10] = [
    ("group.protocol", "classic"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("check.crcs", "true"),
    ("isolation.level", "read_committed"),
    ("enable.partition.eof", "false"),
    ("allow.auto.create.topics", "false"),
    ("log.connection.close", "false"),
];

/// A member of the group, not subscribed yet.
pub fn create(settings: &Settings, conditions: Conditions) -> Result<BaseConsumer<GroupContext>, KafkaError> {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Warning);
    for (name, value) in DEFAULTS {
        config.set(name, value);
    }
    for (name, value) in &settings.kafka_properties {
        config.set(name, value);
    }
    for (name, value) in FIXED {
        config.set(name, value);
    }
    config.set("bootstrap.servers", &settings.bootstrap_servers);
    config.set("group.id", &settings.group);
    if let Some(instance) = &settings.instance_id {
        config.set("group.instance.id", instance);
    }
    let context = GroupContext::new(conditions, BrokerFaults::new(&config));
    config.create_with_context(context)
}
