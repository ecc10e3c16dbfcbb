//! What can be done before the transaction: order, ids, months.

use shared::digest::event_digest;
use shared::timestamp::Timestamp;
use uuid::Uuid;

use super::months::Month;
use crate::batch::{Accepted, Batch, Slot, Span};

/// An accepted event's place in the batch: which span (in log order), which entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) span: usize,
    pub(super) entry: usize,
}

/// A batch made ready; holds for every redo.
pub(super) struct Prepared<'a> {
    /// In log order.
    pub(super) spans: Vec<&'a mut Span>,
    /// Every accepted event, by id and then by (log, offset): the first of an id stands for it (semantics.md 3).
    pub(super) ids: Vec<(Uuid, Place)>,
    /// The months that they need.
    pub(super) months: Vec<Month>,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(batch: &'a mut Batch) -> Self {
        let mut spans: Vec<&mut Span> = batch.spans.iter_mut().collect();
        spans.sort_unstable_by_key(|span| span.log_id);
        let mut ids = Vec::with_capacity(spans.iter().map(|span| span.len()).sum());
        let mut months = Vec::new();
        for (span, slots) in spans.iter().enumerate() {
            for (entry, slot) in slots.slots.iter().enumerate() {
                let Slot::Accepted(accepted) = slot else { continue };
                ids.push((accepted.event_id, Place { span, entry }));
                let month = Month::of(accepted.timestamp);
                if months.last() != Some(&month) {
                    months.push(month);
                }
            }
        }
        ids.sort_unstable();
        months.sort_unstable();
        months.dedup();
        Self { spans, ids, months }
    }

    /// The accepted event at a place that [`Self::ids`] gave.
    pub(super) fn accepted(&self, place: Place) -> &Accepted {
        match &self.spans[place.span].slots[place.entry] {
            Slot::Accepted(accepted) => accepted,
            _ => unreachable!("ids hold only the places of accepted events"),
        }
    }

    /// Writes the time of recording into the rows; again for every redo.
    pub(super) fn stamp(&mut self, recorded_at: Timestamp) {
        self.spans.iter_mut().for_each(|span| span.stamp(recorded_at));
    }

    /// What tells it from another event of the same id.
    pub(super) fn digest(&self, place: Place) -> [u8; 32] {
        event_digest(&self.spans[place.span].event(self.accepted(place)))
    }

    /// Each id once.
    pub(super) fn distinct_ids(&self) -> Vec<Uuid> {
        let mut ids: Vec<Uuid> = self.ids.iter().map(|(id, _)| *id).collect();
        ids.dedup();
        ids
    }
}
