//! Which accepted events are stored, which repeat what is stored, which contradict it (semantics.md 3).

use std::collections::HashMap;

use uuid::Uuid;

use super::prepare::Prepared;

/// What an entry of the batch becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No accepted event: what the batch says.
    AsGiven,
    /// A new event.
    Stored,
    /// The same event was stored before.
    Duplicate,
    /// Another event has this id: dead-lettered with `event-id-conflict`.
    Conflict,
}

/// The digests of events found stored under ids of the batch; `None` = the event is gone by retention.
pub(super) type Found = HashMap<Uuid, Option<[u8; 32]>>;

/// A verdict for every entry, by span (in log order) and entry. Digests are made only of events whose id comes twice.
pub(super) fn settle(prepared: &Prepared<'_>, found: &Found) -> Vec<Vec<Verdict>> {
    let mut verdicts: Vec<Vec<Verdict>> =
        prepared.spans.iter().map(|span| vec![Verdict::AsGiven; span.len()]).collect();
    let mut rest = &prepared.ids[..];
    while let Some((id, first)) = rest.first() {
        let (same, others) = rest.split_at(rest.iter().take_while(|(other, _)| other == id).count());
        rest = others;
        let stored_before = found.get(id);
        if stored_before.is_none() && same.len() == 1 {
            verdicts[first.span][first.entry] = Verdict::Stored;
            continue;
        }
        // What this id stands for; `None` = gone by retention, so that nothing can contradict it.
        let reference = stored_before.copied().unwrap_or_else(|| Some(prepared.digest(*first)));
        for (nth, (_, place)) in same.iter().enumerate() {
            verdicts[place.span][place.entry] = if stored_before.is_none() && nth == 0 {
                Verdict::Stored
            } else if reference.is_none_or(|reference| reference == prepared.digest(*place)) {
                Verdict::Duplicate
            } else {
                Verdict::Conflict
            };
        }
    }
    verdicts
}
