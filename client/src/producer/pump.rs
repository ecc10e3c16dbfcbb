//! The background task: from the queue to Kafka, in order.

use std::sync::Arc;

use bus::{
    Delivery, Outgoing, ProduceError, Producer,
    events::CANONICAL_SUBJECT,
    registry::{Registry, RegistryError},
};
use service::backoff::Backoff;
use shared::avro;
use tokio::sync::{mpsc, watch};

use super::{Queued, account::Account};

pub(super) struct Pump {
    pub(super) kafka: Producer,
    pub(super) topic: String,
    pub(super) account: Arc<Account>,
}

impl Pump {
    /// Runs until the last producer is dropped and the queue is empty.
    pub(super) async fn run(
        self,
        registry: Registry,
        ready: watch::Sender<bool>,
        mut queue: mpsc::UnboundedReceiver<Queued>,
    ) {
        let schema_id = schema_id(&registry).await;
        ready.send_replace(true);
        while let Some(queued) = queue.recv().await {
            self.hand_over(schema_id, queued).await;
        }
    }

    async fn hand_over(&self, schema_id: u32, queued: Queued) {
        let Queued { event, trace, answer, room } = queued;
        let outgoing = Outgoing {
            headers: trace.into_headers(),
            ..event.into_record().into_outgoing(&self.topic, schema_id)
        };
        let enqueued = self.kafka.enqueue(outgoing).await;
        let account = Arc::clone(&self.account);
        // A task each: an answer must not wait for that of an event before it, whose partition may be without a leader.
        tokio::spawn(async move {
            let outcome = delivered(enqueued).await;
            drop(room);
            match &outcome {
                Ok(_) => account.delivered(),
                Err(error) => {
                    tracing::warn!(%error, "an audit event did not reach Kafka");
                    account.failed();
                }
            }
            // Nobody listens when the caller has dropped its future: that is its right.
            let _ = answer.send(outcome);
        });
    }
}

async fn delivered(enqueued: Result<Delivery, ProduceError>) -> Result<bus::Delivered, ProduceError> {
    enqueued?.await
}

/// Asks until there is an answer: events wait meanwhile, and what does not fit is dropped and counted.
async fn schema_id(registry: &Registry) -> u32 {
    let text = avro::canonical_schema_compact();
    let mut backoff = Backoff::reconnecting();
    loop {
        match registry.id_of(CANONICAL_SUBJECT, &text).await {
            Ok(id) => return id,
            Err(error @ RegistryError::Unknown(_)) => {
                tracing::error!(%error, "audit events wait: register the schemas by `trailctl schemas apply`");
            }
            Err(error) => tracing::warn!(%error, "audit events wait for the schema registry"),
        }
        backoff.wait().await;
    }
}
