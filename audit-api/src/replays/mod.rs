//! Replays as jobs: events that are stored already, sent to a topic by whichever API is free.
//!
//! [`Replays::keep`] takes jobs from the store, a bounded number at once, and [`run`] works on one: chunk by chunk in recorded
//! order, each saved when Kafka has all of it. A job is held for a time and renewed; whoever is killed loses it to another,
//! which goes on behind the last batch that was saved.

pub mod estimate;
mod pace;
mod run;
mod steps;
mod targets;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use bus::{CanonicalSchema, Producer, ProducerLimits, registry::Registry};
use service::{
    Shutdown,
    config::{AuditConfig, KafkaSettings, ReplaySettings},
};
use store::{ApiWriter, Reader};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::Instant,
};

use crate::submit::{Submitter, new_id};

pub use targets::Targets;

/// The name that Kafka shows for the producer of replays.
const CLIENT: &str = "audit-api-replays";
/// Between two looks for jobs that nobody works on, and for steps that are no events yet.
const LOOK: Duration = Duration::from_secs(1);
/// Records of one job that are on their way at once, at most: one batch.
const BATCH: usize = 1000;
/// Their bytes: a chunk's, and the framing's.
const BATCH_BYTES: usize = 4 << 20;
/// How long a record waits for others of its batch.
const LINGER: Duration = Duration::from_millis(5);

/// What replays need of the rest; cheap to clone.
#[derive(Clone)]
pub struct Replays {
    inner: Arc<Inner>,
}

struct Inner {
    writer: ApiWriter,
    reader: Reader,
    producer: Producer,
    schema: CanonicalSchema,
    submitter: Submitter,
    targets: Targets,
    kafka: KafkaSettings,
    settings: ReplaySettings,
    delivery_timeout: Duration,
    /// There may be work.
    wake: Notify,
    slots: Arc<Semaphore>,
}

impl Replays {
    /// Puts the parts together; the producer is one of its own, so that a replay never stands in the way of new events.
    pub fn new(
        config: &AuditConfig,
        reader: Reader,
        writer: ApiWriter,
        submitter: Submitter,
    ) -> anyhow::Result<Self> {
        let running = config.replays.max_running;
        let limits = ProducerLimits {
            in_flight_records: BATCH * running,
            in_flight_bytes: BATCH_BYTES * running,
            delivery_timeout: config.submissions.delivery_timeout,
            linger: LINGER,
            ..ProducerLimits::for_records_of(config.ingestor.max_record_bytes.max(BATCH_BYTES))
        };
        let inner = Inner {
            writer,
            reader,
            producer: Producer::new(&config.kafka, CLIENT, limits)?,
            schema: CanonicalSchema::new(Registry::new(&config.registry)?),
            submitter,
            targets: Targets::new(config),
            kafka: config.kafka.clone(),
            settings: config.replays.clone(),
            delivery_timeout: config.submissions.delivery_timeout,
            wake: Notify::new(),
            slots: Arc::new(Semaphore::new(running)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Where jobs are kept.
    pub fn writer(&self) -> &ApiWriter {
        &self.inner.writer
    }

    /// Where they may go.
    pub fn targets(&self) -> &Targets {
        &self.inner.targets
    }

    /// Whether Kafka has this topic.
    pub async fn has_topic(&self, topic: &str) -> Result<bool, bus::topics::TopicError> {
        bus::topics::exists(&self.inner.kafka, topic).await
    }

    /// A job has been made or changed: there may be something to do at once.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// Works on jobs until a stop is requested; then what has begun is saved and let go.
    pub async fn keep(self, shutdown: Shutdown) {
        let mut running = JoinSet::new();
        let mut is_troubled = false;
        while !shutdown.is_requested() {
            let looked = self.look(&mut running, &shutdown).await;
            match &looked {
                Err(error) if !is_troubled => tracing::warn!(%error, "replays wait"),
                _ => {}
            }
            is_troubled = looked.is_err();
            tokio::select! {
                () = shutdown.requested() => {}
                () = self.inner.wake.notified() => {}
                Some(ended) = running.join_next() => tell_of_panic(ended),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        while let Some(ended) = running.join_next().await {
            tell_of_panic(ended);
        }
        // What those last steps were is to be known, if it can be now.
        let _ = steps::publish(&self.inner.writer, &self.inner.submitter).await;
    }

    /// Takes jobs while there is room, and publishes steps.
    async fn look(&self, running: &mut JoinSet<()>, shutdown: &Shutdown) -> anyhow::Result<()> {
        let inner = &self.inner;
        while let Ok(slot) = Arc::clone(&inner.slots).try_acquire_owned() {
            // The lease begins in the database, later than this.
            let asked = Instant::now();
            let Some(job) = inner.writer.claim_replay_job(new_id(), inner.settings.lease).await? else {
                break;
            };
            let (parts, shutdown) = (Arc::clone(inner), shutdown.clone());
            running.spawn(async move {
                run::run(&parts, job, asked, shutdown).await;
                drop(slot);
            });
        }
        steps::publish(&inner.writer, &inner.submitter).await
    }
}

fn tell_of_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a replay's runner ended without a word; another takes the job when its lease is over");
    }
}

/// A limit as a pace takes it.
fn rate(events_per_second: Option<u32>) -> Option<NonZeroU32> {
    events_per_second.and_then(NonZeroU32::new)
}
