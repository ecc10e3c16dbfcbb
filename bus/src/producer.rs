//! The one producer: murmur2_random as Java's, idempotent, `acks=all`, bounded (semantics.md 13).

mod delivery;
mod error;
mod limits;
mod reach;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ThreadedProducer},
};
use service::config::{ConfigError, KafkaSettings};
use tokio::sync::{Semaphore, oneshot};

use crate::BrokerFaults;

pub use delivery::Delivery;
use delivery::{Acknowledging, Permits, Waiting};
pub use error::ProduceError;
pub use limits::ProducerLimits;

/// A record on its way to Kafka.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// The topic.
    pub topic: String,
    /// The key, which decides the partition.
    pub key: Option<Bytes>,
    /// The value; `None` is Kafka's null, `Some` of nothing is empty.
    pub value: Option<Bytes>,
    /// Headers, in order; names may repeat.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// A fixed partition; `None` lets the key decide, as it should.
    pub partition: Option<i32>,
    /// Milliseconds since 1970; `None` = now.
    pub timestamp_ms: Option<i64>,
}

impl Outgoing {
    /// Key, value and headers together, in bytes.
    pub fn size(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + length(value)).sum();
        length(&self.key) + length(&self.value) + headers
    }
}

/// Where an acknowledged record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// Room on top of a record's own bytes for Kafka's batch and record heads, so that the limit means the record's bytes.
const OVERHEAD: usize = 512;

/// The unit of the byte budget: permits are 32 bits wide.
const UNIT: usize = 1024;

/// The one producer; cheap to clone.
#[derive(Clone)]
pub struct Producer {
    shared: Arc<Inner>,
}

type Client = Arc<ThreadedProducer<Acknowledging>>;

struct Inner {
    client: RwLock<Client>,
    config: ClientConfig,
    faults: BrokerFaults,
    limits: ProducerLimits,
    records: Arc<Semaphore>,
    units: Arc<Semaphore>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

impl Producer {
    /// Makes the client; does not wait for a connection.
    pub fn new(
        settings: &KafkaSettings,
        client_id: &str,
        limits: ProducerLimits,
    ) -> Result<Self, ProduceError> {
        let config = producer_config(settings, client_id, &limits)?;
        let faults = BrokerFaults::new(&config);
        let client = client_of(&config, &faults).map_err(ProduceError::Client)?;
        let shared = Inner {
            client: RwLock::new(client),
            config,
            faults,
            limits,
            records: Arc::new(Semaphore::new(limits.in_flight_records)),
            units: Arc::new(Semaphore::new(units_of(&limits))),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Sends a record and waits until all replicas in sync have it.
    pub async fn send(&self, record: Outgoing) -> Result<Delivered, ProduceError> {
        self.enqueue(record).await?.await
    }

    /// Sends records in order and waits for all of them: what became of each, in the same order.
    ///
    /// For all of them together room is waited for at most `patience`; from the first that finds none on they are
    /// [`ProduceError::Busy`] and not sent, so that a later record of a key never overtakes an earlier one.
    pub async fn send_all(
        &self,
        records: impl IntoIterator<Item = Outgoing>,
        patience: Duration,
    ) -> Vec<Result<Delivered, ProduceError>> {
        let until = Instant::now() + patience;
        let mut handed_over = Vec::new();
        let mut is_busy = false;
        for record in records {
            let delivery = if is_busy {
                Err(ProduceError::Busy { topic: record.topic })
            } else {
                self.enqueue_within(record, until.saturating_duration_since(Instant::now())).await
            };
            is_busy |= matches!(delivery, Err(ProduceError::Busy { .. }));
            handed_over.push(delivery);
        }
        let mut outcomes = Vec::with_capacity(handed_over.len());
        for delivery in handed_over {
            outcomes.push(match delivery {
                Ok(delivery) => delivery.await,
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    /// As [`Producer::enqueue`], but waits for room at most `patience`; then [`ProduceError::Busy`].
    pub async fn enqueue_within(
        &self,
        record: Outgoing,
        patience: Duration,
    ) -> Result<Delivery, ProduceError> {
        let topic = record.topic.clone();
        let enqueued = tokio::time::timeout(patience, self.enqueue(record)).await;
        enqueued.unwrap_or(Err(ProduceError::Busy { topic }))
    }

    /// Hands a record over, waiting while too much is in flight; the answer is a future of its acknowledgement.
    ///
    /// Records of one partition are written in the order in which they were handed over. Dropped before it is ready,
    /// the record has not been sent.
    pub async fn enqueue(&self, record: Outgoing) -> Result<Delivery, ProduceError> {
        let bytes = record.size();
        let limit = self.shared.limits.max_record_bytes;
        if bytes > limit {
            return Err(ProduceError::TooLarge { topic: record.topic, bytes, limit });
        }
        let (sender, receiver) = oneshot::channel();
        let Some(permits) = self.room_for(bytes).await else {
            return Err(ProduceError::Closed { topic: record.topic });
        };
        let mut waiting = Box::new(Waiting::new(sender, permits));
        loop {
            match self.client().send(to_kafka(&record, waiting)) {
                Ok(()) => {
                    return Ok(Delivery::new(receiver, record.topic, self.clone()));
                }
                // Ours is the tighter bound, so this is rare; waiting keeps the promise never to drop.
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    waiting = refused.delivery_opaque;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err((cause, _)) => {
                    self.renew_after_fatal();
                    return Err(ProduceError::NotDelivered { topic: record.topic, cause });
                }
            }
        }
    }

    /// Records handed over and not yet acknowledged.
    pub fn in_flight(&self) -> i32 {
        self.client().in_flight_count()
    }

    /// Waits until everything handed over is acknowledged or has failed.
    pub async fn flush(&self, deadline: Duration) -> Result<(), ProduceError> {
        let client = self.client();
        let flushing = tokio::task::spawn_blocking(move || {
            let flushed = client.flush(deadline);
            (flushed, client.in_flight_count())
        });
        match flushing.await {
            Ok((Ok(()), _)) => Ok(()),
            Ok((Err(_), records)) => Err(ProduceError::Unflushed { records }),
            // Only a panic inside librdkafka's wrapper, or a runtime that is going away.
            Err(_) => Err(ProduceError::Unflushed { records: self.in_flight() }),
        }
    }

    /// The end: takes nothing more ([`ProduceError::Closed`]) and waits for what is in flight, at most `deadline`.
    /// Answers how many records were not acknowledged by then; they may arrive or not.
    pub async fn close(&self, deadline: Duration) -> usize {
        self.shared.records.close();
        self.shared.units.close();
        // An error only says that some are left, which are counted here.
        let _ = self.flush(deadline).await;
        // A record's room is given back when Kafka has answered for it.
        self.shared.limits.in_flight_records.saturating_sub(self.shared.records.available_permits())
    }

    /// `None` = closed.
    async fn room_for(&self, bytes: usize) -> Option<Permits> {
        let units =
            u32::try_from(bytes.div_ceil(UNIT).clamp(1, units_of(&self.shared.limits))).unwrap_or(u32::MAX);
        let record = Arc::clone(&self.shared.records).acquire_owned().await.ok()?;
        let budget = Arc::clone(&self.shared.units).acquire_many_owned(units).await.ok()?;
        Some(Permits::new(record, budget))
    }

    fn client(&self) -> Client {
        Arc::clone(&self.shared.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// An idempotent producer whose sequence is broken refuses everything from then on: a new one takes its place.
    fn renew_after_fatal(&self) {
        let mut client = self.shared.client.write().unwrap_or_else(PoisonError::into_inner);
        let Some((code, reason)) = client.client().fatal_error() else { return };
        tracing::error!(%code, reason, "the Kafka producer met a fatal error and is made anew");
        match client_of(&self.shared.config, &self.shared.faults) {
            Ok(new) => *client = new,
            Err(error) => tracing::error!(%error, "the Kafka producer cannot be made anew"),
        }
    }
}

fn client_of(config: &ClientConfig, faults: &BrokerFaults) -> Result<Client, KafkaError> {
    config.create_with_context(Acknowledging(faults.clone())).map(Arc::new)
}

fn producer_config(
    settings: &KafkaSettings,
    client_id: &str,
    limits: &ProducerLimits,
) -> Result<ClientConfig, ConfigError> {
    let mut config = crate::kafka_client_config(settings, client_id)?;
    let milliseconds = |time: Duration| time.as_millis().to_string();
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("compression.type", "zstd")
        .set("linger.ms", milliseconds(limits.linger))
        .set("delivery.timeout.ms", milliseconds(limits.delivery_timeout))
        .set("message.max.bytes", (limits.max_record_bytes + OVERHEAD).to_string())
        // Wider than our own bounds, which are the ones that wait.
        .set("queue.buffering.max.messages", (limits.in_flight_records + 1).to_string())
        .set("queue.buffering.max.kbytes", (2 * units_of(limits) + 1024).to_string());
    Ok(config)
}

/// The byte budget in units; at least one record of the largest size fits.
fn units_of(limits: &ProducerLimits) -> usize {
    limits.in_flight_bytes.max(limits.max_record_bytes).div_ceil(UNIT).max(1)
}

fn to_kafka(record: &Outgoing, waiting: Box<Waiting>) -> BaseRecord<'_, [u8], [u8], Box<Waiting>> {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for (key, value) in &record.headers {
        headers = headers.insert(Header { key, value: value.as_deref() });
    }
    BaseRecord {
        topic: &record.topic,
        partition: record.partition,
        payload: record.value.as_deref(),
        key: record.key.as_deref(),
        timestamp: record.timestamp_ms,
        headers: (!record.headers.is_empty()).then_some(headers),
        delivery_opaque: waiting,
    }
}
