//! The lists whose pages are compared: no filter, and one for each index.

use std::ops::Range;

use shared::filter::{EventFilter, Pattern};
use shared::timestamp::Timestamp;

use crate::store_filled::FilledStore;

/// Different values of each filter.
const VALUES: u64 = 100;

/// Each list's name with filters of its kind. Every list has events behind the cursor that stands at `row`, at this time.
pub(super) fn lists(
    store: &FilledStore,
    row: u64,
    cursor: Timestamp,
) -> Vec<(&'static str, Vec<EventFilter>)> {
    let records = store.workload.events;
    let anywhere = store.sampled(0..records, VALUES, 0);
    // What an index without time finds may stand anywhere: take it from behind the cursor, or there is nothing to show.
    let behind = store.sampled(0..(records - row) * 9 / 10, VALUES, 0);
    let none = EventFilter::default;
    let of = |key: &str, make: fn(String) -> EventFilter| -> Vec<EventFilter> {
        anywhere.iter().filter_map(|event| event.metadata.get(key).cloned()).map(make).collect()
    };
    let aggregate = |event: &shared::envelope::Envelope| EventFilter {
        aggregate_type: vec![Pattern::Exact(event.aggregate_type.clone())],
        aggregate_id: vec![event.aggregate_id.clone()],
        ..none()
    };
    let event_type = |event: &shared::envelope::Envelope| EventFilter {
        event_type: vec![Pattern::Exact(event.event_type.clone())],
        ..none()
    };
    let correlation = |event: &shared::envelope::Envelope| EventFilter {
        correlation_id: event.metadata.get("correlationId").into_iter().cloned().collect(),
        ..none()
    };
    vec![
        ("no filter", vec![none()]),
        ("aggregate", behind.iter().map(aggregate).collect()),
        ("time range", time_ranges(store, cursor)),
        (
            "organisation",
            of("organizationId", |own| EventFilter { organization_id: vec![own], ..EventFilter::default() }),
        ),
        ("user", of("userId", |user| EventFilter { user_id: vec![user], ..EventFilter::default() })),
        ("event type", anywhere.iter().map(event_type).collect()),
        ("correlation", behind.iter().map(correlation).collect()),
        ("causation", causes(store, 0..(records - row) * 9 / 10)),
    ]
}

/// What caused some of these records: each has an event that names it, and a few have more.
fn causes(store: &FilledStore, records: Range<u64>) -> Vec<EventFilter> {
    let named = store.sampled(records, VALUES * 4, 0);
    let causes = named.iter().filter_map(|event| event.metadata.get("causationId").cloned());
    let filter = |cause| EventFilter { causation_id: vec![cause], ..EventFilter::default() };
    causes.take(usize::try_from(VALUES).unwrap_or(usize::MAX)).map(filter).collect()
}

/// Ranges of different lengths around the cursor's time, up to the whole store's.
fn time_ranges(store: &FilledStore, cursor: Timestamp) -> Vec<EventFilter> {
    let first = store.workload.micros(0);
    let longest = (cursor.as_micros() - first).unsigned_abs();
    let range = |nth: u64| {
        let half = i64::try_from(longest * nth / VALUES).unwrap_or(i64::MAX);
        let at = |micros: i64| Some(Timestamp::from_micros(micros));
        EventFilter {
            from: at(cursor.as_micros() - half),
            to: at(cursor.as_micros() + half),
            ..EventFilter::default()
        }
    };
    (1..=VALUES).map(range).collect()
}
