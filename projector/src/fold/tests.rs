use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use store::projections::Runs;

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
    Seen { facts, version: *version, position, place: RecordedPlace { append_no: 1, offset: 0 } }
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
    fold.add(&Seen { facts, version: 0, position, place: RecordedPlace { append_no, offset } });
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
