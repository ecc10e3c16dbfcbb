//! Waiting until events that Kafka has are stored.

use std::time::Duration;

use shared::{problem::ProblemType, refusal::Reason};
use store::{ProducedRecord, StoreError, Whereabouts};
use tokio::time::Instant;

use super::{Submitted, SubmittedEvent, body::Shape};
use crate::{measure, respond::Problem, state::Api};

/// Asks again whenever something was appended, until all are stored or the time is over; a database that is away only
/// means that nothing can be said yet.
pub(super) async fn until_stored(
    api: &Api,
    cluster: &str,
    topic: &str,
    records: &[ProducedRecord],
    wait: Duration,
    shape: Shape,
) -> Result<Submitted, Problem> {
    let until = Instant::now() + wait;
    let mut submitted = Submitted { events: records.iter().map(unknown).collect() };
    if wait.is_zero() {
        return Ok(submitted);
    }
    let mut head = api.head.follow();
    loop {
        let asked = measure::query("whereabouts", api.reader.whereabouts(cluster, topic, records));
        match tokio::time::timeout_at(until, asked).await {
            Ok(Ok(found)) => {
                refused(&found, shape)?;
                for (event, found) in submitted.events.iter_mut().zip(&found) {
                    if let Whereabouts::Stored(position) = found {
                        event.position = Some(*position);
                    }
                }
                if !found.contains(&Whereabouts::NotRead) {
                    return Ok(submitted);
                }
            }
            Ok(Err(error @ (StoreError::Unavailable(_) | StoreError::Timeout | StoreError::Conflict(_)))) => {
                tracing::warn!(%error, "cannot see whether events are stored");
            }
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Ok(submitted),
        }
        if tokio::time::timeout_at(until, head.changed()).await.is_err() {
            return Ok(submitted);
        }
    }
}

fn unknown(record: &ProducedRecord) -> SubmittedEvent {
    SubmittedEvent { event_id: record.event_id, position: None }
}

/// Whoever waits is told at once that an event will not be stored.
fn refused(found: &[Whereabouts], shape: Shape) -> Result<(), Problem> {
    let refused: Vec<(usize, Reason)> = found
        .iter()
        .enumerate()
        .filter_map(|(index, found)| match found {
            Whereabouts::Refused(reason) => Some((index, *reason)),
            _ => None,
        })
        .collect();
    let Some(&(_, first)) = refused.first() else { return Ok(()) };
    let part = |(index, reason): (usize, Reason)| match reason {
        Reason::EventIdConflict => (
            shape.pointer(index, "/eventId"),
            "an event of this id, with other content, is stored already: a new event needs a new id"
                .to_owned(),
        ),
        other => {
            (shape.pointer(index, ""), format!("{other}: the ingestor has put it among the dead letters"))
        }
    };
    let kind = match first {
        Reason::EventIdConflict => ProblemType::EventIdConflict,
        _ => ProblemType::InvalidEvents,
    };
    let detail = format!(
        "Kafka took the events, and {} of {} cannot be stored: see errors; the others are or will be",
        refused.len(),
        found.len()
    );
    Err(Problem::in_body(kind, detail, refused.into_iter().map(part)))
}
