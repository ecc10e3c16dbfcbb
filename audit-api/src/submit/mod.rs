//! Events that come in by HTTP: stamped, checked all or nothing, given their ids once, produced, waited for
//! (semantics.md 13). [`Api::submit`] is the way for endpoints that make events themselves.

pub mod body;
mod deliver;
mod ids;
mod once;
mod prefer;
mod screen;
mod wait;

use std::{sync::Arc, time::Duration};

use bus::{CanonicalSchema, EventRules, Producer};
use service::config::{AuditConfig, SubmissionSettings};
use shared::{clock::Clock, envelope::Envelope, position::Position};
use store::{ApiWriter, ProducedRecord, submissions::Known};
use tokio::sync::Semaphore;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{auth::Caller, respond::Problem, state::Api};

pub(crate) use deliver::trace_headers;
pub use ids::{Ids, new_id};
pub use once::Once;
pub use prefer::Wait;

/// What takes events and hands them to Kafka; cheap to clone.
#[derive(Clone)]
pub struct Submitter {
    inner: Arc<Inner>,
}

struct Inner {
    producer: Producer,
    schema: CanonicalSchema,
    rules: EventRules,
    writer: ApiWriter,
    clock: Arc<dyn Clock>,
    cluster: String,
    settings: SubmissionSettings,
    bytes: Arc<Semaphore>,
}

/// Events that Kafka has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// In the order in which they came.
    pub events: Vec<SubmittedEvent>,
}

/// An event that Kafka has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubmittedEvent {
    /// Its id.
    pub event_id: Uuid,
    /// Where it is stored, if it was within the time that the caller would wait.
    pub position: Option<Position>,
}

impl Submitted {
    /// Whether every event is stored, as far as was waited for.
    pub fn is_stored(&self) -> bool {
        self.events.iter().all(|event| event.position.is_some())
    }
}

/// Room in a record for the trace headers that go with an event.
pub(crate) const HEADER_BYTES: usize = 1024;

impl Submitter {
    /// Puts the parts together; nothing is connected yet.
    pub fn new(
        config: &AuditConfig,
        producer: Producer,
        schema: CanonicalSchema,
        writer: ApiWriter,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let settings = config.submissions.clone();
        let rules = EventRules::for_topic(config, &settings.topic);
        let inner = Inner {
            producer,
            schema,
            rules: EventRules { header_bytes: HEADER_BYTES.min(rules.max_record_bytes / 2), ..rules },
            writer,
            clock,
            cluster: config.kafka.cluster.clone(),
            bytes: Arc::new(Semaphore::new(settings.max_bytes_in_flight)),
            settings,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Permits for the bytes of bodies, one each.
    pub(crate) fn bytes(&self) -> &Arc<Semaphore> {
        &self.inner.bytes
    }

    /// Asks the registry for the schema's id, so that the first caller need not wait for it.
    pub(crate) async fn warm_up(&self) -> Result<(), bus::registry::RegistryError> {
        self.inner.schema.id().await.map(drop)
    }

    /// Removes keys whose lifetime is over, in steps.
    pub(crate) async fn remove_expired_keys(&self) -> Result<u64, store::StoreError> {
        const STEP: u32 = 1000;
        const MOST_STEPS: u32 = 100;
        let mut removed = 0;
        for _ in 0..MOST_STEPS {
            let some =
                self.inner.writer.remove_expired_submissions(self.inner.settings.key_lifetime, STEP).await?;
            removed += some;
            if some < u64::from(STEP) {
                break;
            }
        }
        Ok(removed)
    }

    /// Takes events and answers when Kafka has acknowledged all of them. `read` makes the envelopes, with ids for those
    /// that name none; with `once`, a repeat gets the ids of the first time, and produces nothing if that succeeded.
    ///
    /// Nothing is produced unless every event is good and the caller may write it. A caller who goes away does not stop
    /// what has begun.
    pub async fn take(
        &self,
        caller: &Caller,
        once: Option<Once>,
        shape: body::Shape,
        read: impl FnOnce(&Ids) -> Result<Vec<Envelope>, Problem>,
    ) -> Result<Vec<ProducedRecord>, Problem> {
        let writes = caller.writes()?;
        let inner = &self.inner;
        let key = once.map(|once| once.of(caller));
        let known = match &key {
            Some(key) => inner.writer.find_submission(key, inner.settings.key_lifetime).await?,
            None => Known::Nothing,
        };
        let ids = match known {
            Known::Nothing => Ids::fresh(),
            Known::Open(ids) => Ids::known(ids),
            Known::Finished(ids, places) => {
                count("repeated", ids.len());
                return Ok(deliver::records(&ids, &places));
            }
            Known::OtherBody => return Err(once::reused()),
            Known::InProgress(left) => return Err(once::in_progress(left)),
        };
        let screened = read(&ids).and_then(|envelopes| {
            screen::all(envelopes, caller, &writes, &inner.rules, inner.clock.now(), shape)
        });
        let records = screened.inspect_err(|_| count("refused", 0))?;
        let delivering = deliver::deliver(Arc::clone(inner), key, records);
        let delivered = tokio::spawn(delivering.in_current_span()).await;
        delivered.unwrap_or_else(|error| {
            tracing::error!(%error, "the delivery of events ended without an answer");
            Err(Problem::internal())
        })
    }
}

impl Submitter {
    /// Produces an event that this API makes itself, about what it did; nobody's rights are asked. It may be repeated with
    /// the same id.
    pub async fn record(&self, envelope: Envelope) -> Result<(), Problem> {
        let checked = self.inner.rules.check(envelope, self.inner.clock.now());
        let record = checked.map_err(|refusal| {
            tracing::error!(reason = %refusal.reason, pointer = refusal.pointer, "an event of our own breaks a rule");
            Problem::internal()
        })?;
        deliver::deliver(Arc::clone(&self.inner), None, vec![record]).await.map(drop)
    }
}

fn count(outcome: &'static str, events: usize) {
    metrics::counter!("audit_api_submissions_total", "outcome" => outcome).increment(1);
    metrics::counter!("audit_api_submitted_events_total", "outcome" => outcome).increment(events as u64);
}

impl Api {
    /// What takes events; a problem when this API only reads.
    pub fn submitter(&self) -> Result<&Submitter, Problem> {
        self.writing.as_ref().map(|writing| &writing.submitter).ok_or_else(Problem::only_reads)
    }

    /// Takes events that an endpoint has made, and waits at most so long until they are stored.
    ///
    /// Stamps and checks them as `POST /v1/events` does. Each event keeps the id that it has ([`new_id`] makes one), so
    /// a caller who must not double anything by a retry needs an id of its own, or an `Idempotency-Key` there.
    pub async fn submit(
        &self,
        caller: &Caller,
        envelopes: Vec<Envelope>,
        wait: Duration,
    ) -> Result<Submitted, Problem> {
        let shape = if envelopes.len() == 1 { body::Shape::One } else { body::Shape::Many };
        let taken = self.submitter()?.take(caller, None, shape, |_| Ok(envelopes)).await?;
        self.await_stored(&taken, wait, shape).await
    }

    /// Waits until these records' events are stored, at most so long.
    pub async fn await_stored(
        &self,
        records: &[ProducedRecord],
        wait: Duration,
        shape: body::Shape,
    ) -> Result<Submitted, Problem> {
        let inner = &self.submitter()?.inner;
        wait::until_stored(self, &inner.cluster, &inner.settings.topic, records, wait, shape).await
    }
}
