//! The stored events' rows in COPY's binary form, a chunk at a time: a chunk is sent while it is still in the cache, and
//! no batch is held twice.

use bytes::Bytes;
use shared::timestamp::Timestamp;

use super::copy::CopyBuffer;
use super::prepare::Prepared;
use super::settle::Verdict;
use crate::batch::{Candidate, Entry};

/// A chunk is handed on when it has so many bytes: many rows a message, and small against a core's own cache.
const CHUNK: usize = 64 * 1024;
/// Room for the row that fills a chunk; a larger one makes its own.
const LAST_ROW: usize = 8 * 1024;

/// Gives the rows of what is stored, in (log, offset) order.
pub(super) struct EventRows<'a> {
    prepared: &'a Prepared<'a>,
    verdicts: &'a [Vec<Verdict>],
    recorded_at: Timestamp,
    /// The next entry: its span and its place there.
    next: (usize, usize),
    copy: Option<CopyBuffer>,
}

impl<'a> EventRows<'a> {
    pub(super) fn new(
        prepared: &'a Prepared<'a>,
        verdicts: &'a [Vec<Verdict>],
        recorded_at: Timestamp,
    ) -> Self {
        let copy = Some(CopyBuffer::with_capacity(CHUNK + LAST_ROW));
        Self { prepared, verdicts, recorded_at, next: (0, 0), copy }
    }

    /// How many rows they are.
    pub(super) fn stored(&self) -> u64 {
        let stored = |verdicts: &Vec<Verdict>| verdicts.iter().filter(|it| **it == Verdict::Stored).count();
        self.verdicts.iter().map(|verdicts| stored(verdicts) as u64).sum()
    }
}

impl Iterator for EventRows<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let copy = self.copy.as_mut()?;
        while let Some(span) = self.prepared.spans.get(self.next.0) {
            let verdicts = &self.verdicts[self.next.0];
            while let Some(entry) = span.entries.get(self.next.1) {
                let verdict = verdicts[self.next.1];
                self.next.1 += 1;
                if let (Entry::Candidate(candidate), Verdict::Stored) = (entry, verdict) {
                    write_event(copy, span.log_id, self.recorded_at, candidate);
                    if copy.len() >= CHUNK {
                        return Some(copy.take(CHUNK + LAST_ROW));
                    }
                }
            }
            self.next = (self.next.0 + 1, 0);
        }
        self.copy.take().map(CopyBuffer::finish)
    }
}

fn write_event(copy: &mut CopyBuffer, log_id: i32, recorded_at: Timestamp, candidate: &Candidate) {
    let event = &candidate.event;
    copy.row(18);
    copy.timestamp(event.timestamp);
    copy.timestamp(recorded_at);
    copy.i64(candidate.offset);
    copy.i32(log_id);
    copy.i32(event.version);
    copy.uuid(event.event_id);
    copy.text(&candidate.retention_class);
    copy.text(&event.organization_id);
    copy.text(&event.aggregate_type);
    copy.text(&event.aggregate_id);
    copy.text(&event.event_type);
    copy.text(&event.promoted.user_id);
    copy.text(&event.promoted.correlation_id);
    copy.text(&event.promoted.causation_id);
    copy.text(&event.promoted.source);
    copy.text(&event.promoted.action);
    copy.text(&event.payload);
    copy.text(&event.metadata);
}
