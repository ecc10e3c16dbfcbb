//! What one transaction stores: records in offset order, one span per log (semantics.md 4).

mod chunk;
mod record;
mod row;
mod span;

use std::fmt;
use std::sync::Arc;

use shared::account::DispositionKind;
use shared::event::Event;
use shared::refusal::Refusal;

pub use chunk::SpareChunks;
pub(crate) use record::Place as RecordPlace;
pub use record::{AsRecord, Header, RawRecord, RecordRef};
pub(crate) use row::Place as RowPlace;
pub(crate) use span::{Accepted, Slot};
pub use span::{Span, SpanBuilder};

/// Where in its way a record was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Confluent framing, the GUID header.
    Framing,
    /// Finding the writer's schema.
    Schema,
    /// Avro.
    Decode,
    /// The rules of semantics.md 1.
    Validate,
    /// The id is taken by other bytes.
    Append,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 5] = [Self::Framing, Self::Schema, Self::Decode, Self::Validate, Self::Append];

    /// The name in the table and in `__connect.errors.stage`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Framing => "framing",
            Self::Schema => "schema",
            Self::Decode => "decode",
            Self::Validate => "validate",
            Self::Append => "append",
        }
    }

    /// The stage of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An accepted event; whether it is stored, a duplicate or a conflict, the append decides.
#[derive(Debug, Clone)]
pub struct Candidate<T = String, R = Arc<RawRecord>> {
    /// Its Kafka offset.
    pub offset: i64,
    /// The event.
    pub event: Event<T>,
    /// The class it is stored in for ever.
    pub retention_class: Arc<str>,
    /// The record, for the dead letter of a conflict.
    pub record: R,
}

/// A record that is dead-lettered.
#[derive(Debug, Clone)]
pub struct Rejected<R = Arc<RawRecord>> {
    /// Its Kafka offset.
    pub offset: i64,
    /// Why.
    pub refusal: Refusal,
    /// Where.
    pub stage: Stage,
    /// The record.
    pub record: R,
}

/// What stands at an offset, or over a run of offsets.
#[derive(Debug, Clone)]
pub enum Entry<T = String, R = Arc<RawRecord>> {
    /// An accepted event.
    Candidate(Candidate<T, R>),
    /// A refused record.
    Rejected(Rejected<R>),
    /// Offsets from `from` (inclusive) to `next` (exclusive) that are no records for us.
    Skipped {
        /// The first of them.
        from: i64,
        /// The offset after the last.
        next: i64,
        /// One of the skipped kinds.
        kind: DispositionKind,
    },
}

impl<T, R> Entry<T, R> {
    /// The offsets it covers: first, and one past the last.
    pub fn range(&self) -> (i64, i64) {
        match self {
            Self::Candidate(candidate) => (candidate.offset, candidate.offset.saturating_add(1)),
            Self::Rejected(rejected) => (rejected.offset, rejected.offset.saturating_add(1)),
            Self::Skipped { from, next, .. } => (*from, *next),
        }
    }
}

/// What one transaction stores.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// One span per log, in any order.
    pub spans: Vec<Span>,
}

/// The batch breaks a rule of its own shape: a defect of the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log {log_id}: {rule}, at offset {offset}")]
pub struct InvalidBatch {
    /// The log.
    pub log_id: i32,
    /// The offset where it shows.
    pub offset: i64,
    /// What should be.
    pub rule: &'static str,
}

impl Batch {
    /// Checks what the types cannot say: spans, one a log, offsets covered exactly and in order.
    pub fn check(&self) -> Result<(), InvalidBatch> {
        if self.spans.is_empty() {
            return Err(InvalidBatch { log_id: 0, offset: 0, rule: "a batch has at least one span" });
        }
        let mut logs: Vec<i32> = self.spans.iter().map(|span| span.log_id).collect();
        logs.sort_unstable();
        if let Some(pair) = logs.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(InvalidBatch { log_id: pair[0], offset: 0, rule: "a log has one span in a batch" });
        }
        self.spans.iter().try_for_each(Span::check)
    }
}
