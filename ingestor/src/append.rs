//! Appended: batches into the database, one at a time per lane, and what follows from the answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use store::{AppendError, Appended, RecentIds, Span, StoreError, Writer};
use tokio::sync::{Notify, mpsc::Receiver};
use tracing::{Instrument as _, error, info, warn};

use crate::{
    batch::Prepared,
    consume::{
        claim::{Assignment, Claim},
        command::{Command, Commands, RewindReason},
        door::Door,
    },
    health::Conditions,
    metrics,
    settings::Settings,
    trace::{batch_span, insert_span},
};

/// No honest append takes as long; the connection is given up, and the positions are read again.
const APPEND_TIMEOUT: Duration = Duration::from_mins(1);

/// The appending half of a lane.
pub struct Appender {
    /// What to go by.
    pub settings: Arc<Settings>,
    /// The poll thread.
    pub commands: Commands,
    /// Woken when there are new dead letters.
    pub relay: Arc<Notify>,
    /// Readiness.
    pub conditions: Conditions,
    /// The lane's own connection; opened when it is needed.
    pub writer: Option<Writer>,
    /// Where the preparing half hears that the next batch may come.
    pub door: Arc<Door>,
    /// Shared with the other lanes: a repeat may come by any.
    pub recent: RecentIds,
}

impl Appender {
    /// Appends batches until the lane ends.
    pub async fn run(mut self, mut batches: Receiver<Prepared>) {
        loop {
            self.door.want_batch();
            let Some(batch) = batches.recv().await else { return };
            self.handle(batch).await;
        }
    }

    async fn handle(&mut self, mut prepared: Prepared) {
        prepared.drop_revoked();
        let Prepared { mut batch, assignments, failed, links, bytes, begun, weight, holds } = prepared;
        if !batch.spans.is_empty() {
            let records = batch.spans.iter().map(Span::len).sum();
            let span = batch_span(&destination(&batch.spans), &self.settings.group, records, links);
            let started = Instant::now();
            let appended = self.append(&mut batch).instrument(insert_span()).instrument(span.clone()).await;
            let _entered = span.enter();
            match appended {
                Ok(appended) => {
                    metrics::batch_took(started - begun, started.elapsed());
                    metrics::appended(&appended, records, bytes);
                    self.note(&batch.spans, &assignments, &appended);
                    report(&appended, records, started.elapsed());
                }
                Err(failure) => {
                    span.record("otel.status_code", "ERROR");
                    let claims = assignments.iter().map(|assignment| Arc::clone(&assignment.claim)).collect();
                    self.rewind(claims, failure, begun);
                }
            }
        }
        // After the append: what came before the failed record is stored by then.
        for (claim, reason) in failed {
            self.rewind(vec![claim], reason, begun);
        }
        // Logs that are idle by then may move when the lane hears that there is room.
        drop(holds);
        drop(weight);
    }

    async fn append(&mut self, batch: &mut store::Batch) -> Result<Appended, RewindReason> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => match connect(&self.settings, self.recent.clone()).await {
                Ok(writer) => none.insert(writer),
                Err(error) => {
                    warn!(%error, "database_unavailable");
                    self.conditions.database_is_away(&error);
                    return Err(RewindReason::Database);
                }
            },
        };
        let failure = match tokio::time::timeout(APPEND_TIMEOUT, writer.append(batch)).await {
            Ok(Ok(appended)) => {
                self.conditions.database_answers();
                return Ok(appended);
            }
            Ok(Err(AppendError::PositionMoved)) => return Err(RewindReason::PositionMoved),
            Ok(Err(AppendError::Contended)) => return Err(RewindReason::Contended),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", APPEND_TIMEOUT.as_secs()),
        };
        // The outcome is unknown. A fresh connection and the stored positions tell (semantics.md 4).
        error!(error = failure, "append_failed");
        self.conditions.database_is_away(&failure);
        self.writer = None;
        Err(RewindReason::Database)
    }

    fn note(&self, spans: &[Span], assignments: &[Arc<Assignment>], appended: &Appended) {
        for (span, assignment) in spans.iter().zip(assignments) {
            assignment.stored_up_to(span.next_offset);
        }
        if appended.spans.iter().any(|span| !span.dead_lettered.is_empty()) {
            self.relay.notify_one();
        }
    }

    fn rewind(&self, claims: Vec<Arc<Claim>>, reason: RewindReason, since: Instant) {
        for claim in &claims {
            claim.fail();
        }
        self.commands.send(Command::Rewind { claims, reason, since });
    }
}

/// A writer that knows the configured retention classes.
pub async fn connect(settings: &Settings, recent: RecentIds) -> Result<Writer, StoreError> {
    let classes: Vec<&str> = settings.retention.classes().keys().map(String::as_str).collect();
    Writer::beside(&settings.database_url, "audit-ingestor", &classes, recent).await
}

/// The topic, when the batch has only one.
fn destination(spans: &[Span]) -> String {
    let topic = |span: &Span| span.name.topic.clone();
    match spans.first().map(topic) {
        Some(first) if spans.iter().all(|span| span.name.topic == first) => first,
        _ => "audit.events".to_owned(),
    }
}

/// One line per batch.
fn report(appended: &Appended, records: usize, took: Duration) {
    let spans = &appended.spans;
    let sum = |counts: fn(&store::AppendedSpan) -> u64| spans.iter().map(counts).sum::<u64>();
    let numbers = || spans.iter().map(|span| span.append_no);
    info!(
        records,
        stored = sum(|span| span.stored),
        duplicate = sum(|span| span.duplicate),
        dead_lettered = sum(|span| span.dead_lettered.iter().map(|(_, count)| count).sum()),
        skipped = sum(|span| span.skipped.iter().map(|(_, count)| count).sum()),
        logs = spans.len(),
        duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        append_no_first = numbers().min(),
        append_no_last = numbers().max(),
        "event_stored"
    );
}
