//! A message as RabbitMQ delivered it, with what becomes of it later in reach.

use lapin::{
    BasicProperties,
    message::Delivery,
    types::{AMQPValue, ShortString},
};
use shared::{timestamp::Timestamp, vocabulary::OlderMessage};

const MICROS_A_SECOND: u64 = 1_000_000;

/// One delivery.
#[derive(Debug)]
pub struct Message {
    /// What it is acknowledged by, on its channel only.
    pub tag: u64,
    /// The exchange it was published to; `""` = straight to the queue.
    pub exchange: ShortString,
    /// The key it was published with.
    pub routing_key: ShortString,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// Its properties, headers among them.
    pub properties: BasicProperties,
    /// Its bytes.
    pub body: Vec<u8>,
    /// When it came.
    pub received_at: Timestamp,
}

impl Message {
    /// Takes a delivery over.
    pub fn new(delivery: Delivery, received_at: Timestamp) -> Self {
        Self {
            tag: delivery.delivery_tag,
            exchange: delivery.exchange,
            routing_key: delivery.routing_key,
            redelivered: delivery.redelivered,
            properties: delivery.properties,
            body: delivery.data,
            received_at,
        }
    }

    /// It as the vocabulary reads it.
    pub fn older(&self) -> OlderMessage<'_> {
        OlderMessage {
            exchange: self.exchange.as_str(),
            routing_key: self.routing_key.as_str(),
            message_id: self.properties.message_id().as_ref().map(ShortString::as_str),
            timestamp: self.properties.timestamp().as_ref().copied().and_then(from_seconds),
            received_at: self.received_at,
            redelivered: self.redelivered,
            body: &self.body,
        }
    }

    /// A header whose value is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.properties.headers().as_ref()?;
        match headers.inner().get(name)? {
            AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
            AMQPValue::ShortString(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The destination, as the semantic conventions for messaging name it.
    pub fn destination(&self) -> String {
        format!("{}:{}", self.exchange, self.routing_key)
    }
}

/// AMQP's timestamps are seconds since 1970. One that no time can hold is as good as none.
fn from_seconds(seconds: u64) -> Option<Timestamp> {
    let micros = seconds.checked_mul(MICROS_A_SECOND)?;
    i64::try_from(micros).ok().map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use lapin::types::FieldTable;

    use super::*;

    #[test]
    fn properties_reach_the_vocabulary() {
        let mut headers = FieldTable::default();
        headers.insert("traceparent".into(), AMQPValue::LongString("00-a-b-01".into()));
        headers.insert("attempt".into(), AMQPValue::LongInt(3));
        let mut delivery = Delivery::mock(7, "events".into(), "user.created".into(), true, b"{}".to_vec());
        delivery.properties = BasicProperties::default()
            .with_message_id("m-1".into())
            .with_timestamp(1_700_000_000)
            .with_headers(headers);
        let message = Message::new(delivery, Timestamp::from_micros(5));
        let older = message.older();
        assert_eq!((older.exchange, older.routing_key, older.redelivered), ("events", "user.created", true));
        assert_eq!(older.message_id, Some("m-1"));
        assert_eq!(older.timestamp, Some(Timestamp::from_micros(1_700_000_000_000_000)));
        assert_eq!(message.header("traceparent"), Some("00-a-b-01"));
        assert_eq!((message.header("attempt"), message.header("none")), (None, None));
        assert_eq!(message.destination(), "events:user.created");
    }

    #[test]
    fn a_time_beyond_all_times_is_none() {
        assert_eq!(from_seconds(u64::MAX), None);
        assert_eq!(from_seconds(1), Some(Timestamp::from_micros(1_000_000)));
    }
}
