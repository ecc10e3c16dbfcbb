//! What the poll thread hands to a lane.

use std::sync::Arc;

use shared::account::DispositionKind;
use store::batch::RawRecord;

use super::{
    budget::Permit,
    claim::{Assignment, Hold},
};

/// Consecutive offsets that no record stands for: `from` inclusive, `next` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first.
    pub from: i64,
    /// One after the last.
    pub next: i64,
    /// Why.
    pub kind: DispositionKind,
}

/// A record or a run, in offset order without holes.
#[derive(Debug)]
pub enum Item {
    /// One record, as Kafka delivered it.
    Record {
        /// Its offset.
        offset: i64,
        /// Its bytes.
        raw: Arc<RawRecord>,
        /// Key, value and headers together, as Kafka delivered them.
        size: usize,
        /// [`shared::record::record_digest`], where the value was too large to be kept and it cannot be computed later.
        digest: Option<[u8; 32]>,
    },
    /// Offsets that were skipped.
    Skipped(Run),
}

/// Items of one assignment.
#[derive(Debug)]
pub struct Segment {
    /// Whose.
    pub assignment: Hold,
    /// In offset order.
    pub items: Vec<Item>,
}

/// Items for one lane, on their way.
#[derive(Debug)]
pub struct Parcel {
    /// By assignment, in the order they were read.
    pub segments: Vec<Segment>,
    /// How many items.
    pub count: usize,
    /// What they weigh against the lane's budget.
    pub bytes: usize,
    /// Gives the weight back when what came of the parcel is stored or dropped.
    pub permit: Permit,
}

impl Parcel {
    /// How many of the items are records.
    pub fn records(&self) -> usize {
        let is_record = |item: &&Item| matches!(item, Item::Record { .. });
        self.segments.iter().map(|segment| segment.items.iter().filter(is_record).count()).sum()
    }
}

/// Items being gathered for one lane by the poll thread.
#[derive(Debug, Default)]
pub struct Gathering {
    segments: Vec<Segment>,
    count: usize,
    bytes: usize,
}

/// What an item costs besides its bytes; so the budget bounds the number of items, too.
const ITEM_OVERHEAD: usize = 256;

impl Gathering {
    /// Adds an item.
    pub fn push(&mut self, assignment: &Arc<Assignment>, item: Item) {
        self.count += 1;
        self.bytes += ITEM_OVERHEAD
            + match &item {
                Item::Record { size, .. } => *size,
                Item::Skipped(_) => 0,
            };
        match self.segments.last_mut() {
            Some(last) if Arc::ptr_eq(&*last.assignment, assignment) => last.items.push(item),
            _ => self.segments.push(Segment { assignment: Hold::new(assignment), items: vec![item] }),
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many items.
    pub fn count(&self) -> usize {
        self.count
    }

    /// What they weigh.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Closes the parcel.
    pub fn seal(&mut self, permit: Permit) -> Parcel {
        let Self { segments, count, bytes } = std::mem::take(self);
        Parcel { segments, count, bytes, permit }
    }
}
