//! The part of the API that writes: it needs Kafka and the schema registry, and the reading part does without both.

use std::{sync::Arc, time::Duration};

use bus::{CanonicalSchema, Producer, ProducerLimits, dead_letter, registry::Registry};
use service::{Shutdown, backoff::Backoff, config::AuditConfig};
use shared::clock::Clock;
use store::{ApiWriter, DatabaseUrl, Reader};

use crate::{redrive::Redriver, replays::Replays, submit::Submitter};

/// The name that Kafka shows for our producer.
const CLIENT: &str = "audit-api";
/// The name that the database shows for connections of this part.
const APPLICATION: &str = "audit-api-writer";
/// Database connections of this part.
const CONNECTIONS: usize = 4;
/// Between two removals of keys whose lifetime is over.
const CLEANING: Duration = Duration::from_mins(1);
/// How long a record waits for others of its batch: a caller waits too.
const LINGER: Duration = Duration::from_millis(2);

/// What takes events, sends dead letters again and replays to topics.
#[derive(Clone)]
pub struct Writing {
    /// For events.
    pub submitter: Submitter,
    /// For dead letters.
    pub redriver: Redriver,
    /// For replays to topics.
    pub replays: Replays,
    producer: Producer,
}

impl Writing {
    /// Puts the parts together when the configuration names Kafka and the registry; connects to nothing yet.
    pub fn new(
        config: &AuditConfig,
        database: &DatabaseUrl,
        reader: &Reader,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Option<Self>> {
        if config.kafka.bootstrap_servers.is_none() || config.registry.url.is_none() {
            return Ok(None);
        }
        let largest = config.dead_letters.max_stored_bytes + dead_letter::ALLOWANCE;
        let limits = ProducerLimits {
            delivery_timeout: config.submissions.delivery_timeout,
            linger: LINGER,
            ..ProducerLimits::for_records_of(largest.max(config.ingestor.max_record_bytes))
        };
        let producer = Producer::new(&config.kafka, CLIENT, limits)?;
        let writer = ApiWriter::new(database, CONNECTIONS, APPLICATION)?;
        let schema = CanonicalSchema::new(Registry::new(&config.registry)?);
        let submitter = Submitter::new(config, producer.clone(), schema, writer.clone(), clock);
        let replays = Replays::new(config, reader.clone(), writer.clone(), submitter.clone())?;
        Ok(Some(Self { submitter, redriver: Redriver::new(producer.clone(), writer), replays, producer }))
    }

    /// Learns the schema's id, then removes old keys from time to time, until a stop is requested.
    pub async fn keep(self, shutdown: Shutdown) {
        let mut backoff = Backoff::reconnecting();
        while let Err(error) = self.submitter.warm_up().await {
            tracing::warn!(%error, "the schema registry cannot be asked; events cannot be taken yet");
            tokio::select! {
                () = shutdown.requested() => return,
                () = backoff.wait() => {}
            }
        }
        loop {
            match self.submitter.remove_expired_keys().await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "expired idempotency keys removed"),
                Err(error) => tracing::warn!(%error, "expired idempotency keys cannot be removed"),
            }
            tokio::select! {
                () = shutdown.requested() => return,
                () = tokio::time::sleep(CLEANING) => {}
            }
        }
    }

    /// Waits for what is on its way to Kafka, and says what did not arrive in time.
    pub async fn close(&self, deadline: Duration) {
        match self.producer.close(deadline).await {
            0 => {}
            count => tracing::error!(count, "records were not acknowledged before the end"),
        }
    }
}
