//! The part of one log in a batch. Each event is encoded when it is added, while it is in the cache: what waits for the
//! database is its row and the hash of its leaf, not its twenty strings.

use std::sync::Arc;

use bytes::Bytes;
use shared::account::DispositionKind;
use shared::event::Event;
use shared::leaf::LeafPipeline;
use shared::position::LogName;
use shared::record::record_digest;
use shared::refusal::Refusal;
use shared::timestamp::Timestamp;
use uuid::Uuid;

use super::chunk::SpareChunks;
use super::record::{AsRecord, Place as RecordPlace, RawRecord, Records};
use super::row::{Place, Rows};
use super::{Candidate, Entry, InvalidBatch, Stage};
use crate::logs::LastRecord;

/// The part of one log in a batch.
#[derive(Debug, Clone)]
pub struct Span {
    /// The log.
    pub log_id: i32,
    /// Its name, for the leaves.
    pub name: Arc<LogName>,
    /// The position that the log must have now.
    pub from_offset: i64,
    /// The position that it gets.
    pub next_offset: i64,
    /// The last record read of it, when the span holds one: compared after the next assignment.
    pub last_record: Option<LastRecord>,
    /// In offset order, covering `from_offset..next_offset` exactly.
    pub(crate) slots: Vec<Slot>,
    /// The classes of its events, each once.
    pub(crate) classes: Vec<Arc<str>>,
    rows: Rows,
    records: Records,
}

/// An [`Entry`], encoded.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    Accepted(Accepted),
    Rejected(Refused),
    Skipped { from: i64, next: i64, kind: DispositionKind },
}

/// An accepted event as it waits.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) offset: i64,
    pub(crate) event_id: Uuid,
    pub(crate) timestamp: Timestamp,
    /// The hash of its leaf, once it is stored.
    pub(crate) leaf: [u8; 32],
    /// The record, for the dead letter of a conflict.
    pub(crate) record: RecordPlace,
    pub(crate) row: Place,
}

/// A refused record as it waits.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) offset: i64,
    pub(crate) refusal: Box<Refusal>,
    pub(crate) stage: Stage,
    pub(crate) record: RecordPlace,
}

impl Slot {
    /// The offsets it covers: first, and one past the last.
    pub(crate) fn range(&self) -> (i64, i64) {
        match self {
            Self::Accepted(accepted) => (accepted.offset, accepted.offset.saturating_add(1)),
            Self::Rejected(rejected) => (rejected.offset, rejected.offset.saturating_add(1)),
            Self::Skipped { from, next, .. } => (*from, *next),
        }
    }
}

/// Makes a [`Span`], entry by entry.
#[derive(Debug)]
pub struct SpanBuilder {
    span: Span,
    leaves: LeafPipeline,
    /// The slot whose leaf is not hashed yet.
    waiting: Option<usize>,
}

impl SpanBuilder {
    /// A span of this log that holds nothing yet.
    pub fn new(log_id: i32, name: Arc<LogName>) -> Self {
        Self::in_chunks(log_id, name, SpareChunks::default())
    }

    /// The same, with memory that spans before have left.
    pub fn in_chunks(log_id: i32, name: Arc<LogName>, spare: SpareChunks) -> Self {
        let span = Span {
            log_id,
            name,
            from_offset: 0,
            next_offset: 0,
            last_record: None,
            slots: Vec::new(),
            classes: Vec::new(),
            rows: Rows::new(spare.clone()),
            records: Records::new(spare),
        };
        Self { span, leaves: LeafPipeline::default(), waiting: None }
    }

    /// Adds the next entry, in offset order.
    pub fn push<T: AsRef<str>, R: AsRecord>(&mut self, entry: Entry<T, R>) {
        let (from, next) = entry.range();
        if self.span.slots.is_empty() {
            self.span.from_offset = from;
        }
        self.span.next_offset = next;
        let slot = match entry {
            Entry::Candidate(candidate) => Slot::Accepted(self.encode(candidate)),
            Entry::Rejected(rejected) => Slot::Rejected(Refused {
                offset: rejected.offset,
                refusal: Box::new(rejected.refusal),
                stage: rejected.stage,
                record: self.span.records.keep(rejected.record.as_record()),
            }),
            Entry::Skipped { from, next, kind } => Slot::Skipped { from, next, kind },
        };
        self.span.slots.push(slot);
    }

    fn encode<T: AsRef<str>, R: AsRecord>(&mut self, candidate: Candidate<T, R>) -> Accepted {
        let Candidate { offset, event, retention_class, record } = candidate;
        let event = event.borrowed();
        let before = self.leaves.push(&self.span.name, offset, &event);
        self.note_leaf(before);
        self.waiting = Some(self.span.slots.len());
        let leaf = [0; 32];
        let record = self.span.records.keep(record.as_record());
        let row = self.span.rows.push((self.span.log_id, offset), &event, &retention_class);
        if !self.span.classes.contains(&retention_class) {
            self.span.classes.push(retention_class);
        }
        Accepted { offset, event_id: event.event_id, timestamp: event.timestamp, leaf, record, row }
    }

    /// The hash of the leaf that was waited for.
    fn note_leaf(&mut self, hash: Option<[u8; 32]>) {
        if let (Some(hash), Some(slot)) = (hash, self.waiting.take())
            && let Some(Slot::Accepted(accepted)) = self.span.slots.get_mut(slot)
        {
            accepted.leaf = hash;
        }
    }

    /// What was read last of the log, when the span holds a record.
    pub fn last_record(&self) -> Option<LastRecord> {
        let (offset, place) = self.span.slots.iter().rev().find_map(|slot| match slot {
            Slot::Accepted(accepted) => Some((accepted.offset, accepted.record)),
            Slot::Rejected(rejected) => Some((rejected.offset, rejected.record)),
            Slot::Skipped { .. } => None,
        })?;
        let record = self.span.record(place);
        let digest = record_digest(record.key.as_deref(), record.value.as_deref(), record.timestamp_ms);
        Some(LastRecord { offset, digest })
    }

    /// The span; with what was read last of its log.
    pub fn finish(mut self, last_record: Option<LastRecord>) -> Span {
        let last = self.leaves.finish();
        self.note_leaf(last);
        self.span.rows.finish();
        Span { last_record, ..self.span }
    }
}

impl<T: AsRef<str>, R: AsRecord> Extend<Entry<T, R>> for SpanBuilder {
    fn extend<I: IntoIterator<Item = Entry<T, R>>>(&mut self, entries: I) {
        entries.into_iter().for_each(|entry| self.push(entry));
    }
}

impl Span {
    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it has none, which no batch may hold.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// An accepted event, read back from its row.
    pub(crate) fn event(&self, accepted: &Accepted) -> Event {
        self.rows.read(accepted.row)
    }

    /// A record as it came.
    pub(crate) fn record(&self, place: RecordPlace) -> RawRecord {
        self.records.read(place)
    }

    /// Writes the time of recording into the rows, and makes them ready to be sent.
    pub(crate) fn stamp(&mut self, recorded_at: Timestamp) {
        let rows = self.slots.iter().filter_map(|slot| match slot {
            Slot::Accepted(accepted) => Some(accepted.row),
            Slot::Rejected(_) | Slot::Skipped { .. } => None,
        });
        self.rows.stamp(recorded_at, rows);
    }

    /// The rows at a place.
    pub(crate) fn rows(&self, place: Place) -> Bytes {
        self.rows.piece(place)
    }

    pub(super) fn check(&self) -> Result<(), InvalidBatch> {
        let broken = |offset, rule| Err(InvalidBatch { log_id: self.log_id, offset, rule });
        let mut expected = self.from_offset;
        if expected < 0 {
            return broken(expected, "offsets are not negative");
        }
        for slot in &self.slots {
            let (from, next) = slot.range();
            if from != expected {
                return broken(from, "every offset of a span is covered once, in order");
            }
            if next <= from {
                return broken(from, "a run covers at least one offset");
            }
            if let Slot::Skipped { kind, .. } = slot
                && !kind.is_skipped()
            {
                return broken(from, "a run has a skipped kind");
            }
            expected = next;
        }
        if expected != self.next_offset || self.slots.is_empty() {
            return broken(expected, "a span ends at its next offset and is not empty");
        }
        if let Some(last) = self.last_record
            && !(self.from_offset..self.next_offset).contains(&last.offset)
        {
            return broken(last.offset, "the last record is one of the span");
        }
        Ok(())
    }
}
