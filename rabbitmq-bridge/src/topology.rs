//! Exchanges, queues and bindings: looked for first, made only where absent (contract.md, RabbitMQ; semantics.md 13).
//!
//! A queue of older services keeps its type and arguments. No queue gets a time to live: it would dead-letter healthy
//! messages whenever nobody consumes for so long (F06).

use lapin::{
    Channel, Connection, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, LongString, ShortString},
};
use service::config::{DeclarePolicy, RabbitMqSettings};

use crate::broker::{BrokerError, within};

/// What is there, or not, and what was to be done about it.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// It is absent, and somebody else is to make it.
    #[error("{kind} {name} is absent, and rabbitmq.declare = \"never\" leaves it to others to make it")]
    Absent {
        /// Exchange or queue.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// RabbitMQ refuses to look for it, to make it or to bind it.
    #[error(
        "{kind} {name} cannot be declared: {cause}; make it by hand, and set rabbitmq.declare = \"never\""
    )]
    Refused {
        /// Exchange, queue or binding.
        kind: &'static str,
        /// Its name.
        name: String,
        /// RabbitMQ's words.
        cause: BrokerError,
    },
    /// The connection failed meanwhile.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// After so many deliveries that nobody acknowledged a message is dead-lettered by RabbitMQ itself. The bridge acknowledges
/// whatever it can read, so this is for what kills its client; a thousand, because each kill -9 counts as one (from
/// RabbitMQ 4.0 on the limit would be 20).
const DELIVERY_LIMIT: i32 = 1000;

/// Who looks at the dead letters and puts them back must not lose them by looking often.
const NO_DELIVERY_LIMIT: i32 = i32::MAX;

const NOT_FOUND: u16 = 404;

/// Makes sure of everything that the bridge needs; says what was made.
pub async fn ensure(
    connection: &Connection,
    settings: &RabbitMqSettings,
) -> Result<Vec<String>, TopologyError> {
    let mut declaring = Declaring::new(connection, settings).await?;
    declaring.dead_letters().await?;
    declaring.consumed().await?;
    declaring.end().await
}

/// Makes sure of what dead letters need.
pub async fn ensure_dead_letters(
    connection: &Connection,
    settings: &RabbitMqSettings,
) -> Result<Vec<String>, TopologyError> {
    let mut declaring = Declaring::new(connection, settings).await?;
    declaring.dead_letters().await?;
    declaring.end().await
}

struct Declaring<'a> {
    connection: &'a Connection,
    settings: &'a RabbitMqSettings,
    /// A failed request closes it; then there is a new one.
    channel: Channel,
    made: Vec<String>,
}

impl<'a> Declaring<'a> {
    async fn new(connection: &'a Connection, settings: &'a RabbitMqSettings) -> Result<Self, TopologyError> {
        let channel = within("channel.open", connection.create_channel()).await?;
        Ok(Self { connection, settings, channel, made: Vec::new() })
    }

    async fn end(self) -> Result<Vec<String>, TopologyError> {
        within("channel.close", self.channel.close(200, "done".into())).await?;
        Ok(self.made)
    }

    async fn dead_letters(&mut self) -> Result<(), TopologyError> {
        let (exchange, queue) = (&self.settings.dead_letter_exchange, &self.settings.dead_letter_queue);
        self.exchange(exchange).await?;
        self.queue(queue, quorum(NO_DELIVERY_LIMIT)).await?;
        self.bind(queue, exchange, "#").await
    }

    async fn consumed(&mut self) -> Result<(), TopologyError> {
        let mut exchanges: Vec<&str> = self.settings.all_bindings().map(|(exchange, _)| exchange).collect();
        exchanges.sort_unstable();
        exchanges.dedup();
        for exchange in exchanges {
            self.exchange(exchange).await?;
        }
        let mut arguments = quorum(DELIVERY_LIMIT);
        arguments.insert("x-dead-letter-exchange".into(), text(&self.settings.dead_letter_exchange));
        if self.settings.single_active_consumer {
            arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        }
        self.queue(&self.settings.queue, arguments).await?;
        for (exchange, routing_key) in self.settings.all_bindings() {
            self.bind(&self.settings.queue, exchange, routing_key).await?;
        }
        Ok(())
    }

    async fn exchange(&mut self, name: &str) -> Result<(), TopologyError> {
        let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let found = self.declare_exchange(name, passive).await;
        if self.is_there("exchange", name, found).await? {
            return Ok(());
        }
        let made = self.declare_exchange(name, durable).await;
        self.is_made("exchange", name, made)
    }

    async fn queue(&mut self, name: &str, arguments: FieldTable) -> Result<(), TopologyError> {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let found = self.declare_queue(name, passive, FieldTable::default()).await;
        if self.is_there("queue", name, found).await? {
            return Ok(());
        }
        let made = self.declare_queue(name, durable, arguments).await;
        self.is_made("queue", name, made)
    }

    /// A binding that is there already stays; with `never` it is not ours to make.
    async fn bind(&mut self, queue: &str, exchange: &str, routing_key: &str) -> Result<(), TopologyError> {
        if self.settings.declare == DeclarePolicy::Never {
            return Ok(());
        }
        let (queue_name, options) = (ShortString::from(queue), QueueBindOptions::default());
        let binding = self.channel.queue_bind(
            queue_name,
            exchange.into(),
            routing_key.into(),
            options,
            FieldTable::default(),
        );
        match within("queue.bind", binding).await {
            Ok(()) => Ok(()),
            Err(cause) => Err(refused("binding", &format!("{exchange}:{routing_key}"), cause)),
        }
    }

    async fn declare_exchange(&self, name: &str, options: ExchangeDeclareOptions) -> Result<(), BrokerError> {
        let declaring =
            self.channel.exchange_declare(name.into(), ExchangeKind::Topic, options, FieldTable::default());
        within("exchange.declare", declaring).await
    }

    async fn declare_queue(
        &self,
        name: &str,
        options: QueueDeclareOptions,
        arguments: FieldTable,
    ) -> Result<(), BrokerError> {
        let declaring = self.channel.queue_declare(name.into(), options, arguments);
        within("queue.declare", declaring).await.map(|_| ())
    }

    /// The answer to a passive declaration.
    async fn is_there(
        &mut self,
        kind: &'static str,
        name: &str,
        found: Result<(), BrokerError>,
    ) -> Result<bool, TopologyError> {
        match found {
            Ok(()) => Ok(true),
            Err(error) if error.code() == Some(NOT_FOUND) => {
                if self.settings.declare == DeclarePolicy::Never {
                    return Err(TopologyError::Absent { kind, name: name.to_owned() });
                }
                self.channel = within("channel.open", self.connection.create_channel()).await?;
                Ok(false)
            }
            Err(cause) => Err(refused(kind, name, cause)),
        }
    }

    fn is_made(
        &mut self,
        kind: &'static str,
        name: &str,
        made: Result<(), BrokerError>,
    ) -> Result<(), TopologyError> {
        made.map_err(|cause| refused(kind, name, cause))?;
        self.made.push(format!("{kind} {name}"));
        Ok(())
    }
}

/// A code is RabbitMQ's own word; without one the connection is what failed.
fn refused(kind: &'static str, name: &str, cause: BrokerError) -> TopologyError {
    match cause.code() {
        Some(_) => TopologyError::Refused { kind, name: name.to_owned(), cause },
        None => TopologyError::Broker(cause),
    }
}

fn quorum(delivery_limit: i32) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(delivery_limit));
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}
