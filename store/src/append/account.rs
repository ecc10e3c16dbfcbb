//! The append rows: counts, times and the batch root of each span (semantics.md 4, 8).

use shared::account::DispositionKind;
use shared::leaf::{Leaf, LeafHasher, RootBuilder};
use shared::refusal::Reason;
use shared::timestamp::Timestamp;

use super::outcome::AppendedSpan;
use super::prepare::Prepared;
use super::settle::Verdict;
use crate::batch::{Slot, Span};

/// A row of `appends` without its number.
pub(super) struct AppendRow {
    pub(super) min_time: Option<Timestamp>,
    pub(super) max_time: Option<Timestamp>,
    pub(super) batch_root: [u8; 32],
    /// The same counts, by reason and kind; its number is not known yet.
    pub(super) outcome: AppendedSpan,
}

impl AppendRow {
    pub(super) fn dead_lettered(&self) -> u64 {
        self.outcome.dead_lettered.iter().map(|(_, count)| count).sum()
    }

    pub(super) fn skipped(&self) -> u64 {
        self.outcome.skipped.iter().map(|(_, count)| count).sum()
    }
}

/// One row per span, in log order.
pub(super) fn append_rows(prepared: &Prepared<'_>, verdicts: &[Vec<Verdict>]) -> Vec<AppendRow> {
    let mut hasher = LeafHasher::default();
    let spans = prepared.spans.iter().zip(verdicts);
    spans.map(|(span, verdicts)| append_row(span, verdicts, &mut hasher)).collect()
}

fn append_row(span: &Span, verdicts: &[Verdict], hasher: &mut LeafHasher) -> AppendRow {
    let mut row = AppendRow {
        min_time: None,
        max_time: None,
        batch_root: [0; 32],
        outcome: AppendedSpan {
            log_id: span.log_id,
            append_no: 0,
            next_offset: span.next_offset,
            stored: 0,
            duplicate: 0,
            dead_lettered: Vec::new(),
            skipped: Vec::new(),
        },
    };
    let mut root = RootBuilder::new();
    for (slot, verdict) in span.slots.iter().zip(verdicts) {
        root.push(leaf_of(span, slot, *verdict, hasher));
        row.count(slot, *verdict);
    }
    row.batch_root = root.finish();
    row
}

/// The leaf's hash: that of a stored event was made when the event was encoded.
fn leaf_of(span: &Span, slot: &Slot, verdict: Verdict, hasher: &mut LeafHasher) -> [u8; 32] {
    let leaf = match slot {
        Slot::Accepted(accepted) => match verdict {
            Verdict::Duplicate => Leaf::Duplicate { event_id: accepted.event_id },
            Verdict::Conflict => {
                Leaf::DeadLettered { reason: Reason::EventIdConflict, event_id: Some(accepted.event_id) }
            }
            Verdict::Stored | Verdict::AsGiven => return accepted.leaf,
        },
        Slot::Rejected(rejected) => Leaf::DeadLettered { reason: rejected.refusal.reason, event_id: None },
        Slot::Skipped { kind, next, .. } => Leaf::Skipped { kind: *kind, next: *next },
    };
    hasher.hash(&span.name, slot.range().0, &leaf)
}

impl AppendRow {
    fn count(&mut self, slot: &Slot, verdict: Verdict) {
        match (slot, verdict) {
            (Slot::Accepted(accepted), Verdict::Stored) => {
                let time = accepted.timestamp;
                self.min_time = Some(self.min_time.map_or(time, |min| min.min(time)));
                self.max_time = Some(self.max_time.map_or(time, |max| max.max(time)));
                self.outcome.stored += 1;
            }
            (Slot::Accepted(_), Verdict::Conflict) => {
                add(&mut self.outcome.dead_lettered, Reason::EventIdConflict, 1);
            }
            (Slot::Accepted(_), Verdict::Duplicate | Verdict::AsGiven) => self.outcome.duplicate += 1,
            (Slot::Rejected(rejected), _) => {
                add(&mut self.outcome.dead_lettered, rejected.refusal.reason, 1);
            }
            (Slot::Skipped { from, next, kind }, _) => {
                let offsets: &mut Vec<(DispositionKind, u64)> = &mut self.outcome.skipped;
                add(offsets, *kind, next.abs_diff(*from));
            }
        }
    }
}

fn add<K: PartialEq>(counts: &mut Vec<(K, u64)>, key: K, more: u64) {
    match counts.iter_mut().find(|(counted, _)| *counted == key) {
        Some((_, count)) => *count += more,
        None => counts.push((key, more)),
    }
}
