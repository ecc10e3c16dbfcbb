//! The append rows: counts, times and the batch root of each span (semantics.md 4, 8).

use shared::account::DispositionKind;
use shared::leaf::{Leaf, RootBuilder, leaf_hash, leaf_input};
use shared::refusal::Reason;
use shared::timestamp::Timestamp;

use super::outcome::AppendedSpan;
use super::prepare::Prepared;
use super::settle::Verdict;
use crate::batch::{Candidate, Entry, Span};

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
    prepared
        .spans
        .iter()
        .zip(verdicts)
        .zip(&prepared.leaves)
        .map(|((span, verdicts), leaves)| append_row(span, verdicts, leaves))
        .collect()
}

fn append_row(span: &Span, verdicts: &[Verdict], leaves: &[[u8; 32]]) -> AppendRow {
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
    for ((entry, verdict), as_given) in span.entries.iter().zip(verdicts).zip(leaves) {
        root.push(leaf_of(span, entry, *verdict).unwrap_or(*as_given));
        row.count(entry, *verdict);
    }
    row.batch_root = root.finish();
    row
}

/// The leaf of a candidate that is not stored; `None` = the prepared one holds.
fn leaf_of(span: &Span, entry: &Entry, verdict: Verdict) -> Option<[u8; 32]> {
    let Entry::Candidate(Candidate { offset, event, .. }) = entry else { return None };
    let leaf = match verdict {
        Verdict::Duplicate => Leaf::Duplicate { event_id: event.event_id },
        Verdict::Conflict => {
            Leaf::DeadLettered { reason: Reason::EventIdConflict, event_id: Some(event.event_id) }
        }
        Verdict::Stored | Verdict::AsGiven => return None,
    };
    Some(leaf_hash(&leaf_input(&span.name, *offset, &leaf)))
}

impl AppendRow {
    fn count(&mut self, entry: &Entry, verdict: Verdict) {
        match (entry, verdict) {
            (Entry::Candidate(candidate), Verdict::Stored) => {
                let time = candidate.event.timestamp;
                self.min_time = Some(self.min_time.map_or(time, |min| min.min(time)));
                self.max_time = Some(self.max_time.map_or(time, |max| max.max(time)));
                self.outcome.stored += 1;
            }
            (Entry::Candidate(_), Verdict::Conflict) => {
                add(&mut self.outcome.dead_lettered, Reason::EventIdConflict, 1);
            }
            (Entry::Candidate(_), Verdict::Duplicate | Verdict::AsGiven) => self.outcome.duplicate += 1,
            (Entry::Rejected(rejected), _) => {
                add(&mut self.outcome.dead_lettered, rejected.refusal.reason, 1);
            }
            (Entry::Skipped { from, next, kind }, _) => {
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
