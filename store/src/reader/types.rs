//! What reads take and answer.

use std::time::Duration;

use shared::account::DispositionKind;
use shared::filter::{EventFilter, Order, PageKey, Sort};
use shared::position::{LogName, Position};
use shared::refusal::Reason;
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use uuid::Uuid;

use crate::dead_letters::DeadLetterRow;
use crate::row::{EventRow, WholeRow};

/// A request for one page of events.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// What to look for.
    pub filter: EventFilter,
    /// Whose events.
    pub scope: Scope,
    /// Along which order.
    pub sort: Sort,
    /// Which way.
    pub order: Order,
    /// Events on the page, 1 to 1,000.
    pub limit: u32,
    /// The key that the page before ended with.
    pub after: Option<PageKey>,
}

/// One page.
#[derive(Debug)]
pub struct Page {
    /// The events, in the order asked for.
    pub events: Vec<EventRow>,
    /// Where the next page starts; `None` = there is none. Ascending recorded order always has one.
    pub next: Option<PageKey>,
}

/// An aggregate: versions count within it (semantics.md 2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AggregateKey {
    /// Its organisation; `""` = none.
    pub organization_id: String,
    /// Its kind.
    pub aggregate_type: String,
    /// Its id.
    pub aggregate_id: String,
}

/// Which part of a history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryRange {
    /// Versions from here, inclusive.
    pub from_version: Option<i32>,
    /// Versions to here, inclusive.
    pub to_version: Option<i32>,
    /// Event times from here, inclusive.
    pub from: Option<Timestamp>,
    /// Event times to here, exclusive.
    pub to: Option<Timestamp>,
    /// Event times to here, inclusive: the aggregate as it was then.
    pub at: Option<Timestamp>,
    /// Only events of appends up to this number (inclusive): a replay that ends at the head of its start.
    pub until_append: Option<i64>,
}

/// A place in history order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HistoryKey {
    /// The event's version.
    pub version: i32,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Its log.
    pub log_id: i32,
    /// Its offset.
    pub offset: i64,
}

impl From<&EventRow> for HistoryKey {
    fn from(row: &EventRow) -> Self {
        let Position { log_id, offset } = row.position();
        Self { version: row.version(), recorded_at: row.recorded_at(), log_id, offset }
    }
}

/// What is wrong with an aggregate's versions, at most 100 entries each, lowest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Integrity {
    /// Missing versions, first and last, from 1 up to the greatest stored.
    pub gaps: Vec<(i32, i32)>,
    /// Versions that more than one event has.
    pub forks: Vec<i32>,
}

/// A place in recorded order: after this offset of this append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RecordedCursor {
    /// The append.
    pub append_no: i64,
    /// The last offset seen of it; `None` = none of it yet.
    pub offset: Option<i64>,
}

impl RecordedCursor {
    /// Before the first append.
    pub const START: Self = Self { append_no: 0, offset: None };

    /// Behind everything of this append.
    pub fn after_append(append_no: i64) -> Self {
        Self { append_no: append_no.saturating_add(1), offset: None }
    }
}

impl From<RecordedCursor> for PageKey {
    fn from(cursor: RecordedCursor) -> Self {
        Self::Recorded { append_no: cursor.append_no, offset: cursor.offset }
    }
}

/// How much one chunk may hold and cost.
#[derive(Debug, Clone, Copy)]
pub struct ChunkLimits {
    /// Rows at most.
    pub rows: u32,
    /// Bytes of rows, about; at least one row is answered.
    pub bytes: usize,
    /// Time to look for matches: a sparse filter answers short chunks that advance.
    pub scan: Duration,
}

impl Default for ChunkLimits {
    fn default() -> Self {
        Self { rows: 1000, bytes: 1 << 20, scan: Duration::from_secs(1) }
    }
}

/// Rows in recorded order.
#[derive(Debug)]
pub struct RecordedChunk {
    /// The matching rows.
    pub rows: Vec<EventRow>,
    /// Everything up to here has been looked at; go on from here.
    pub reached: RecordedCursor,
    /// Whether everything up to the `until` of the request has been looked at.
    pub complete: bool,
}

/// What names a record outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordAddress {
    /// The cluster; `None` = any, the newest log of that topic and partition.
    pub cluster: Option<String>,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Which life of it; `None` = the newest.
    pub incarnation: Option<i32>,
    /// The offset.
    pub offset: i64,
}

/// What became of a record, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    /// It is an event.
    Stored,
    /// Its event was stored before.
    Duplicate,
    /// It is in the dead letters.
    DeadLettered,
    /// Its offset holds no record for us.
    Skipped,
    /// The log's position has not reached it.
    NotRead,
}

impl RecordState {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::DeadLettered => "dead-lettered",
            Self::Skipped => "skipped",
            Self::NotRead => "not-read",
        }
    }
}

/// What became of a record.
#[derive(Debug)]
pub struct RecordFate {
    /// The log.
    pub log: LogName,
    /// Its place.
    pub position: Position,
    /// In one word.
    pub state: RecordState,
    /// The disposition's kind, for all but stored and not read.
    pub kind: Option<DispositionKind>,
    /// Why it is dead-lettered.
    pub reason: Option<Reason>,
    /// Where in the record it is wrong.
    pub pointer: Option<String>,
    /// The event's id, where it could be read.
    pub event_id: Option<Uuid>,
    /// The event: the stored one, or the one that a duplicate repeats (`None` when retention took it).
    pub event: Option<WholeRow>,
}

/// A request for a page of dead letters, newest first.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterRequest {
    /// Only of this topic.
    pub topic: Option<String>,
    /// Only for this reason.
    pub reason: Option<Reason>,
    /// Letters on the page.
    pub limit: u32,
    /// The last one of the page before.
    pub after: Option<(Timestamp, Position)>,
    /// With key, value and headers; without, `record` holds the time alone.
    pub with_records: bool,
}

/// A page of dead letters.
#[derive(Debug)]
pub struct DeadLetterPage {
    /// The letters.
    pub letters: Vec<DeadLetterRow>,
    /// Where the next page starts; `None` = there is none.
    pub next: Option<(Timestamp, Position)>,
}
