//! What the evidence of an event costs: the product's own code over the very events of the workload, alone under a clock.
//!
//! Inside the ingestor the same work cannot be told apart without a profiler; here it is hot and alone, on one core.

use std::time::Instant;

use shared::clock::{Clock, SystemClock};
use shared::digest::event_digest;
use shared::envelope::{Acceptance, accept};
use shared::event::Event;
use shared::json::ProtectedMarker;
use shared::leaf::{Leaf, RootBuilder, leaf_hash, leaf_input};
use shared::position::LogName;

use crate::figures::Run;
use crate::preload::Topic;
use crate::workload::{Kind, Workload};

/// The figure of bar 9: the leaf of every event, and the roots over the leaves of a batch.
pub(super) const LEAVES_AND_ROOTS: &str = "evidence: leaves and roots";
/// Beside it: the digest by which a redelivery is told from a conflict. Not evidence, but hashing as well.
const DIGESTS: &str = "evidence: event digests (for duplicates)";

/// Events under the clock.
const SAMPLE: u64 = 200_000;
/// The events that one log has in a full batch: 10,000 records of 12 logs.
const SPAN: usize = 833;
const ROUNDS: usize = 5;

/// Adds the two figures.
pub(super) fn measure(workload: &Workload, topic: &Topic, run: &mut Run) {
    let log =
        LogName { cluster: "default".to_owned(), topic: topic.name.clone(), partition: 7, incarnation: 1 };
    let events = events(workload);
    for _ in 0..ROUNDS {
        run.add(LEAVES_AND_ROOTS, "µs/event", micros_each(&events, |span| roots(&log, span)));
        run.add(DIGESTS, "µs/event", micros_each(&events, digests));
    }
}

fn events(workload: &Workload) -> Vec<Event> {
    let acceptance =
        Acceptance { now: SystemClock.now(), topic_organization: "", protected: ProtectedMarker::Refused };
    let fresh = (0..workload.events).filter(|number| workload.kind(*number) == Kind::Fresh);
    let count = usize::try_from(SAMPLE).unwrap_or(usize::MAX);
    fresh.take(count).filter_map(|number| accept(workload.envelope(number), &acceptance).ok()).collect()
}

#[expect(clippy::cast_precision_loss, reason = "200,000 events")]
fn micros_each(events: &[Event], mut work: impl FnMut(&[Event])) -> f64 {
    let started = Instant::now();
    events.chunks(SPAN).for_each(&mut work);
    started.elapsed().as_secs_f64() * 1e6 / events.len() as f64
}

fn roots(log: &LogName, span: &[Event]) {
    let mut root = RootBuilder::new();
    for (offset, event) in (0..).zip(span) {
        root.push(leaf_hash(&leaf_input(log, 1_000_000 + offset, &Leaf::Stored(&event.borrowed()))));
    }
    std::hint::black_box(root.finish());
}

fn digests(span: &[Event]) {
    for event in span {
        std::hint::black_box(event_digest(event));
    }
}
