//! What no event can be made of, published to the dead-letter exchange with the reason in headers, confirmed, and only
//! then acknowledged where it came from.
//!
//! RabbitMQ's own dead-lettering cannot say why, so the bridge publishes by itself: `mandatory`, with confirms, on a
//! connection of its own, because RabbitMQ's alarms block whole connections that publish, acknowledgements included.

mod letter;

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use lapin::{
    Channel, Confirmation, Connection, Event,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use service::{backoff::Backoff, config::RabbitMqSettings};
use tokio::sync::Mutex;
use tracing::info;

use crate::{
    broker::{Broker, BrokerError, within},
    delivered::Message,
    health::Said,
    mapped::Refused,
    metrics,
    topology::{self, TopologyError},
};

/// What publishes dead letters; cheap to clone.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    shared: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    broker: Broker,
    settings: Arc<RabbitMqSettings>,
    condition: Said,
    /// Made when the first message is refused.
    link: Mutex<Option<Arc<Link>>>,
}

#[derive(Debug)]
struct Link {
    connection: Connection,
    channel: Channel,
}

#[derive(Debug, thiserror::Error)]
enum LetterError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Topology(#[from] TopologyError),
    #[error("no queue takes what is published to {0}")]
    Unroutable(String),
    #[error("RabbitMQ could not keep a dead letter")]
    NotKept,
}

impl DeadLetters {
    /// Does not connect yet.
    pub fn new(broker: Broker, settings: Arc<RabbitMqSettings>, condition: Said) -> Self {
        Self { shared: Arc::new(Inner { broker, settings, condition, link: Mutex::new(None) }) }
    }

    /// Publishes a message until RabbitMQ has confirmed it; waits, and says so, while it cannot.
    pub async fn publish(&self, message: &Message, refused: &Refused) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            match self.shared.attempt(message, refused).await {
                Ok(()) => return self.shared.condition.met(),
                Err(error) => self.shared.condition.unmet(format!("dead letters wait: {error}")),
            }
            backoff.wait().await;
        }
    }

    /// Closes the connection, if there is one.
    pub async fn close(&self) {
        if let Some(link) = self.shared.link.lock().await.take() {
            // It ends with the process in any case.
            let _ = within("connection.close", link.connection.close(200, "stopping".into())).await;
        }
    }
}

impl Inner {
    async fn attempt(&self, message: &Message, refused: &Refused) -> Result<(), LetterError> {
        let link = self.link().await?;
        let outcome = self.publish_on(&link, message, refused).await;
        if let Err(error) = &outcome {
            self.forget(&link).await;
            if matches!(error, LetterError::Unroutable(_)) {
                topology::ensure_dead_letters(&link.connection, &self.settings).await?;
            }
        }
        outcome
    }

    async fn publish_on(&self, link: &Link, message: &Message, refused: &Refused) -> Result<(), LetterError> {
        let properties = letter::properties(message, refused, &self.settings.queue, self.broker.user());
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let exchange = &self.settings.dead_letter_exchange;
        // Without a bound of time: while RabbitMQ has an alarm it does not read, and heartbeats find what is dead.
        let publishing = link.channel.basic_publish(
            exchange.as_str().into(),
            message.routing_key.clone(),
            options,
            &message.body,
            properties,
        );
        let confirm = publishing.await.map_err(BrokerError::from)?;
        match confirm.await.map_err(BrokerError::from)? {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(_)) => Err(LetterError::Unroutable(exchange.clone())),
            Confirmation::Nack(_) | Confirmation::NotRequested => Err(LetterError::NotKept),
        }
    }

    async fn link(&self) -> Result<Arc<Link>, LetterError> {
        let mut link = self.link.lock().await;
        let usable = link
            .take()
            .filter(|link| link.connection.status().connected() && link.channel.status().connected());
        let found = match usable {
            Some(found) => found,
            None => Arc::new(self.connect().await?),
        };
        *link = Some(Arc::clone(&found));
        Ok(found)
    }

    async fn connect(&self) -> Result<Link, LetterError> {
        let connection = self.broker.connect("audit-rabbitmq-bridge dead letters").await?;
        tokio::spawn(watch(connection.events_listener(), self.condition.clone()));
        let channel = within("channel.open", connection.create_channel()).await?;
        within("confirm.select", channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok(Link { connection, channel })
    }

    /// A link on which something failed is not used again.
    async fn forget(&self, failed: &Arc<Link>) {
        let mut link = self.link.lock().await;
        if link.as_ref().is_some_and(|link| Arc::ptr_eq(link, failed)) {
            *link = None;
        }
    }
}

/// Says what RabbitMQ says about the connection; ends with it.
async fn watch(events: impl futures::Stream<Item = Event>, condition: Said) {
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Event::ConnectionBlocked(reason) => {
                metrics::blocked(true);
                condition.unmet(format!("dead letters wait: RabbitMQ blocks publishing: {reason}"));
            }
            Event::ConnectionUnblocked => {
                metrics::blocked(false);
                info!("RabbitMQ takes dead letters again");
                condition.met();
            }
            Event::Error(_) => {
                metrics::blocked(false);
                break;
            }
            _ => {}
        }
    }
}
