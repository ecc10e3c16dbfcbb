//! The dead-letter relay: publishes each refused record at least once, as the outbox holds it (semantics.md 5).

use std::{sync::Arc, time::Duration};

use bus::{Delivery, ProduceError, Producer, dead_letter};
use service::{Shutdown, backoff::Backoff};
use shared::position::Position;
use store::{
    StoreError,
    dead_letters::{DeadLetterRow, mark_published, try_relay_lock, unpublished},
};
use tokio::sync::Notify;
use tracing::{error, info, warn};

use crate::{database::Database, metrics, settings::Settings};

/// Dead letters taken from the outbox at once.
const ROUND: u32 = 200;
/// Their bytes, about.
const ROUND_BYTES: u64 = 4 * 1024 * 1024;
/// How often the outbox is looked at without being told: after a restart, or when another ingestor held the lock.
const LOOK: Duration = Duration::from_secs(5);

/// The relay; of several ingestors on one database, one at a time.
pub struct Relay {
    /// To the dead-letter topic.
    pub publisher: Publisher,
    /// Its own connection, which also holds the lock.
    pub database: Database,
    /// Rung when there are new dead letters.
    pub bell: Arc<Notify>,
}

/// What publishes dead letters.
pub struct Publisher {
    /// What to go by.
    pub settings: Arc<Settings>,
    /// To the dead-letter topic.
    pub producer: Producer,
}

/// A round failed; the next one tries the same dead letters again.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Produce(#[from] ProduceError),
}

impl Relay {
    /// Publishes until asked to stop. A failing topic or database only delays.
    pub async fn run(mut self, shutdown: Shutdown) {
        let mut backoff = Backoff::reconnecting();
        let mut locked = false;
        loop {
            let wait = match self.round(&mut locked).await {
                Ok(true) => Duration::ZERO,
                Ok(false) => {
                    backoff.reset();
                    LOOK
                }
                Err(failure) => {
                    warn!(error = %failure, "dead_letters_delayed");
                    self.database.disconnect();
                    locked = false;
                    backoff.delay()
                }
            };
            tokio::select! {
                () = shutdown.requested() => return,
                () = self.bell.notified(), if wait == LOOK => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Publishes some; true when there may be more.
    async fn round(&mut self, locked: &mut bool) -> Result<bool, RelayError> {
        // The lock belongs to the connection: a new one has to take it again.
        *locked &= self.database.is_open();
        let client = self.database.client().await?;
        if !*locked {
            *locked = try_relay_lock(client).await?;
            if !*locked {
                // Whoever has the lock tells how many there are; an old figure would stay for ever.
                metrics::unpublished(0);
                return Ok(false);
            }
            info!("dead_letter_relay_active");
        }
        let letters = unpublished(client, ROUND, ROUND_BYTES).await?;
        metrics::unpublished(letters.len());
        let (published, failure) = self.publisher.publish(&letters).await;
        if !published.is_empty() {
            mark_published(client, &published).await?;
            metrics::published(published.len());
            metrics::unpublished(letters.len() - published.len());
            info!(
                count = published.len(),
                topic = self.publisher.settings.dead_letter_topic,
                "dead_letters_published"
            );
        }
        match failure {
            Some(failure) => Err(failure.into()),
            None => Ok(!letters.is_empty()),
        }
    }
}

impl Publisher {
    /// Sends these; gives back which are acknowledged, and the first failure that time may cure.
    async fn publish(&self, letters: &[DeadLetterRow]) -> (Vec<Position>, Option<ProduceError>) {
        let mut sent: Vec<(&DeadLetterRow, Delivery)> = Vec::new();
        let mut published = Vec::new();
        let mut failure = None;
        for letter in letters {
            match self.producer.enqueue(self.outgoing(letter, self.limit())).await {
                Ok(delivery) => sent.push((letter, delivery)),
                Err(error) => failure = failure.or(self.reduced(letter, error, &mut published).await),
            }
        }
        for (letter, delivery) in sent {
            match delivery.await {
                Ok(_) => published.push(letter.position),
                Err(error) => failure = failure.or(self.reduced(letter, error, &mut published).await),
            }
        }
        (published, failure)
    }

    /// A record that the topic will never take goes without its value, so that it never blocks the next.
    async fn reduced(
        &self,
        letter: &DeadLetterRow,
        error: ProduceError,
        published: &mut Vec<Position>,
    ) -> Option<ProduceError> {
        if !error.is_permanent() {
            return Some(error);
        }
        warn!(%error, position = %letter.position, "dead_letter_refused_by_topic: it goes without its value");
        match self.producer.send(self.outgoing(letter, 0)).await {
            Ok(_) => published.push(letter.position),
            Err(error) if error.is_permanent() => {
                error!(%error, position = %letter.position, "dead_letter_unpublishable: it stays in the table only");
                published.push(letter.position);
            }
            Err(error) => return Some(error),
        }
        None
    }

    fn limit(&self) -> usize {
        self.settings.max_record_bytes + dead_letter::ALLOWANCE
    }

    fn outgoing(&self, letter: &DeadLetterRow, limit: usize) -> bus::Outgoing {
        let record = &letter.record;
        let letter = dead_letter::DeadLetter {
            id: letter.position,
            topic: &letter.log.topic,
            partition: letter.log.partition,
            offset: letter.position.offset,
            stage: letter.stage.as_str(),
            reason: letter.reason,
            pointer: &letter.pointer,
            detail: &letter.detail,
            key: record.key.clone(),
            value: record.value.clone(),
            value_digest: kept_digest(letter),
            headers: &record.headers,
            timestamp_ms: record.timestamp_ms,
        };
        dead_letter::record(&letter, &self.settings.dead_letter_topic, &self.settings.group, limit)
    }
}

/// The digest that stands for a value which was too large to be kept.
fn kept_digest(letter: &DeadLetterRow) -> Option<[u8; 32]> {
    if letter.record.value.is_some() {
        return None;
    }
    let (name, value) = letter.record.headers.last()?;
    let hex = value.as_deref().filter(|_| name == dead_letter::DIGEST_HEADER)?;
    let mut digest = [0; 32];
    hex::decode_to_slice(hex, &mut digest).ok().map(|()| digest)
}
