//! A database, a topic, a dead-letter topic and the registry, ready for an ingestor.

use std::time::Duration;

use bus::{
    Outgoing,
    registry::{Registry, RegistryError},
};
use bytes::Bytes;
use shared::{
    avro::{canonical_schema_compact, encode_canonical, frame},
    envelope::Envelope,
};
use test_support::{Daemon, DaemonConfig, TestDatabase, TestTopic, registry_settings, unique};

use crate::account::{self, Account};

/// How long anything on this busy machine may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// What a test has of its own.
pub(crate) struct Rig {
    pub(crate) database: TestDatabase,
    pub(crate) topic: TestTopic,
    pub(crate) dead_letters: TestTopic,
    /// The registry's id of the canonical schema.
    pub(crate) schema_id: u32,
}

impl Rig {
    /// A rig whose topic has so many partitions.
    pub(crate) async fn new(partitions: i32) -> Self {
        Self::with_topic(TestTopic::create(partitions).await).await
    }

    /// A rig around this topic.
    pub(crate) async fn with_topic(topic: TestTopic) -> Self {
        let database = TestDatabase::create().await;
        let dead_letters = TestTopic::create_named(&unique("dlq"), 1, &[]).await;
        let schema_id = register("audit.events-value", &canonical_schema_compact()).await;
        Self { database, topic, dead_letters, schema_id }
    }

    /// The configuration of an ingestor for this rig, in one group for all ingestors of the test.
    pub(crate) fn config(&self) -> DaemonConfig {
        DaemonConfig::new(&self.database)
            .topics(&[self.topic.name()])
            .dead_letter_topic(self.dead_letters.name())
            .set("ingestor", "unknown_schema_after", "\"2s\"")
    }

    /// A started, ready ingestor.
    pub(crate) async fn ingestor(&self) -> Daemon {
        Daemon::ingestor(&self.config()).ready().await
    }

    /// A record of this envelope, keyed by its aggregate.
    pub(crate) fn record(&self, envelope: &Envelope) -> Outgoing {
        record(self.topic.name(), self.schema_id, envelope)
    }

    /// A record of this value.
    pub(crate) fn record_of(&self, key: &str, value: impl Into<Bytes>) -> Outgoing {
        keyed(self.topic.name(), key, value.into())
    }

    /// Waits until all that the topic holds is accounted for, checks the account, and gives it back.
    pub(crate) async fn settled(&self) -> Account {
        let ends = self.topic.end_offsets().await;
        account::caught_up(&self.database, self.topic.name(), &ends, PATIENCE).await;
        account::checked(&self.database).await
    }
}

/// A record of this envelope for any topic.
pub(crate) fn record(topic: &str, schema_id: u32, envelope: &Envelope) -> Outgoing {
    keyed(topic, &envelope.aggregate_id, Bytes::from(frame(schema_id, &encode_canonical(envelope))))
}

fn keyed(topic: &str, key: &str, value: Bytes) -> Outgoing {
    let key = Some(Bytes::copy_from_slice(key.as_bytes()));
    Outgoing { topic: topic.to_owned(), key, value: Some(value), ..Outgoing::default() }
}

/// Registers a schema; the registry is shared, so the id may be an old one.
pub(crate) async fn register(subject: &str, text: &str) -> u32 {
    let registry = Registry::new(&registry_settings()).expect("a registry client");
    let mut attempts = 0;
    loop {
        match registry.register(subject, text, &[]).await {
            Ok(id) => return id,
            Err(RegistryError::Unavailable(_)) if attempts < 20 => attempts += 1,
            Err(error) => panic!("{subject} cannot be registered: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
