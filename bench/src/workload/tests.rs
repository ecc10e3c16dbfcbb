use std::collections::{BTreeMap, HashMap, HashSet};

use sha2::{Digest, Sha256};
use shared::avro::{CANONICAL_SCHEMA, WriterSchema};
use shared::envelope::{Acceptance, Envelope, accept};
use shared::json::ProtectedMarker;

use uuid::Uuid;

use super::event::{CORRELATION_BLOCK, aggregate_id, number_of, seat};
use super::*;

fn small() -> Workload {
    Workload::new(20_000, Ids::V7)
}

/// Changing the generator without its [`GENERATION`] would mix old and new records in one report.
#[test]
fn records_are_pinned() {
    let mut hash = Sha256::new();
    for number in [0, 1, 1000, 19_999] {
        let record = small().record(number);
        hash.update(&record.key);
        hash.update(&record.value);
    }
    assert_eq!(
        hex::encode(hash.finalize()),
        "2f692df8d8a05f68ed8b4d7af93e9b596b7f33f70f25b3ad4b8936db17f0cc66"
    );
}

#[test]
fn every_record_is_what_its_kind_says() {
    let workload = small();
    let schema = WriterSchema::parse(CANONICAL_SCHEMA, &[]).unwrap();
    let acceptance = Acceptance {
        now: Timestamp::from_micros(END_MICROS),
        topic_organization: "",
        protected: ProtectedMarker::Refused,
    };
    let mut ids = HashSet::new();
    let mut versions: HashMap<String, i32> = HashMap::new();
    let mut counted = Expected { stored: 0, duplicates: 0, dead_lettered: 0 };
    for number in 0..workload.events {
        let accepted = accept(schema.decode(&workload.record(number).value).unwrap(), &acceptance);
        match workload.kind(number) {
            Kind::Invalid => {
                assert!(accepted.is_err(), "{number} must be refused");
                counted.dead_lettered += 1;
            }
            Kind::Duplicate { of } => {
                assert!(of < number && ids.contains(&accepted.unwrap().event_id));
                counted.duplicates += 1;
            }
            Kind::Fresh | Kind::Late => {
                let event = accepted.unwrap();
                assert!(ids.insert(event.event_id), "{number} repeats an id");
                let version = versions.entry(event.aggregate_id).or_default();
                *version += 1;
                assert_eq!(event.version, *version, "record {number}");
                counted.stored += 1;
            }
        }
    }
    assert_eq!(counted, workload.expected());
}

#[test]
fn shapes_are_what_the_bars_suppose() {
    let workload = Workload::new(100_000, Ids::V7);
    let envelopes: Vec<_> = (0..workload.events)
        .filter(|number| matches!(workload.kind(*number), Kind::Fresh | Kind::Late))
        .map(|number| workload.envelope(number))
        .collect();
    let share = |count: usize| count * 10_000 / envelopes.len();
    let mut payloads: Vec<usize> = envelopes.iter().map(|envelope| envelope.payload.len()).collect();
    payloads.sort_unstable();
    let at = |percent: usize| payloads[payloads.len() * percent / 100];
    assert!((330..=380).contains(&at(1)), "{}", at(1));
    assert!((455..=475).contains(&at(50)), "{}", at(50));
    assert!((560..=610).contains(&at(99)), "{}", at(99));
    let long = payloads.iter().filter(|length| **length > 3500).count();
    assert!((40..60).contains(&share(long)), "{long}");
    let metadata: usize = envelopes.iter().map(|envelope| rendered(&envelope.metadata)).sum();
    assert!((140..=165).contains(&(metadata / envelopes.len())), "{}", metadata / envelopes.len());
    let with = |key: &str| share(envelopes.iter().filter(|event| event.metadata.contains_key(key)).count());
    assert!((7900..8100).contains(&with("userId")), "{}", with("userId"));
    assert!((4900..5100).contains(&with("causationId")), "{}", with("causationId"));
    let distinct = |of: fn(&Envelope) -> &str| envelopes.iter().map(of).collect::<HashSet<_>>().len();
    assert_eq!(distinct(|event| &event.aggregate_type), 8);
    assert_eq!(distinct(|event| &event.event_type), 40);
    assert_eq!(distinct(|event| &event.metadata["organizationId"]), 50);
    let correlations = distinct(|event| &event.metadata["correlationId"]);
    assert!((24_000..=25_100).contains(&correlations), "{correlations}");
}

#[test]
fn few_aggregates_have_much_and_most_have_little() {
    let workload = Workload::new(100_000, Ids::V7);
    let mut counts: HashMap<String, u32> = HashMap::new();
    for number in 0..workload.events {
        *counts.entry(aggregate_id(workload.plan().of(number).0)).or_default() += 1;
    }
    let mut counts: Vec<u32> = counts.into_values().collect();
    counts.sort_unstable();
    // Zipf 0.99 over 10,000 ranks: the first has 1 of 10.2 of all.
    let most = *counts.last().unwrap();
    assert!((9000..10_800).contains(&most), "{most}");
    assert!(counts.len() > 8000, "{}", counts.len());
    assert!(counts[counts.len() / 2] < 10);
}

#[test]
fn faults_come_as_often_as_said_and_only_when_asked_for() {
    let expected = Workload::new(200_000, Ids::V7).expected();
    assert!((1800..2200).contains(&expected.duplicates), "{expected:?}");
    assert!((150..250).contains(&expected.dead_lettered), "{expected:?}");
    assert_eq!(expected.stored + expected.duplicates + expected.dead_lettered, 200_000);
    let clean = Workload::new(200_000, Ids::V7).with_faults(Faults::None);
    assert_eq!(clean.expected().stored, 200_000);
}

#[test]
fn times_fill_the_months_and_v7_ids_follow_them() {
    let workload = Workload::new(120_000, Ids::V7).over_months(84).with_faults(Faults::None);
    let time = |number| Timestamp::from_micros(workload.micros(number)).to_string();
    assert!(time(0).starts_with("2019-01-01T00:00:0"), "{}", time(0));
    assert!(time(119_999).starts_with("2025-12-31T23:"), "{}", time(119_999));
    assert!(workload.event_id(100) < workload.event_id(90_000));
    assert_eq!(workload.event_id(7).get_version_num(), 7);
    assert_eq!(Workload::new(120_000, Ids::V4).event_id(7).get_version_num(), 4);
}

#[test]
fn a_correlation_has_four_events_and_causes_precede() {
    let workload = small();
    let mut members: HashMap<Uuid, Vec<u64>> = HashMap::new();
    for number in 0..CORRELATION_BLOCK * 4 {
        members.entry(Workload::correlation(number)).or_default().push(number);
        assert_eq!(number_of(seat(number)), number % CORRELATION_BLOCK);
    }
    assert!(members.values().all(|numbers| numbers.len() == 4));
    for numbers in members.values() {
        assert_eq!(workload.causation(numbers[0]), None);
        let first = workload.event_id(numbers[0]);
        let mut causes = numbers[1..].iter().filter_map(|number| workload.causation(*number));
        assert!(causes.all(|cause| cause == first));
    }
}

#[test]
fn a_topic_is_named_after_all_that_its_records_depend_on() {
    let names: HashSet<String> = [
        small(),
        Workload::new(20_001, Ids::V7),
        Workload::new(20_000, Ids::V4),
        small().over_months(84),
        small().with_faults(Faults::None),
    ]
    .iter()
    .map(Workload::topic)
    .collect();
    assert_eq!(names.len(), 5);
    assert!(!Workload::is_outdated(&small().topic()));
    assert!(Workload::is_outdated("audit-zipf-v1.g0.20000.v7.12m.faults"));
    assert!(!Workload::is_outdated("audit.events"));
}

fn rendered(metadata: &BTreeMap<String, String>) -> usize {
    2 + metadata.iter().map(|(key, value)| key.len() + value.len() + 6).sum::<usize>() - 1
}
