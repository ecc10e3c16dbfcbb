//! The way to Kafka: a bounded queue that a caller may wait for or not, and what became of each event.

mod account;
mod pump;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bus::{Delivered, ProduceError, Producer, ProducerLimits, registry::Registry, registry::RegistryError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::{AuditEvent, Mint, ProducerSettings, event::MAX_RECORD_BYTES, trace::TraceHeaders};
use account::Account;
pub use account::Stats;

/// The unit of the room that events take.
const UNIT: usize = 1024;

/// Sends events in the background; cheap to clone, one for a whole service.
///
/// An event goes into a bounded queue and from there to Kafka: keyed by its aggregate, with Java's partitioner,
/// idempotent, acknowledged by all replicas in sync. It keeps its room until Kafka has answered, so memory stays
/// bounded however long Kafka is away. What a caller does when there is no room is his choice:
///
/// | | no room | tells when it is stored in Kafka |
/// |---|---|---|
/// | [`offer`](Self::offer) | drops the event at once, counts it and says so in the log | by its [`Pending`] |
/// | [`enqueue`](Self::enqueue) | waits for room | by its [`Pending`] |
/// | [`send`](Self::send) | waits for room | waits for it |
///
/// Starting needs neither Kafka nor the registry: events wait until both answer. Nothing is ever registered; the
/// canonical schema's id is looked up, and until an operator has registered it (`trailctl schemas apply`), events wait.
#[derive(Clone)]
pub struct AuditProducer {
    shared: Arc<Shared>,
}

struct Shared {
    queue: mpsc::UnboundedSender<Queued>,
    room: Arc<Semaphore>,
    units: u32,
    account: Arc<Account>,
    ready: watch::Receiver<bool>,
    mint: Mint,
}

/// An event that waits to be handed to Kafka. Its room bounds the queue.
struct Queued {
    event: AuditEvent,
    trace: TraceHeaders,
    answer: oneshot::Sender<Result<Delivered, ProduceError>>,
    room: Room,
}

/// Room in the queue, taken ahead of an event.
pub(crate) struct Room {
    _units: OwnedSemaphorePermit,
}

/// The producer cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A property that librdkafka does not know, or a missing address.
    #[error(transparent)]
    Kafka(#[from] ProduceError),
    /// The registry's address is missing or wrong.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// An event is not in Kafka.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There was no room, and the caller did not want to wait; the event was dropped and counted.
    #[error("the event was dropped: too many wait for Kafka already")]
    NoRoom,
    /// Kafka refused it, or did not answer in time; in the latter case it may have been written.
    #[error(transparent)]
    NotDelivered(#[from] ProduceError),
    /// The runtime that sends is gone.
    #[error("the event was dropped: the producer is stopping")]
    Stopped,
}

impl std::fmt::Debug for AuditProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditProducer").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl AuditProducer {
    /// Starts the background task; call it within a Tokio runtime. Waits for nothing.
    pub fn start(settings: &ProducerSettings, mint: Mint) -> Result<Self, StartError> {
        let limits = ProducerLimits {
            delivery_timeout: settings.delivery_timeout,
            ..ProducerLimits::for_records_of(MAX_RECORD_BYTES)
        };
        let kafka = Producer::new(&settings.kafka, &settings.client_id, limits)?;
        let registry = Registry::new(&settings.registry)?;
        let units = units_of(settings.waiting_bytes.max(MAX_RECORD_BYTES));
        let account = Arc::new(Account::default());
        let (queue, queued) = mpsc::unbounded_channel();
        let (is_ready, ready) = watch::channel(false);
        let pump = pump::Pump { kafka, topic: settings.topic.clone(), account: Arc::clone(&account) };
        tokio::spawn(pump.run(registry, is_ready, queued));
        tokio::spawn(account::report_losses(Arc::downgrade(&account)));
        let room = Arc::new(Semaphore::new(usize::try_from(units).unwrap_or(usize::MAX)));
        Ok(Self { shared: Arc::new(Shared { queue, room, units, account, ready, mint }) })
    }

    /// Where its times and ids come from: what [`EventBuilder::build`](crate::EventBuilder::build) wants.
    pub fn mint(&self) -> &Mint {
        &self.shared.mint
    }

    /// Waits until the canonical schema's id is known, for a service that wants to start only then.
    pub async fn ready(&self) -> Result<(), SendError> {
        let mut ready = self.shared.ready.clone();
        ready.wait_for(|ready| *ready).await.map(drop).map_err(|_| SendError::Stopped)
    }

    /// Takes the event if there is room, and never waits; else it is dropped, counted and reported.
    ///
    /// The [`Pending`] may be ignored: the event goes its way, and a failure is counted and reported all the same.
    pub fn offer(&self, event: AuditEvent) -> Result<Pending, SendError> {
        self.offer_traced(event, TraceHeaders::current())
    }

    /// Waits for room, then takes the event; the answer tells when it is in Kafka.
    pub async fn enqueue(&self, event: AuditEvent) -> Result<Pending, SendError> {
        let trace = TraceHeaders::current();
        let room = self.room_for(event.size()).await?;
        self.push(event, trace, room)
    }

    /// Waits for room, and then until all replicas in sync have the event.
    pub async fn send(&self, event: AuditEvent) -> Result<Delivered, SendError> {
        self.enqueue(event).await?.await
    }

    /// What became of the events so far.
    pub fn stats(&self) -> Stats {
        self.shared.account.stats()
    }

    /// Waits until every event taken so far is in Kafka or has failed; `false` = the deadline came first.
    pub async fn flush(&self, deadline: Duration) -> bool {
        tokio::time::timeout(deadline, self.shared.account.idle()).await.is_ok()
    }

    pub(crate) fn offer_traced(&self, event: AuditEvent, trace: TraceHeaders) -> Result<Pending, SendError> {
        let units = self.units_for(event.size());
        let Ok(permit) = Arc::clone(&self.shared.room).try_acquire_many_owned(units) else {
            self.shared.account.dropped();
            return Err(SendError::NoRoom);
        };
        self.push(event, trace, Room { _units: permit })
    }

    /// Counts an event that there was no way to make.
    #[cfg(feature = "tower")]
    pub(crate) fn count_dropped(&self) {
        self.shared.account.dropped();
    }

    pub(crate) async fn room_for(&self, bytes: usize) -> Result<Room, SendError> {
        let units = self.units_for(bytes);
        let permit = Arc::clone(&self.shared.room).acquire_many_owned(units).await;
        permit.map(|permit| Room { _units: permit }).map_err(|_| SendError::Stopped)
    }

    pub(crate) fn push(
        &self,
        event: AuditEvent,
        trace: TraceHeaders,
        room: Room,
    ) -> Result<Pending, SendError> {
        let (answer, outcome) = oneshot::channel();
        self.shared.account.taken();
        if self.shared.queue.send(Queued { event, trace, answer, room }).is_err() {
            self.shared.account.failed();
            return Err(SendError::Stopped);
        }
        Ok(Pending { outcome })
    }

    /// At most all there is: a queue smaller than one event still takes one at a time.
    fn units_for(&self, bytes: usize) -> u32 {
        units_of(bytes).min(self.shared.units)
    }
}

/// What will become of an event that was taken; it goes its way also when this is dropped.
#[derive(Debug)]
#[must_use = "dropping this ignores what becomes of the event, which should be said by `drop`"]
pub struct Pending {
    outcome: oneshot::Receiver<Result<Delivered, ProduceError>>,
}

impl Future for Pending {
    type Output = Result<Delivered, SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.outcome).poll(context)) {
            Ok(outcome) => outcome.map_err(SendError::NotDelivered),
            Err(_) => Err(SendError::Stopped),
        })
    }
}

fn units_of(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT).max(1)).unwrap_or(u32::MAX)
}
