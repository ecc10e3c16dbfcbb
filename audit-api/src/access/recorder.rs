//! The way of a record to Kafka: a producer of its own, which waits for nothing, with the time that an answer waits as its
//! bound.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bus::{
    CanonicalSchema, EventRecord, EventRules, Outgoing, ProduceError, Producer, ProducerLimits,
    registry::{Registry, RegistryError},
};
use service::{Condition, Shutdown, backoff::Backoff, config::AuditConfig};
use shared::{
    access::{ANONYMOUS, Access, AccessContext, AccessOutcome, Accessor, AccessorKind},
    clock::Clock,
    refusal::Refusal,
};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use uuid::Uuid;

use super::strangers::Strangers;
use crate::submit::{HEADER_BYTES, new_id, trace_headers};

/// The name that Kafka shows for our producer.
const CLIENT: &str = "audit-api-accesses";
/// How long an answer waits for its record (semantics.md 12).
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a record is tried that no answer waits for: the end of a stream, a client that went away.
const LATER: Duration = Duration::from_mins(1);
/// Between two tries of such a record.
const PAUSE: Duration = Duration::from_millis(500);
/// Records that Kafka has not acknowledged yet; more wait, each for its own time.
const IN_FLIGHT: usize = 10_000;
/// Between two records of how many strangers were not recorded.
const SUMMARY: Duration = Duration::from_secs(10);

/// A record was not made.
#[derive(Debug, thiserror::Error)]
pub enum Unrecorded {
    /// Kafka did not take it.
    #[error(transparent)]
    Kafka(#[from] ProduceError),
    /// The registry cannot name the schema.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The time was over.
    #[error("no acknowledgement within {PATIENCE:?}")]
    Late,
    /// It breaks the ingestor's rules: a defect of ours.
    #[error("{} at {}: {}", .0.reason, .0.pointer, .0.detail)]
    Refused(Refusal),
    /// Its task ended without an answer.
    #[error("the recording was interrupted")]
    Interrupted,
}

/// What records accesses; cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
}

struct Inner {
    producer: Producer,
    schema: CanonicalSchema,
    rules: EventRules,
    topic: String,
    clock: Arc<dyn Clock>,
    strangers: Mutex<Strangers>,
    tasks: TaskTracker,
}

impl Recorder {
    /// Puts the parts together; `None` = the configuration switches recording off. Connects to nothing yet.
    pub fn new(config: &AuditConfig, clock: Arc<dyn Clock>) -> anyhow::Result<Option<Self>> {
        if !config.accesses.record {
            return Ok(None);
        }
        let topic = config.accesses.topic.clone();
        let rules = EventRules::for_topic(config, &topic);
        let limits = ProducerLimits {
            in_flight_records: IN_FLIGHT,
            delivery_timeout: PATIENCE,
            linger: Duration::ZERO,
            ..ProducerLimits::for_records_of(rules.max_record_bytes)
        };
        let inner = Inner {
            producer: Producer::new(&config.kafka, CLIENT, limits)?,
            schema: CanonicalSchema::new(Registry::new(&config.registry)?),
            rules: EventRules { header_bytes: HEADER_BYTES.min(rules.max_record_bytes / 2), ..rules },
            topic,
            clock,
            strangers: Mutex::new(Strangers::new(Instant::now())),
            tasks: TaskTracker::new(),
        };
        Ok(Some(Self { inner: Arc::new(inner) }))
    }

    /// Records an access: `Ok` with the record's id when Kafka has it. What was begun goes on also when this is dropped.
    pub async fn record(&self, access: &Access, context: &AccessContext) -> Result<Uuid, Unrecorded> {
        let started = Instant::now();
        let recorded = match self.event(access, context) {
            Ok(record) => {
                let (id, recorder) = (record.event_id(), self.clone());
                let producing = async move { recorder.produce(record).await };
                let produced = self.inner.tasks.spawn(producing.in_current_span());
                match tokio::time::timeout(PATIENCE, produced).await {
                    Ok(Ok(produced)) => produced.map(|()| id),
                    Ok(Err(_)) => Err(Unrecorded::Interrupted),
                    Err(_) => Err(Unrecorded::Late),
                }
            }
            Err(refusal) => Err(refusal),
        };
        metrics::histogram!("audit_api_access_record_duration_seconds")
            .record(started.elapsed().as_secs_f64());
        counted(recorded)
    }

    /// Records an access that no answer waits for, when `access` is known; tried for a while, and waited for at the end.
    pub(super) fn record_later(
        &self,
        access: impl Future<Output = (Access, AccessContext)> + Send + 'static,
    ) {
        let recorder = self.clone();
        let recording = async move {
            let (access, context) = access.await;
            let recorded = match recorder.event(&access, &context) {
                Ok(record) => recorder.produce_in_the_end(record).await,
                Err(refusal) => Err(refusal),
            };
            // Counted and logged; there is nobody to tell.
            let _ = counted(recorded);
        };
        self.inner.tasks.spawn_on(recording.in_current_span(), &tokio::runtime::Handle::current());
    }

    /// Whether a request without a good token has a record of its own; when not, it is counted here.
    pub(super) fn admits_stranger(&self) -> bool {
        let admitted = self.strangers().admit(Instant::now());
        if !admitted {
            metrics::counter!("audit_api_access_records_suppressed_total").increment(1);
        }
        admitted
    }

    /// Makes sure that records can be made, then tells from time to time how many strangers had none, until a stop is
    /// requested.
    pub async fn keep(self, condition: Condition, shutdown: Shutdown) {
        let mut backoff = Backoff::reconnecting();
        while let Err(error) = self.reach().await {
            tracing::warn!(%error, "accesses cannot be recorded yet, so requests are answered 503");
            condition.unmet(error.to_string());
            tokio::select! {
                () = shutdown.requested() => return,
                () = backoff.wait() => {}
            }
        }
        condition.met();
        loop {
            tokio::select! {
                () = shutdown.requested() => return,
                () = tokio::time::sleep(SUMMARY) => self.tell_suppressed().await,
            }
        }
    }

    /// Waits for the records that are on their way, at most so long.
    pub async fn close(&self, deadline: Duration) {
        let until = Instant::now() + deadline;
        self.tell_suppressed().await;
        self.inner.tasks.close();
        // Whatever is late is counted below, by the producer.
        let _ = tokio::time::timeout(deadline, self.inner.tasks.wait()).await;
        let left = self.inner.tasks.len() + self.inner.producer.close(until - Instant::now()).await;
        if left > 0 {
            tracing::error!(left, "records of accesses were not acknowledged before the end");
        }
    }

    async fn reach(&self) -> Result<(), Unrecorded> {
        self.inner.schema.id().await?;
        Ok(self.inner.producer.find_topic(&self.inner.topic, PATIENCE).await?)
    }

    fn event(&self, access: &Access, context: &AccessContext) -> Result<EventRecord, Unrecorded> {
        let now = self.inner.clock.now();
        let envelope = access.envelope(new_id(), now, context);
        self.inner.rules.check(envelope, now).map_err(Unrecorded::Refused)
    }

    async fn produce(&self, record: EventRecord) -> Result<(), Unrecorded> {
        let schema_id = self.inner.schema.id().await?;
        let outgoing =
            Outgoing { headers: trace_headers(), ..record.into_outgoing(&self.inner.topic, schema_id) };
        self.inner.producer.enqueue_within(outgoing, PATIENCE).await?.await?;
        Ok(())
    }

    /// The same record again and again: the ingestor keeps one of each id.
    async fn produce_in_the_end(&self, record: EventRecord) -> Result<(), Unrecorded> {
        let until = Instant::now() + LATER;
        loop {
            match self.produce(record.clone()).await {
                Err(error) if Instant::now() < until => {
                    tracing::debug!(%error, "the record of an access is tried again");
                    tokio::time::sleep(PAUSE).await;
                }
                produced => return produced,
            }
        }
    }

    async fn tell_suppressed(&self) {
        let count = self.strangers().take();
        if count == 0 {
            return;
        }
        let any = "(any)";
        let mut access = Access::new(any, any, any, stranger(), AccessOutcome::Suppressed);
        access.suppressed = Some(count);
        if self.record(&access, &AccessContext::default()).await.is_err() {
            self.strangers().give_back(count);
        }
    }

    fn strangers(&self) -> MutexGuard<'_, Strangers> {
        self.inner.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who asks without a good token.
pub(super) fn stranger() -> Accessor {
    Accessor {
        kind: AccessorKind::Anonymous,
        id: ANONYMOUS.to_owned(),
        organization_id: None,
        roles: Vec::new(),
    }
}

fn counted<T>(recorded: Result<T, Unrecorded>) -> Result<T, Unrecorded> {
    let outcome = if recorded.is_ok() { "acknowledged" } else { "failed" };
    metrics::counter!("audit_api_access_records_total", "outcome" => outcome).increment(1);
    recorded.inspect_err(|error| tracing::error!(%error, "access_unrecorded"))
}
