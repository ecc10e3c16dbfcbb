//! The stored events' rows in COPY's binary form, a chunk at a time: a chunk is sent while it is still in the cache, and
//! no batch is held twice.

use bytes::Bytes;
use shared::timestamp::Timestamp;

use super::prepare::Prepared;
use super::settle::Verdict;
use crate::batch::Slot;
use crate::copy::CopyBuffer;

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
            while let Some(slot) = span.slots.get(self.next.1) {
                let verdict = verdicts[self.next.1];
                self.next.1 += 1;
                if let (Slot::Accepted(accepted), Verdict::Stored) = (slot, verdict) {
                    span.write_row(accepted, self.recorded_at, copy);
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
