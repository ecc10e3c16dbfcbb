use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use store::projections::{Runs, SeriesCount};

use super::*;

/// What a straightforward recount says of a key.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
struct Counted {
    events: i64,
    times: BTreeSet<i64>,
    versions: BTreeMap<i32, u32>,
}

type Owned = (String, String, String, String, i32, i64);

fn seen(event: &Owned) -> Seen<'_> {
    let (organization_id, aggregate_type, aggregate_id, event_type, version, micros) = event;
    let facts = Facts {
        event_id: Uuid::from_u128(7),
        organization_id,
        aggregate_type,
        aggregate_id,
        event_type,
        timestamp: Timestamp::from_micros(*micros),
        user_id: "",
        payload: "{}",
        metadata: "{}",
    };
    let position = Position { log_id: 1, offset: 0 };
    let place = RecordedPlace { append_no: 1, offset: 0 };
    Seen { facts, source: "", action: "", version: *version, position, place }
}

fn fold(events: &[Owned]) -> Changes {
    let mut fold = Fold::default();
    for event in events {
        fold.add(&seen(event));
    }
    fold.finish()
}

/// Few keys, so that they meet; names that would be confused if they were only put one after another.
fn event() -> impl Strategy<Value = Owned> {
    let name =
        prop_oneof![Just(String::new()), Just("a".to_owned()), Just("ab".to_owned()), Just("b".to_owned())];
    let version = prop_oneof![0..12i32, Just(i32::MAX), Just(i32::MAX - 1)];
    (name.clone(), name.clone(), name.clone(), name, version, -1000..1000i64)
}

fn versions(runs: &Runs) -> BTreeSet<i32> {
    runs.0.iter().flat_map(|(first, last)| *first..=*last).collect()
}

proptest! {
    #[test]
    fn a_fold_is_a_recount(events in prop::collection::vec(event(), 0..80)) {
        let mut counted: BTreeMap<(String, String, String), Counted> = BTreeMap::new();
        for (organization, kind, id, _, version, micros) in &events {
            let of = counted.entry((organization.clone(), kind.clone(), id.clone())).or_default();
            of.events += 1;
            of.times.insert(*micros);
            if *version > 0 {
                *of.versions.entry(*version).or_default() += 1;
            }
        }
        let changes = fold(&events);
        prop_assert_eq!(changes.aggregates.len(), counted.len());
        for (change, (key, of)) in changes.aggregates.iter().zip(&counted) {
            let (organization, kind, id) = key;
            prop_assert_eq!((&change.organization_id, &change.aggregate_type, &change.aggregate_id), (organization, kind, id));
            prop_assert_eq!(change.events, of.events);
            prop_assert_eq!(Some(&change.first.as_micros()), of.times.first());
            prop_assert_eq!(Some(&change.last.as_micros()), of.times.last());
            prop_assert_eq!(versions(&change.versions), of.versions.keys().copied().collect::<BTreeSet<_>>());
            let double = of.versions.iter().filter(|(_, times)| **times > 1).map(|(version, _)| *version);
            prop_assert_eq!(versions(&change.double_versions), double.collect::<BTreeSet<_>>());
        }
        let events_of = |counts: &[SeriesCount]| counts.iter().map(|count| count.events).sum::<i64>();
        let all = i64::try_from(events.len()).unwrap_or(0);
        prop_assert_eq!((events_of(&changes.statistics.hours), events_of(&changes.statistics.days)), (all, all));
        let types: i64 = changes.event_types.iter().map(|change| change.events).sum();
        prop_assert_eq!(types, i64::try_from(events.len()).unwrap_or(0));
        let keys: Vec<_> = changes.event_types.iter().map(|c| (&c.event_type, &c.organization_id)).collect();
        prop_assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn the_order_within_a_batch_does_not_matter(events in prop::collection::vec(event(), 0..40), seed in any::<u64>()) {
        let mut shuffled = events.clone();
        let length = shuffled.len().max(1);
        for nth in 0..shuffled.len() {
            let other = usize::try_from(seed.rotate_left(u32::try_from(nth).unwrap_or(0)) % length as u64).unwrap_or(0);
            shuffled.swap(nth, other);
        }
        prop_assert_eq!(fold(&events), fold(&shuffled));
    }

    #[test]
    fn runs_never_touch(events in prop::collection::vec(event(), 0..80)) {
        for change in fold(&events).aggregates {
            for runs in [change.versions, change.double_versions] {
                for pair in runs.0.windows(2) {
                    prop_assert!(i64::from(pair[0].1) + 1 < i64::from(pair[1].0), "{:?}", runs);
                }
                prop_assert!(runs.0.iter().all(|(first, last)| 1 <= *first && first <= last), "{:?}", runs);
            }
        }
    }
}

const EVENT: Uuid = Uuid::from_u128(9);

/// Somebody of this organisation settles [`EVENT`] at this place, with these words.
fn resolves(fold: &mut Fold, organization_id: &str, append_no: i64, offset: i64, notes: &str) {
    let payload = format!(r#"{{"resolutionNotes":"{notes}","resolvedBy":"u"}}"#);
    let facts = Facts {
        event_id: Uuid::from_u128(u128::from(notes.len() as u64)),
        organization_id,
        event_type: vocabulary::RESOLVED_TYPE,
        aggregate_type: vocabulary::SECURITY_AGGREGATE,
        aggregate_id: &EVENT.to_string(),
        timestamp: Timestamp::from_micros(5),
        user_id: "",
        payload: &payload,
        metadata: "{}",
    };
    let position = Position { log_id: 1, offset };
    let place = RecordedPlace { append_no, offset };
    fold.add(&Seen { facts, source: "", action: "", version: 0, position, place });
}

#[test]
fn of_resolutions_the_last_in_recorded_order_holds_for_each_organisation() {
    let mut fold = Fold::default();
    resolves(&mut fold, "acme", 7, 3, "middle");
    resolves(&mut fold, "acme", 8, 0, "last");
    resolves(&mut fold, "acme", 7, 4, "before it");
    resolves(&mut fold, "globex", 1, 0, "another's");
    assert!(fold.weight() > 0);
    let kept: Vec<(String, Option<String>)> = fold
        .finish()
        .resolutions
        .into_iter()
        .map(|change| (change.resolution.organization_id, change.resolution.notes))
        .collect();
    let expected = [("acme", "last"), ("globex", "another's")];
    assert_eq!(kept, expected.map(|(own, notes)| (own.to_owned(), Some(notes.to_owned()))));
}

#[test]
fn hours_are_over_all_users_and_days_of_each() {
    let at = |text: &str| Timestamp::parse(text).expect("a time");
    let mut fold = Fold::default();
    let events = [
        ("ann", "2025-12-31T23:59:59.999999Z"),
        ("ann", "2026-01-01T00:00:00Z"),
        ("bob", "2026-01-01T00:59:59Z"),
        ("", "2026-01-01T01:00:00Z"),
    ];
    for (user_id, time) in events {
        let facts = Facts {
            event_id: EVENT,
            organization_id: "acme",
            event_type: "LOGIN_FAILED",
            aggregate_type: "User",
            aggregate_id: "a",
            timestamp: at(time),
            user_id,
            payload: "{}",
            metadata: "{}",
        };
        let place = RecordedPlace { append_no: 1, offset: 0 };
        let position = Position { log_id: 1, offset: 0 };
        fold.add(&Seen { facts, source: "gate", action: "LOGIN", version: 0, position, place });
    }
    let statistics = fold.finish().statistics;
    let user = |id: &Uuid| {
        statistics.series.iter().find(|series| series.id == *id).map(|series| series.user_id.as_str())
    };
    let counted = |counts: &[SeriesCount]| -> Vec<(String, Timestamp, i64)> {
        counts
            .iter()
            .map(|count| (user(&count.series).expect("named").to_owned(), count.start, count.events))
            .collect()
    };
    let expected = |counts: &[(&str, &str, i64)]| -> Vec<(String, Timestamp, i64)> {
        counts.iter().map(|(user, time, events)| ((*user).to_owned(), at(time), *events)).collect()
    };
    assert_eq!(
        counted(&statistics.hours),
        expected(&[
            ("", "2025-12-31T23:00:00Z", 1),
            ("", "2026-01-01T00:00:00Z", 2),
            ("", "2026-01-01T01:00:00Z", 1)
        ])
    );
    let (old, new) = ("2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z");
    assert_eq!(
        counted(&statistics.days),
        expected(&[("", new, 1), ("ann", old, 1), ("ann", new, 1), ("bob", new, 1)])
    );
    assert!(statistics.series.iter().all(|series| series.outcome == "failure" && series.source == "gate"));
}
