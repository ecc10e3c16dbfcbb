//! The one Kafka producer, the topic rules and the schema registry.
//!
//! Beside `ingestor`, the only crate on librdkafka. Whatever this project writes to Kafka goes through [`Producer`].

pub mod client;
pub mod dead_letter;
pub mod events;
pub mod faults;
pub mod producer;
pub mod registry;
pub mod replay;
pub mod topics;

pub use client::{broker_tls, kafka_client_config};
pub use events::{CanonicalSchema, EventRecord, EventRules};
pub use faults::BrokerFaults;
pub use producer::{Delivered, Delivery, Outgoing, ProduceError, Producer, ProducerLimits};
pub use rdkafka::types::RDKafkaErrorCode as ErrorCode;
