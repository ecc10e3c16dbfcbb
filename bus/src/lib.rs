//! The one Kafka producer, the topic rules and the schema registry.
