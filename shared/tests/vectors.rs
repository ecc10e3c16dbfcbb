//! The vectors that someone else computed (`../shared/vectors` beside the repository), where they are present.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;
use serde_json::Value;
use shared::account::DispositionKind;
use shared::avro::{CANONICAL_SCHEMA, WriterSchema, encode_canonical};
use shared::digest::event_digest;
use shared::envelope::{Acceptance, Envelope, accept};
use shared::event::Event;
use shared::json::ProtectedMarker;
use shared::leaf::{AppendEntry, Leaf, RootBuilder, leaf_hash, leaf_input};
use shared::position::LogName;
use shared::refusal::{Reason, Refusal};
use shared::timestamp::Timestamp;

/// The file's text; `None`, said aloud, where the vectors are not beside the repository.
fn vectors(name: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        eprintln!("SKIPPED: {} is not there", path.display());
    }
    text
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelopes {
    now_micros: i64,
    reasons: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    envelope: Given,
    expect: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    event_id: String,
    event_type: String,
    aggregate_id: String,
    aggregate_type: String,
    timestamp: i64,
    version: i64,
    payload: String,
    metadata: BTreeMap<String, String>,
}

impl From<Given> for Envelope {
    fn from(given: Given) -> Self {
        Self {
            event_id: given.event_id,
            event_type: given.event_type,
            aggregate_type: given.aggregate_type,
            aggregate_id: given.aggregate_id,
            timestamp: Timestamp::from_micros(given.timestamp),
            version: given.version,
            payload: given.payload,
            metadata: given.metadata,
        }
    }
}

fn run(envelope: Given, now_micros: i64) -> Result<Event, Refusal> {
    // Through Avro and back first: what a producer sends arrives that way.
    let envelope = Envelope::from(envelope);
    let schema = WriterSchema::parse(CANONICAL_SCHEMA, &[]).expect("the canonical schema");
    let decoded = schema.decode(&encode_canonical(&envelope)).expect("a canonical datum");
    assert_eq!(decoded, envelope);
    let now = Timestamp::from_micros(now_micros);
    accept(decoded, &Acceptance { now, topic_organization: "", protected: ProtectedMarker::Refused })
}

fn shown(result: &Result<Event, Refusal>) -> Value {
    match result {
        Ok(event) => serde_json::json!({
            "stored": {
                "eventId": event.event_id, "organizationId": event.organization_id, "eventType": event.event_type,
                "aggregateType": event.aggregate_type, "aggregateId": event.aggregate_id,
                "timestamp": event.timestamp, "version": event.version.to_string(),
                "payload": event.payload, "metadata": event.metadata,
            },
            "digest": hex::encode(event_digest(event)),
        }),
        Err(refusal) => serde_json::json!({"refused": refusal.reason.as_str(), "pointer": refusal.pointer}),
    }
}

#[test]
fn every_envelope_vector_agrees() {
    let Some(text) = vectors("envelope.json") else { return };
    let envelopes: Envelopes = serde_json::from_str(&text).expect("the vectors' form");
    assert_eq!(envelopes.reasons, Reason::ALL.map(Reason::as_str));
    assert!(envelopes.cases.len() > 40, "the vectors hold their cases");
    for case in envelopes.cases {
        let result = run(case.envelope, envelopes.now_micros);
        assert_eq!(shown(&result), case.expect, "{}", case.name);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ledger {
    leaf_inputs: Vec<String>,
    roots_of_first: BTreeMap<usize, String>,
    append_entry: String,
    append_entry_hash: String,
}

#[test]
fn every_ledger_vector_agrees() {
    let (Some(envelopes), Some(ledger)) = (vectors("envelope.json"), vectors("ledger.json")) else { return };
    let envelopes: Envelopes = serde_json::from_str(&envelopes).expect("the vectors' form");
    let ledger: Ledger = serde_json::from_str(&ledger).expect("the vectors' form");
    let now = envelopes.now_micros;
    let events: Vec<Event> =
        envelopes.cases.into_iter().filter_map(|case| run(case.envelope, now).ok()).collect();
    let log = LogName { cluster: "any".into(), topic: "audit.events".into(), partition: 3, incarnation: 1 };
    let events: Vec<_> = events.iter().map(Event::borrowed).collect();
    let mut leaves: Vec<Leaf<'_>> = events.iter().map(Leaf::Stored).collect();
    let event_id = events[0].event_id;
    leaves.push(Leaf::Duplicate { event_id });
    leaves.push(Leaf::DeadLettered { reason: Reason::MalformedFraming, event_id: None });
    leaves.push(Leaf::DeadLettered { reason: Reason::EventIdConflict, event_id: Some(event_id) });
    let mut offset = 40;
    let mut inputs = Vec::new();
    for leaf in &leaves {
        inputs.push(leaf_input(&log, offset, leaf));
        offset += 1;
    }
    for (kind, length) in [(DispositionKind::NotDelivered, 3), (DispositionKind::Gap, 4)] {
        inputs.push(leaf_input(&log, offset, &Leaf::Skipped { kind, next: offset + length }));
        offset += length;
    }
    assert_eq!(inputs, ledger.leaf_inputs);
    for (count, root) in &ledger.roots_of_first {
        let mut builder = RootBuilder::new();
        inputs[..*count].iter().for_each(|input| builder.push(leaf_hash(input)));
        assert_eq!(hex::encode(builder.finish()), *root, "the first {count}");
    }
    let mut root = [0; 32];
    hex::decode_to_slice(&ledger.roots_of_first[&inputs.len()], &mut root).expect("a root");
    let entry = AppendEntry {
        append_no: 17,
        log: &log,
        from_offset: 40,
        next_offset: offset,
        stored: i64::try_from(events.len()).expect("few"),
        duplicate: 1,
        dead_lettered: 2,
        skipped: 7,
        root,
        recorded_at: Timestamp::parse("2026-11-21T08:00:00.000001Z").expect("a time"),
    };
    assert_eq!(entry.to_text(), ledger.append_entry);
    assert_eq!(hex::encode(entry.leaf_hash()), ledger.append_entry_hash);
}
