//! To RabbitMQ, in the older services' shapes.

use anyhow::{Context as _, bail};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use secrecy::ExposeSecret as _;
use service::config::RabbitMqSettings;
use shared::envelope::Envelope;

use crate::older;

/// Confirms that are awaited later, at most.
const AHEAD: usize = 1024;
/// Kept on disk.
const PERSISTENT: u8 = 2;

/// A channel that confirms what it has taken.
#[derive(Debug)]
pub struct RabbitSender {
    channel: Channel,
    confirms: Vec<PublisherConfirm>,
    // Ends with this value.
    _connection: Connection,
}

impl RabbitSender {
    /// Connects; the exchanges must be there, as the bridge makes them.
    pub async fn connect(settings: &RabbitMqSettings) -> anyhow::Result<Self> {
        let url = settings.url()?.expose_secret();
        let connection = Connection::connect(url, ConnectionProperties::default())
            .await
            .context("connecting to RabbitMQ")?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { channel, confirms: Vec::new(), _connection: connection })
    }

    pub(super) async fn send(&mut self, event: &Envelope) -> anyhow::Result<()> {
        let message = older::message(event)?;
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(message.message_id.into())
            .with_timestamp(message.timestamp);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, key) = (message.exchange.into(), message.routing_key.as_str().into());
        let publishing =
            self.channel.basic_publish(exchange, key, options, message.body.as_bytes(), properties);
        self.confirms.push(publishing.await.context("publishing")?);
        if self.confirms.len() >= AHEAD { self.settle().await } else { Ok(()) }
    }

    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        for confirm in self.confirms.drain(..) {
            match confirm
                .await
                .context("RabbitMQ's confirmation: are the exchanges there? The bridge makes them")?
            {
                Confirmation::Ack(None) => {}
                Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => bail!(
                    "no queue takes {}:{}: start the bridge, which binds one",
                    returned.delivery.exchange,
                    returned.delivery.routing_key
                ),
                _ => bail!("RabbitMQ did not take a message"),
            }
        }
        Ok(())
    }
}
