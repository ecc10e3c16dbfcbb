//! What becomes of a record that was handed over.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use rdkafka::{
    Message,
    client::ClientContext,
    error::KafkaError,
    producer::{DeliveryResult, ProducerContext},
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{Delivered, ProduceError, Producer};
use crate::BrokerFaults;

/// The acknowledgement of one record, to be awaited; the record goes its way also when this is dropped.
pub struct Delivery {
    outcome: oneshot::Receiver<Result<Delivered, KafkaError>>,
    topic: String,
    producer: Producer,
}

impl Delivery {
    pub(super) fn new(
        outcome: oneshot::Receiver<Result<Delivered, KafkaError>>,
        topic: String,
        producer: Producer,
    ) -> Self {
        Self { outcome, topic, producer }
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Future for Delivery {
    type Output = Result<Delivered, ProduceError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let cause = match ready!(Pin::new(&mut self.outcome).poll(context)) {
            Ok(Ok(delivered)) => return Poll::Ready(Ok(delivered)),
            Ok(Err(cause)) => cause,
            // The client was replaced, or is going away, before an answer came.
            Err(_) => KafkaError::Canceled,
        };
        self.producer.renew_after_fatal();
        Poll::Ready(Err(ProduceError::NotDelivered { topic: self.topic.clone(), cause }))
    }
}

/// What librdkafka carries along with a record. Room is given back when Kafka answers, whether or not the caller has
/// come to await it: a caller that hands over many and awaits them afterwards must not wait for itself.
pub(super) struct Waiting {
    sender: oneshot::Sender<Result<Delivered, KafkaError>>,
    _permits: Permits,
}

impl Waiting {
    pub(super) fn new(sender: oneshot::Sender<Result<Delivered, KafkaError>>, permits: Permits) -> Self {
        Self { sender, _permits: permits }
    }
}

/// Room for one record and its bytes.
pub(super) struct Permits {
    _record: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Permits {
    pub(super) fn new(record: OwnedSemaphorePermit, bytes: OwnedSemaphorePermit) -> Self {
        Self { _record: record, _bytes: bytes }
    }
}

/// Passes Kafka's answers on.
pub(super) struct Acknowledging(pub(super) BrokerFaults);

impl ClientContext for Acknowledging {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for Acknowledging {
    type DeliveryOpaque = Box<Waiting>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let outcome = match result {
            Ok(message) => Ok(Delivered { partition: message.partition(), offset: message.offset() }),
            Err((cause, _)) => Err(cause.clone()),
        };
        // Nobody listens when the caller has dropped its future: that is its right.
        let _ = waiting.sender.send(outcome);
    }
}
