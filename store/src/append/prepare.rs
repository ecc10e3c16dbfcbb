//! What can be done before the transaction: order, ids, months, leaves.

use shared::leaf::{Leaf, LeafHasher};
use uuid::Uuid;

use super::months::Month;
use crate::batch::{Batch, Candidate, Entry, Span};

/// A candidate's place in the batch: which span (in log order), which entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) span: usize,
    pub(super) entry: usize,
}

/// A batch made ready; holds for every redo.
pub(super) struct Prepared<'a> {
    /// In log order.
    pub(super) spans: Vec<&'a Span>,
    /// Every candidate, by id and then by (log, offset): the first of an id stands for it (semantics.md 3).
    pub(super) ids: Vec<(Uuid, Place)>,
    /// The months that the candidates need.
    pub(super) months: Vec<Month>,
    /// Leaf hashes by span and entry, candidates taken as stored.
    pub(super) leaves: Vec<Vec<[u8; 32]>>,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(batch: &'a Batch) -> Self {
        let mut spans: Vec<&Span> = batch.spans.iter().collect();
        spans.sort_unstable_by_key(|span| span.log_id);
        let mut hasher = LeafHasher::default();
        let mut hashes = |span: &&Span| span.entries.iter().map(|it| hash(&mut hasher, span, it)).collect();
        let leaves = spans.iter().map(&mut hashes).collect();
        let mut ids = Vec::with_capacity(spans.iter().map(|span| span.entries.len()).sum());
        let mut months = Vec::new();
        for (span, entries) in spans.iter().enumerate() {
            for (entry, candidate) in candidates(entries) {
                ids.push((candidate.event.event_id, Place { span, entry }));
                let month = Month::of(candidate.event.timestamp);
                if months.last() != Some(&month) {
                    months.push(month);
                }
            }
        }
        ids.sort_unstable();
        months.sort_unstable();
        months.dedup();
        Self { spans, ids, months, leaves }
    }

    /// The candidate at a place that [`Self::ids`] gave.
    pub(super) fn candidate(&self, place: Place) -> &'a Candidate {
        match &self.spans[place.span].entries[place.entry] {
            Entry::Candidate(candidate) => candidate,
            _ => unreachable!("ids hold only the places of candidates"),
        }
    }

    /// Each id once.
    pub(super) fn distinct_ids(&self) -> Vec<Uuid> {
        let mut ids: Vec<Uuid> = self.ids.iter().map(|(id, _)| *id).collect();
        ids.dedup();
        ids
    }
}

/// A span's candidates with their places among its entries.
pub(super) fn candidates(span: &Span) -> impl Iterator<Item = (usize, &Candidate)> {
    span.entries.iter().enumerate().filter_map(|(place, entry)| match entry {
        Entry::Candidate(candidate) => Some((place, candidate)),
        _ => None,
    })
}

fn hash(hasher: &mut LeafHasher, span: &Span, entry: &Entry) -> [u8; 32] {
    let leaf = match entry {
        Entry::Candidate(candidate) => Leaf::Stored(&candidate.event),
        Entry::Rejected(rejected) => Leaf::DeadLettered { reason: rejected.refusal.reason, event_id: None },
        Entry::Skipped { kind, next, .. } => Leaf::Skipped { kind: *kind, next: *next },
    };
    hasher.hash(&span.name, entry.range().0, &leaf)
}
