//! From checked records to Kafka's acknowledgement of all of them.

use std::{sync::Arc, time::Duration};

use bus::{Delivered, EventRecord, Outgoing, ProduceError};
use bytes::Bytes;
use opentelemetry::propagation::Injector;
use store::{
    ProducedRecord,
    submissions::{Attempt, SubmissionKey},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;

use super::{Inner, count, once};
use crate::respond::Problem;

/// How long a request waits for room among the records that are on their way.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between the end of Kafka's time and the end of the attempt's.
const MARGIN: Duration = Duration::from_secs(1);

/// Produces the records, under their key when they have one; what was begun is finished whoever still listens.
pub(super) async fn deliver(
    inner: Arc<Inner>,
    key: Option<SubmissionKey>,
    records: Vec<EventRecord>,
) -> Result<Vec<ProducedRecord>, Problem> {
    let ids: Vec<Uuid> = records.iter().map(EventRecord::event_id).collect();
    let schema_id = schema_id(&inner).await?;
    let attempt = match &key {
        Some(key) => Some((key, begin(&inner, key, &ids).await?)),
        None => None,
    };
    let headers = trace_headers();
    let topic = &inner.settings.topic;
    let outgoing = records
        .into_iter()
        .map(|record| Outgoing { headers: headers.clone(), ..record.into_outgoing(topic, schema_id) });
    let outcomes = inner.producer.send_all(outgoing, PATIENCE).await;
    match all_delivered(outcomes) {
        Ok(places) => {
            if let Some((key, _)) = attempt
                && let Err(error) = inner.writer.finish_submission(key, &ids, &places).await
            {
                // Kafka has them: that is what was promised. A repeat will produce the same ids, which are kept once.
                tracing::warn!(%error, "the end of a submission cannot be recorded");
            }
            count("accepted", ids.len());
            Ok(self::records(&ids, &places))
        }
        Err(failure) => {
            if let Some((key, attempt)) = attempt
                && let Err(error) = inner.writer.release_submission(key, attempt).await
            {
                tracing::warn!(%error, "a submission cannot be released: its key is free when the attempt's time is over");
            }
            Err(failure.into_problem(ids.len()))
        }
    }
}

/// The events with the places where Kafka has them.
pub(super) fn records(ids: &[Uuid], places: &[(i32, i64)]) -> Vec<ProducedRecord> {
    let record = |(&event_id, &(partition, offset)): (&Uuid, &(i32, i64))| ProducedRecord {
        event_id,
        partition,
        offset,
    };
    ids.iter().zip(places).map(record).collect()
}

async fn schema_id(inner: &Inner) -> Result<u32, Problem> {
    let asked = tokio::time::timeout(inner.settings.delivery_timeout, inner.schema.id()).await;
    let refusal = match asked {
        Ok(Ok(id)) => return Ok(id),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(error = refusal, "the schema registry cannot be asked");
    count("unavailable", 0);
    Err(Problem::unavailable("the schema registry does not answer now: send this request again"))
}

async fn begin(inner: &Inner, key: &SubmissionKey, ids: &[Uuid]) -> Result<Attempt, Problem> {
    let attempt = PATIENCE + inner.settings.delivery_timeout + MARGIN;
    let begun = inner.writer.begin_submission(key, ids, attempt, inner.settings.key_lifetime).await?;
    begun.ok_or_else(|| once::in_progress(Duration::ZERO))
}

/// Not every record was acknowledged.
struct Failure {
    delivered: usize,
    is_busy: bool,
    first: ProduceError,
}

impl Failure {
    fn into_problem(self, events: usize) -> Problem {
        if self.is_busy {
            count("busy", 0);
        } else {
            count("unavailable", 0);
            tracing::warn!(error = %self.first, delivered = self.delivered, events, "events were not delivered");
        }
        let cause = if self.is_busy {
            "too many events are on their way to Kafka"
        } else {
            "Kafka did not answer in time"
        };
        Problem::unavailable(&format!(
            "{cause}: {} of {events} events were acknowledged; send the same request again, events with the same id are kept once",
            self.delivered
        ))
    }
}

fn all_delivered(outcomes: Vec<Result<Delivered, ProduceError>>) -> Result<Vec<(i32, i64)>, Failure> {
    let mut places = Vec::with_capacity(outcomes.len());
    let mut first = None;
    for outcome in outcomes {
        match outcome {
            Ok(Delivered { partition, offset }) => places.push((partition, offset)),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    match first {
        None => Ok(places),
        Some(first) => {
            let is_busy = matches!(first, ProduceError::Busy { .. });
            Err(Failure { delivered: places.len(), is_busy, first })
        }
    }
}

/// `traceparent` and `tracestate` of this request, for the record's headers; none when nothing is traced.
pub(crate) fn trace_headers() -> Vec<(String, Option<Bytes>)> {
    struct Headers(Vec<(String, Option<Bytes>)>);
    impl Injector for Headers {
        fn set(&mut self, key: &str, value: String) {
            if !value.is_empty() {
                self.0.push((key.to_owned(), Some(Bytes::from(value))));
            }
        }
    }
    let mut headers = Headers(Vec::new());
    let context = Span::current().context();
    opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&context, &mut headers);
    });
    headers.0
}
