//! How events leave: at their pace, to Kafka, to RabbitMQ or to standard output.

mod rabbitmq;

use std::{
    io::Write,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bus::{CanonicalSchema, Delivery, EventRules, Producer, ProducerLimits, registry::Registry, topics};
use service::config::AuditConfig;
use shared::{
    clock::{Clock, SystemClock},
    envelope::Envelope,
};

use crate::json_line;
pub use rabbitmq::RabbitSender;

/// Acknowledgements that are awaited later, at most.
const AHEAD: usize = 4096;

/// Where events go, one after the other.
#[derive(Debug)]
pub enum Sender {
    /// A Kafka topic.
    Kafka(Box<KafkaSender>),
    /// RabbitMQ's exchanges.
    Rabbit(Box<RabbitSender>),
    /// Standard output.
    Stdout,
}

/// The way to one topic.
#[derive(Debug)]
pub struct KafkaSender {
    producer: Producer,
    rules: EventRules,
    topic: String,
    schema_id: u32,
    deliveries: Vec<Delivery>,
}

impl KafkaSender {
    /// Connects; the topic must be there, and the schema is registered when it is not.
    pub async fn connect(config: &AuditConfig, topic: &str) -> anyhow::Result<Self> {
        let found = topics::describe(&config.kafka, &[topic.to_owned()]).await?;
        anyhow::ensure!(
            !found.is_empty(),
            "there is no topic {topic}: `trailctl topics apply` makes those of the configuration"
        );
        let registry = CanonicalSchema::new(Registry::new(&config.registry)?);
        let schema_id = registry.id().await.context("the canonical schema's id")?;
        let limits = ProducerLimits::for_records_of(config.ingestor.max_record_bytes);
        let producer = Producer::new(&config.kafka, "audit-generator", limits)?;
        let rules = EventRules::for_topic(config, topic);
        Ok(Self { producer, rules, topic: topic.to_owned(), schema_id, deliveries: Vec::new() })
    }

    async fn send(&mut self, envelope: Envelope) -> anyhow::Result<()> {
        let record = self.rules.check(envelope, SystemClock.now())?;
        let delivery = self.producer.enqueue(record.into_outgoing(&self.topic, self.schema_id)).await?;
        self.deliveries.push(delivery);
        if self.deliveries.len() >= AHEAD { self.settle().await } else { Ok(()) }
    }

    async fn settle(&mut self) -> anyhow::Result<()> {
        for delivery in self.deliveries.drain(..) {
            delivery.await?;
        }
        Ok(())
    }
}

impl Sender {
    /// Hands one event over.
    pub async fn send(&mut self, envelope: Envelope) -> anyhow::Result<()> {
        match self {
            Self::Kafka(sender) => sender.send(envelope).await,
            Self::Rabbit(sender) => sender.send(&envelope).await,
            Self::Stdout => {
                let line = json_line::of(&envelope)?;
                writeln!(std::io::stdout().lock(), "{line}").context("writing to standard output")
            }
        }
    }

    /// Waits until everything has arrived.
    pub async fn finish(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Kafka(sender) => sender.settle().await,
            Self::Rabbit(sender) => sender.settle().await,
            Self::Stdout => std::io::stdout().flush().context("writing to standard output"),
        }
    }
}

/// Spreads events over time: the n-th is due n / rate seconds after the first.
#[derive(Debug)]
pub struct Pace {
    begun: Instant,
    rate: u32,
}

impl Pace {
    /// So many a second from now on.
    pub fn new(rate: u32) -> Self {
        Self { begun: Instant::now(), rate }
    }

    /// Waits until event `number` is due.
    pub async fn wait(&self, number: u64) {
        let nanos = u128::from(number) * 1_000_000_000 / u128::from(self.rate.max(1));
        let due = self.begun + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        // Timers have a grain of a millisecond; what is due within it goes now.
        if due > Instant::now() + Duration::from_millis(1) {
            tokio::time::sleep_until(due.into()).await;
        }
    }
}
