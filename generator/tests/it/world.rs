//! What comes out of the world: the same for ever, and consistent.

use std::collections::{HashMap, HashSet};

use audit_generator::{Attack, Mix, Plan, World, json_line};
use proptest::prelude::*;
use shared::{
    envelope::{Acceptance, Envelope, accept},
    json::ProtectedMarker,
    timestamp::Timestamp,
    vocabulary::{Facts, data_access, security_event},
};

pub(crate) fn plan(events: u64) -> Plan {
    Plan {
        events: Some(events),
        rate: 10,
        seed: 1,
        start: Timestamp::parse("2026-01-15T12:00:00Z").expect("a time"),
        attacks: Vec::new(),
        mix: Mix { logins: 5, accesses: 3, orders: 2 },
        users: 200,
        articles: 50,
        organization: "demo".to_owned(),
    }
}

fn lines(plan: Plan) -> String {
    World::new(plan).map(|event| json_line::of(&event).expect("JSON") + "\n").collect()
}

/// Ids, times, order, payloads: a run of last year is the same run today.
#[test]
fn the_first_events_are_the_golden_ones() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/events.jsonl");
    let text = lines(Plan { attacks: vec![Attack::FailedLogins, Attack::NightAccess], ..plan(60) });
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &text).expect("written");
    }
    let golden = std::fs::read_to_string(path).expect("the golden file");
    assert!(golden == text, "other events: look at them, then run again with UPDATE_GOLDEN=1");
}

#[test]
fn another_seed_gives_other_events_and_the_same_seed_the_same() {
    assert_eq!(lines(plan(500)), lines(plan(500)));
    let other: HashSet<String> =
        World::new(Plan { seed: 2, ..plan(500) }).map(|event| event.event_id).collect();
    assert!(World::new(plan(500)).all(|event| !other.contains(&event.event_id)));
    let aggregates = |plan: Plan| -> HashSet<String> {
        World::new(plan).filter(|event| event.version > 0).map(|event| event.aggregate_id).collect()
    };
    let later = Timestamp::parse("2026-01-15T12:00:01Z").expect("a time");
    let own = aggregates(plan(500));
    assert!(
        own.is_disjoint(&aggregates(Plan { seed: 2, ..plan(500) })),
        "runs never fork each other's versions"
    );
    assert!(own.is_disjoint(&aggregates(Plan { start: later, ..plan(500) })));
    let more = lines(plan(600));
    assert!(more.starts_with(&lines(plan(500))), "a longer run begins as a shorter one");
}

fn events_of(attack: Attack) -> Vec<Envelope> {
    let with: Vec<_> = World::new(Plan { attacks: vec![attack], ..plan(400) }).collect();
    assert_eq!(with.len(), 400, "attacks are among the events asked for");
    let begins = 200;
    let count = usize::try_from(attack.events()).expect("small");
    with[begins..begins + count].to_vec()
}

fn one_user(events: &[Envelope]) -> bool {
    events.iter().all(|event| event.metadata["userId"] == events[0].metadata["userId"])
}

#[test]
fn failed_logins_are_a_burst_of_one_user_from_one_foreign_address() {
    let events = events_of(Attack::FailedLogins);
    assert!(one_user(&events));
    assert!(events.iter().all(|event| event.metadata["ipAddress"] == "203.0.113.66"));
    let failed = events.iter().filter(|event| event.event_type == "LOGIN_FAILED").count();
    assert_eq!((failed, events[12].event_type.as_str()), (12, "LOGIN_SUCCESS"));
    let took = events[12].timestamp.as_micros() - events[0].timestamp.as_micros();
    assert!(took < 600_000_000, "within ten minutes");
}

#[test]
fn mass_downloads_and_deletions_are_of_many_documents_by_one_user() {
    for (attack, event_type) in
        [(Attack::MassDownload, "DATA_EXPORT"), (Attack::MassDeletion, "Document.Deleted")]
    {
        let events = events_of(attack);
        let documents: HashSet<&str> = events.iter().map(|event| event.aggregate_id.as_str()).collect();
        assert_eq!((events.len(), documents.len()), (60, 60));
        assert!(one_user(&events) && events.iter().all(|event| event.event_type == event_type));
    }
}

#[test]
fn night_accesses_are_of_health_data_in_the_night_before() {
    let events = events_of(Attack::NightAccess);
    assert!(one_user(&events));
    for event in &events {
        assert!(event.timestamp.to_string().starts_with("2026-01-15T03:"), "{}", event.timestamp);
        assert!(event.payload.contains("HealthData"), "{}", event.payload);
    }
}

/// Words of the vocabulary, so that the projections find them.
#[test]
fn security_events_and_data_accesses_are_known_as_such() {
    let (mut security, mut accesses, mut looked, mut failed) = (0, 0, 0, 0);
    for envelope in World::new(plan(1000)) {
        looked += u32::from(envelope.event_type == "DataAccess");
        failed += u32::from(envelope.event_type == "LOGIN_FAILED");
        let event = accepted(envelope);
        security += u32::from(security_event(&Facts::from(&event)).is_some());
        accesses += u32::from(data_access(&Facts::from(&event)).is_some());
    }
    assert!(looked > 50 && failed > 20, "{looked} {failed}");
    assert_eq!((accesses, security), (looked, failed));
}

fn accepted(envelope: Envelope) -> shared::event::Event {
    let now = Timestamp::parse("2027-01-01T00:00:00Z").expect("a time");
    let acceptance = Acceptance { now, topic_organization: "", protected: ProtectedMarker::Refused };
    accept(envelope, &acceptance).expect("every event is valid")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is asked for: versions without holes or forks, causes that came before, ids that differ, valid events.
    #[test]
    fn every_run_is_consistent(
        seed in any::<u64>(),
        (logins, accesses, orders) in (0..10_u32, 0..10_u32, 1..10_u32),
        (users, articles) in (1..300_u32, 1..100_u32),
        rate in 1..100_000_u32,
        attacks in prop::collection::vec(prop::sample::select(vec![
            Attack::FailedLogins, Attack::MassDownload, Attack::NightAccess, Attack::MassDeletion,
        ]), 0..4),
    ) {
        let mix = Mix { logins, accesses, orders };
        let plan = Plan { seed, mix, users, articles, rate, attacks, ..plan(800) };
        let mut versions: HashMap<(String, String), i64> = HashMap::new();
        let mut correlations: HashMap<String, String> = HashMap::new();
        let mut count = 0;
        for envelope in World::new(plan) {
            count += 1;
            let id = envelope.event_id.clone();
            let correlation = envelope.metadata["correlationId"].clone();
            if let Some(cause) = envelope.metadata.get("causationId") {
                prop_assert_eq!(correlations.get(cause), Some(&correlation), "the cause came before");
            }
            prop_assert!(correlations.insert(id, correlation).is_none(), "an id twice");
            if envelope.version > 0 {
                let aggregate = (envelope.aggregate_type.clone(), envelope.aggregate_id.clone());
                let last = versions.entry(aggregate).or_default();
                prop_assert_eq!(envelope.version, *last + 1);
                *last += 1;
            }
            accepted(envelope);
        }
        prop_assert_eq!(count, 800);
    }
}
