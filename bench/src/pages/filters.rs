//! The lists whose pages are compared: no filter, and one for each index.

use shared::filter::{EventFilter, Pattern};
use shared::timestamp::Timestamp;

use crate::store_filled::FilledStore;

/// Different values of each filter.
const VALUES: u64 = 100;

/// Each list's name with filters of its kind. Every list has events behind the cursor that stands at `row`.
pub(super) fn lists(store: &FilledStore, row: u64) -> Vec<(&'static str, Vec<EventFilter>)> {
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
        ("time range", time_ranges(store, row)),
        (
            "organisation",
            of("organizationId", |own| EventFilter { organization_id: vec![own], ..EventFilter::default() }),
        ),
        ("user", of("userId", |user| EventFilter { user_id: vec![user], ..EventFilter::default() })),
        ("event type", anywhere.iter().map(event_type).collect()),
        ("correlation", behind.iter().map(correlation).collect()),
    ]
}

/// Ranges of different lengths around the cursor's place.
fn time_ranges(store: &FilledStore, row: u64) -> Vec<EventFilter> {
    let records = store.workload.events;
    let middle = records - row;
    let at = |number: u64| Timestamp::from_micros(store.workload.micros(number.min(records - 1)));
    let half = |nth: u64| middle.min(row) * (nth + 1) / (VALUES + 1);
    let range = |half: u64| EventFilter {
        from: Some(at(middle - half)),
        to: Some(at(middle + half)),
        ..EventFilter::default()
    };
    (0..VALUES).map(|nth| range(half(nth))).collect()
}
