//! The real test registry with the canonical schema in it.

use bus::registry::{Reference, Registry};
use bytes::Bytes;
use shared::{
    avro::{self, canonical_schema_compact},
    envelope::Envelope,
};

use crate::{EventBuilder, servers, unique};
use bus::Outgoing;

/// The registry of the test servers.
#[derive(Debug, Clone)]
pub struct TestRegistry {
    registry: Registry,
    canonical: u32,
}

impl TestRegistry {
    /// Connects, and registers the canonical schema under `audit.events-value` when it is not there yet.
    pub async fn connect() -> Self {
        let registry = Registry::new(&servers::registry_settings()).expect("the registry is configured");
        let text = canonical_schema_compact();
        let canonical = registry
            .register("audit.events-value", &text, &[])
            .await
            .expect("the canonical schema is registered");
        Self { registry, canonical }
    }

    /// The client.
    pub fn client(&self) -> &Registry {
        &self.registry
    }

    /// The id of the canonical schema.
    pub fn canonical_id(&self) -> u32 {
        self.canonical
    }

    /// Registers a schema under a subject that no other test has; its id.
    pub async fn register(&self, text: &str, references: &[Reference]) -> u32 {
        let subject = format!("{}-value", unique("schema"));
        self.registry.register(&subject, text, references).await.expect("the schema is registered")
    }

    /// The record's value: framed, canonical Avro.
    pub fn value(&self, envelope: &Envelope) -> Bytes {
        avro::frame(self.canonical, &avro::encode_canonical(envelope)).into()
    }

    /// The record that a producer would send: the aggregate id as key, the framed envelope as value.
    pub fn record(&self, event: EventBuilder) -> Outgoing {
        let envelope = event.build();
        Outgoing {
            key: Some(Bytes::from(envelope.aggregate_id.clone())),
            value: Some(self.value(&envelope)),
            ..Outgoing::default()
        }
    }
}
