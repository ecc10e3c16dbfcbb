//! Exchanges and queues of a test's own on a real RabbitMQ, and publishers that wait for its confirmation.

mod node;
pub mod numbered;

use std::time::Duration;

use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    message::Delivery,
    options::{
        BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions,
        QueueDeclareOptions, QueueDeleteOptions,
    },
    types::FieldTable,
};

pub use node::RabbitNode;

use crate::{DaemonConfig, servers, unique, wait_until};

/// Persistent, as everybody publishes what must not be lost.
const PERSISTENT: u8 = 2;

const REQUEST: Duration = Duration::from_mins(1);

/// A set of names that no other test has, and a connection.
#[derive(Debug)]
pub struct TestRabbit {
    url: String,
    prefix: String,
    connection: Connection,
}

/// Publishes with confirms and `mandatory`.
#[derive(Debug)]
pub struct Publisher {
    channel: Channel,
}

impl TestRabbit {
    /// On the test RabbitMQ.
    pub async fn new() -> Self {
        Self::on(&servers::rabbitmq_url()).await
    }

    /// On the one at this URL.
    pub async fn on(url: &str) -> Self {
        Self { url: url.to_owned(), prefix: unique("rabbit"), connection: connect(url).await }
    }

    /// This connection, with another's names: what they stand for has outlived the other's connection.
    pub fn named_as(self, other: &Self) -> Self {
        Self { prefix: other.prefix.clone(), ..self }
    }

    /// The URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name that this exchange or queue of the contract has in this test.
    pub fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// A bridge that uses this test's names, with the usual keys bound.
    pub fn configure(&self, config: DaemonConfig) -> DaemonConfig {
        let usual = service::config::RabbitMqSettings::default();
        let bindings: Vec<String> = usual
            .all_bindings()
            .map(|(exchange, routing_key)| format!("{}:{routing_key}", self.name(exchange)))
            .collect();
        let name = |name: &str| format!("{:?}", self.name(name));
        config
            .set("rabbitmq", "url", format!("{:?}", self.url))
            .set("rabbitmq", "queue", name(&usual.queue))
            .set("rabbitmq", "bindings", format!("{bindings:?}"))
            .set("rabbitmq", "dead_letter_exchange", name(&usual.dead_letter_exchange))
            .set("rabbitmq", "dead_letter_queue", name(&usual.dead_letter_queue))
            .set("rabbitmq", "check_interval", "\"1s\"")
    }

    /// The connection, for what this does not do.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A channel of its own, for what this does not do.
    pub async fn channel(&self) -> Channel {
        self.connection.create_channel().await.expect("a channel")
    }

    /// What publishes, with confirms.
    pub async fn publisher(&self) -> Publisher {
        Publisher::on(&self.connection).await.expect("a channel")
    }

    /// Publishes one message to this test's `exchange` and waits until RabbitMQ has it.
    pub async fn publish(&self, exchange: &str, routing_key: &str, properties: BasicProperties, body: &[u8]) {
        let publisher = self.publisher().await;
        assert!(
            publisher.publish(&self.name(exchange), routing_key, properties, body).await,
            "{exchange}:{routing_key} was not taken"
        );
    }

    /// How many messages wait in this test's `queue`; those that are delivered and unacknowledged do not count.
    pub async fn waiting(&self, queue: &str) -> u32 {
        let channel = self.channel().await;
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue =
            channel.queue_declare(self.name(queue).as_str().into(), passive, FieldTable::default()).await;
        queue.expect("the queue is there").message_count()
    }

    /// Takes so many messages out of this test's `queue`, in its order.
    pub async fn take(&self, queue: &str, count: usize) -> Vec<Delivery> {
        let (channel, mut taken) = (self.channel().await, Vec::new());
        let name = self.name(queue);
        while taken.len() < count {
            let message =
                wait_until(&format!("message {} is in {queue}", taken.len() + 1), REQUEST, || async {
                    let options = BasicGetOptions { no_ack: true };
                    channel.basic_get(name.as_str().into(), options).await.expect("the queue is there")
                })
                .await;
            taken.push(message.delivery);
        }
        taken
    }

    /// Removes what the bridge has made; call it at the end of a test that succeeded.
    pub async fn remove(self) {
        let usual = service::config::RabbitMqSettings::default();
        let channel = self.channel().await;
        for queue in [&usual.queue, &usual.dead_letter_queue] {
            let name = self.name(queue);
            channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await.expect("deleted");
        }
        let exchanges = usual.all_bindings().map(|(exchange, _)| exchange);
        let mut exchanges: Vec<_> = exchanges.chain([usual.dead_letter_exchange.as_str()]).collect();
        exchanges.sort_unstable();
        exchanges.dedup();
        for exchange in exchanges {
            let name = self.name(exchange);
            let deleting = channel.exchange_delete(name.as_str().into(), ExchangeDeleteOptions::default());
            deleting.await.expect("deleted");
        }
    }
}

impl Publisher {
    /// On a connection; `None` when it is lost.
    pub async fn on(connection: &Connection) -> Option<Self> {
        let channel = connection.create_channel().await.ok()?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.ok()?;
        Some(Self { channel })
    }

    /// Publishes a persistent message; whether RabbitMQ has said that it has it, in a queue.
    pub async fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        properties: BasicProperties,
        body: &[u8],
    ) -> bool {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = properties.with_delivery_mode(PERSISTENT);
        let publishing =
            self.channel.basic_publish(exchange.into(), routing_key.into(), options, body, properties).await;
        let Ok(confirm) = publishing else { return false };
        matches!(confirm.await, Ok(Confirmation::Ack(None)))
    }

    /// The channel, for many at once.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }
}

/// A connection to this URL, as soon as it can be had.
pub async fn connect(url: &str) -> Connection {
    wait_until("RabbitMQ can be connected to", REQUEST, || async {
        let connecting = Connection::connect(url, ConnectionProperties::default());
        tokio::time::timeout(Duration::from_secs(5), connecting).await.ok()?.ok()
    })
    .await
}
