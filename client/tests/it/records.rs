//! What tests share: producers to somewhere and to nowhere, and the events that a topic holds.

use std::collections::BTreeMap;

use audit_trail_client::{AuditEvent, AuditProducer, Mint, ProducerSettings};
use serde_json::Value;
use shared::avro::{CANONICAL_SCHEMA, WriterSchema, unframe};
use shared::envelope::Envelope;
use test_support::{TestRegistry, TestTopic, servers};

/// Addresses at which nobody answers.
pub(crate) const NOWHERE: [&str; 2] = ["127.0.0.1:1", "http://127.0.0.1:1"];

/// Settings for the test servers and this topic; the canonical schema is registered, as an operator would have done.
pub(crate) async fn settings(topic: &TestTopic) -> ProducerSettings {
    TestRegistry::connect().await;
    ProducerSettings {
        topic: topic.name().to_owned(),
        ..ProducerSettings::new(servers::kafka_bootstrap(), servers::registry_url())
    }
}

/// A producer to this topic.
pub(crate) async fn producer(topic: &TestTopic) -> AuditProducer {
    AuditProducer::start(&settings(topic).await, Mint::system()).expect("a producer")
}

/// A producer whose Kafka and registry never answer, with room for about a thousand small events.
pub(crate) fn producer_to_nowhere() -> AuditProducer {
    let [kafka, registry] = NOWHERE;
    let settings = ProducerSettings { waiting_bytes: 0, ..ProducerSettings::new(kafka, registry) };
    AuditProducer::start(&settings, Mint::system()).expect("a producer")
}

/// Offers events until there is no room for another; how many found room.
pub(crate) fn fill(producer: &AuditProducer) -> u64 {
    while producer.offer(order("full", 0).build(producer.mint()).expect("valid")).is_ok() {}
    producer.stats().taken
}

/// An order's event.
pub(crate) fn order(id: &str, version: u32) -> audit_trail_client::EventBuilder {
    AuditEvent::named("OrderPlaced")
        .of("Order", id)
        .version(version)
        .payload(&serde_json::json!({ "total": "12.50" }))
        .user("ana")
        .organization("demo")
        .source("shop")
}

/// A record's event, with the trace it came with.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) envelope: Envelope,
    pub(crate) traceparent: Option<String>,
    pub(crate) key: String,
}

impl Found {
    pub(crate) fn payload(&self) -> Value {
        serde_json::from_str(&self.envelope.payload).expect("JSON")
    }

    pub(crate) fn metadata(&self) -> &BTreeMap<String, String> {
        &self.envelope.metadata
    }
}

/// The events that a topic holds.
pub(crate) async fn events(topic: &TestTopic) -> Vec<Found> {
    let schema = WriterSchema::parse(CANONICAL_SCHEMA, &[]).expect("our own schema");
    let found = topic.read_all().await.into_iter().map(|record| {
        let (_, datum) = unframe(record.value.as_deref(), None).expect("framed");
        Found {
            envelope: schema.decode(datum).expect("a canonical datum"),
            traceparent: record.header("traceparent").map(str::to_owned),
            key: String::from_utf8(record.key.expect("a key").to_vec()).expect("text"),
        }
    });
    found.collect()
}
