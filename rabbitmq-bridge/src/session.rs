//! One stretch of consuming: from a connection to whatever ends it.

use std::sync::Arc;

use bus::{CanonicalSchema, ProduceError, Producer, registry::RegistryError};
use lapin::{
    Channel, Connection, Consumer,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use service::{Shutdown, config::RabbitMqSettings};
use tracing::{info, warn};

use crate::{
    broker::{Broker, BrokerError, within},
    metrics,
    pipeline::Pipeline,
    topology::{self, TopologyError},
};

/// What the bridge goes by.
#[derive(Debug)]
pub struct Settings {
    /// `[rabbitmq]`.
    pub rabbitmq: Arc<RabbitMqSettings>,
    /// How long Kafka may take to say that it is there.
    pub kafka_patience: std::time::Duration,
}

/// Everything that outlives a session.
pub struct Bridge {
    /// To RabbitMQ.
    pub broker: Broker,
    /// The id under which events are framed.
    pub schema: CanonicalSchema,
    /// What messages flow through.
    pub pipeline: Pipeline,
}

/// Why consuming ended, or could not begin.
#[derive(Debug, thiserror::Error)]
pub enum Interruption {
    /// No connection, or it is lost.
    #[error("RabbitMQ: {0}")]
    Broker(#[from] BrokerError),
    /// An exchange or a queue is missing.
    #[error("RabbitMQ: {0}")]
    Topology(#[from] TopologyError),
    /// RabbitMQ has ended the consumer, as it does when the queue is deleted.
    #[error("RabbitMQ: the consumer was cancelled: the queue is gone, or its node")]
    Cancelled,
    /// The canonical schema's id is not known.
    #[error("the schema registry: {0}")]
    Registry(#[from] RegistryError),
    /// Kafka does not answer, or did not acknowledge in time.
    #[error("Kafka: {0}")]
    Kafka(#[from] ProduceError),
}

/// The same as a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The connection to RabbitMQ.
    Connection,
    /// A message that the client cannot read.
    Unreadable,
    /// Exchanges, queues, bindings.
    Topology,
    /// The consumer was cancelled.
    Cancelled,
    /// The schema registry.
    Registry,
    /// Kafka.
    Kafka,
}

impl Ending {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Connection, Self::Unreadable, Self::Topology, Self::Cancelled, Self::Registry, Self::Kafka];

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Unreadable => "unreadable",
            Self::Topology => "topology",
            Self::Cancelled => "cancelled",
            Self::Registry => "registry",
            Self::Kafka => "kafka",
        }
    }
}

impl Interruption {
    /// What kind of ending it is.
    pub fn ending(&self) -> Ending {
        match self {
            Self::Broker(error) if error.is_unreadable() => Ending::Unreadable,
            Self::Broker(_) | Self::Topology(TopologyError::Broker(_)) => Ending::Connection,
            Self::Topology(_) => Ending::Topology,
            Self::Cancelled => Ending::Cancelled,
            Self::Registry(_) => Ending::Registry,
            Self::Kafka(_) => Ending::Kafka,
        }
    }
}

/// A consumer that delivers, and what it hangs on.
struct Consuming {
    connection: Connection,
    channel: Channel,
    consumer: Consumer,
    schema_id: u32,
}

impl Bridge {
    /// Connects, makes sure of all that is needed, and consumes. `flowing` is called when messages begin to flow.
    pub async fn session(
        &self,
        prefetch: u16,
        shutdown: &Shutdown,
        flowing: impl FnOnce(),
    ) -> Result<(), Interruption> {
        let Consuming { connection, channel, consumer, schema_id } = tokio::select! {
            () = shutdown.requested() => return Ok(()),
            consuming = self.begin(prefetch) => consuming?,
        };
        metrics::consuming(true);
        flowing();
        let outcome = tokio::select! {
            ended = self.pipeline.run(&channel, consumer, schema_id, shutdown) => ended,
            ended = self.look_after(&connection) => ended,
        };
        metrics::consuming(false);
        // What is unacknowledged goes back to the queue. A connection that is lost is closed already.
        let _ = within("connection.close", connection.close(200, "done".into())).await;
        outcome
    }

    async fn begin(&self, prefetch: u16) -> Result<Consuming, Interruption> {
        let (settings, conditions) = (&self.pipeline.settings, &self.pipeline.conditions);
        let connection = self.broker.connect("audit-rabbitmq-bridge").await?;
        // Before anything else is asked for: what is published while Kafka is away must find its queue.
        for made in topology::ensure(&connection, &settings.rabbitmq).await? {
            info!(made, "rabbitmq_declared");
        }
        conditions.rabbitmq.met();
        let schema_id = self.schema.id().await?;
        conditions.registry.met();
        // Before the first message: what Kafka does not take would only come and go.
        self.pipeline.producer.find_topic(&settings.rabbitmq.topic, settings.kafka_patience).await?;
        conditions.kafka.met();
        let channel = within("channel.open", connection.create_channel()).await?;
        within("basic.qos", channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
        let (queue, tag) = (settings.rabbitmq.queue.as_str().into(), "audit-rabbitmq-bridge".into());
        let consuming =
            channel.basic_consume(queue, tag, BasicConsumeOptions::default(), FieldTable::default());
        let consumer = within("basic.consume", consuming).await?;
        Ok(Consuming { connection, channel, consumer, schema_id })
    }

    /// Looks now and then whether exchanges, queues and bindings are still there; ends only with the connection.
    async fn look_after(&self, connection: &Connection) -> Result<(), Interruption> {
        let (settings, conditions) = (&self.pipeline.settings, &self.pipeline.conditions);
        loop {
            tokio::time::sleep(settings.rabbitmq.check_interval).await;
            match topology::ensure(connection, &settings.rabbitmq).await {
                Ok(made) => {
                    for made in made {
                        warn!(made, "rabbitmq_declared: it was gone");
                    }
                    conditions.rabbitmq.met();
                }
                Err(TopologyError::Broker(error)) => return Err(error.into()),
                // What is in the queue still flows.
                Err(error) => conditions.rabbitmq.unmet(error.to_string()),
            }
        }
    }
}

/// The Kafka client that the pipeline needs: as much in flight as RabbitMQ delivers ahead.
pub fn producer(config: &service::config::AuditConfig) -> Result<Producer, ProduceError> {
    let limits = bus::ProducerLimits {
        in_flight_records: usize::from(config.rabbitmq.prefetch),
        // Longer than Kafka needs to come back, shorter than RabbitMQ waits for an acknowledgement (30 min).
        delivery_timeout: std::time::Duration::from_mins(10),
        ..bus::ProducerLimits::for_records_of(config.ingestor.max_record_bytes)
    };
    Producer::new(&config.kafka, "audit-rabbitmq-bridge", limits)
}
