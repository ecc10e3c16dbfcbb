//! The formats, pinned by the files under `schemas/golden`: computed by programs that share no code with this crate.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::access::{Access, AccessContext};
use shared::account::DispositionKind;
use shared::avro::{CANONICAL_SCHEMA, WriterSchema, encode_canonical};
use shared::cursor;
use shared::digest::event_digest;
use shared::envelope::{Acceptance, Envelope, accept};
use shared::event::Event;
use shared::filter::{EventFilter, Order, PageKey, Pattern, Sort};
use shared::json::ProtectedMarker;
use shared::leaf::{AppendEntry, Leaf, LeafHasher, RootBuilder, leaf_hash, leaf_input};
use shared::payload_query::PayloadQuery;
use shared::position::{LogName, Position};
use shared::protected::{self, OpenError, SubjectKey};
use shared::record::record_digest;
use shared::refusal::{Reason, Refusal};
use shared::text_query::{TextFields, TextQuery};
use shared::timestamp::Timestamp;
use shared::view::EventView;
use uuid::Uuid;

fn schemas() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas")
}

fn golden<T: DeserializeOwned>(name: &str) -> T {
    let path = schemas().join("golden").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    hex::decode(hexadecimal).expect("hexadecimal")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cases {
    now_micros: i64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    #[serde(default)]
    topic_organization: String,
    schema: Option<String>,
    envelope: Option<Given>,
    datum: String,
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

fn accepted(given: Given) -> Event {
    let now = Timestamp::MAX;
    let acceptance = Acceptance { now, topic_organization: "", protected: ProtectedMarker::Refused };
    accept(given.into(), &acceptance).expect("a good event")
}

fn shown(result: &Result<Event, Refusal>) -> Value {
    match result {
        Ok(event) => json!({
            "stored": {
                "eventId": event.event_id, "organizationId": event.organization_id, "eventType": event.event_type,
                "aggregateType": event.aggregate_type, "aggregateId": event.aggregate_id,
                "timestamp": event.timestamp, "version": event.version.to_string(),
                "payload": event.payload, "metadata": event.metadata,
            },
            "digest": hex::encode(event_digest(event)),
        }),
        Err(refusal) => json!({"refused": refusal.reason.as_str(), "pointer": refusal.pointer}),
    }
}

#[test]
fn canonical_events_are_stored_as_pinned() {
    let cases: Cases = golden("canonical.json");
    let schema = WriterSchema::parse(CANONICAL_SCHEMA, &[]).expect("the canonical schema");
    for case in cases.cases {
        let envelope = Envelope::from(case.envelope.expect("an envelope"));
        let datum = bytes(&case.datum);
        assert_eq!(encode_canonical(&envelope), datum, "{}: encoded", case.name);
        assert_eq!(schema.decode(&datum).as_ref(), Ok(&envelope), "{}: decoded", case.name);
        let acceptance = Acceptance {
            now: Timestamp::from_micros(cases.now_micros),
            topic_organization: &case.topic_organization,
            protected: ProtectedMarker::Refused,
        };
        assert_eq!(shown(&accept(envelope, &acceptance)), case.expect, "{}", case.name);
    }
}

#[test]
fn typed_events_are_rendered_as_pinned() {
    let cases: Cases = golden("typed.json");
    let acceptance = Acceptance {
        now: Timestamp::from_micros(cases.now_micros),
        topic_organization: "",
        protected: ProtectedMarker::Refused,
    };
    for case in cases.cases {
        let path = schemas().join(case.schema.expect("a schema"));
        let text = std::fs::read_to_string(&path).expect("the example schema");
        let schema = WriterSchema::parse(&text, &[]).expect("a usable schema");
        let decoded = schema.decode(&bytes(&case.datum));
        if let (Ok(decoded), Some(envelope)) = (&decoded, case.envelope) {
            assert_eq!(*decoded, Envelope::from(envelope), "{}", case.name);
        }
        let result = decoded.and_then(|envelope| accept(envelope, &acceptance));
        assert_eq!(shown(&result), case.expect, "{}", case.name);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ledger {
    envelope: Given,
    topic: String,
    partition: i32,
    incarnation: i32,
    leaves: Vec<GivenLeaf>,
    roots_of_first: BTreeMap<usize, String>,
    append_entry: String,
    append_entry_hash: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GivenLeaf {
    kind: String,
    offset: i64,
    event_id: Option<Uuid>,
    reason: Option<String>,
    next: Option<i64>,
    input: String,
    hash: String,
}

fn leaf<'a>(given: &GivenLeaf, event: &'a Event<&'a str>) -> Leaf<'a> {
    match DispositionKind::parse(&given.kind) {
        None => Leaf::Stored(event),
        Some(DispositionKind::Duplicate) => Leaf::Duplicate { event_id: given.event_id.expect("an id") },
        Some(DispositionKind::DeadLettered) => Leaf::DeadLettered {
            reason: Reason::parse(given.reason.as_deref().expect("a reason")).expect("one of the list"),
            event_id: given.event_id,
        },
        Some(kind) => Leaf::Skipped { kind, next: given.next.expect("an end") },
    }
}

#[test]
fn leaves_roots_and_entries_are_as_pinned() {
    let ledger: Ledger = golden("ledger.json");
    let event = accepted(ledger.envelope);
    let event = event.borrowed();
    let log = LogName {
        cluster: "any".into(),
        topic: ledger.topic,
        partition: ledger.partition,
        incarnation: ledger.incarnation,
    };
    let mut builder = RootBuilder::new();
    let mut hasher = LeafHasher::default();
    assert_eq!(hex::encode(builder.clone().finish()), ledger.roots_of_first[&0]);
    for (index, given) in ledger.leaves.iter().enumerate() {
        let input = leaf_input(&log, given.offset, &leaf(given, &event));
        assert_eq!(input, given.input);
        assert_eq!(hex::encode(leaf_hash(&input)), given.hash);
        assert_eq!(hasher.hash(&log, given.offset, &leaf(given, &event)), leaf_hash(&input));
        builder.push(leaf_hash(&input));
        assert_eq!(
            hex::encode(builder.clone().finish()),
            ledger.roots_of_first[&(index + 1)],
            "{}",
            index + 1
        );
    }
    let last = ledger.leaves.last().expect("leaves");
    let entry = AppendEntry {
        append_no: 1,
        log: &log,
        from_offset: ledger.leaves[0].offset,
        next_offset: last.next.expect("the last is a run"),
        stored: 1,
        duplicate: 1,
        dead_lettered: 18,
        skipped: 15,
        root: builder.finish(),
        recorded_at: Timestamp::parse("2026-01-01T00:00:00Z").expect("a time"),
    };
    assert_eq!(entry.to_text(), ledger.append_entry);
    assert_eq!(hex::encode(entry.leaf_hash()), ledger.append_entry_hash);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GivenRecord {
    key: Option<String>,
    value: Option<String>,
    timestamp_ms: Option<i64>,
    digest: String,
}

#[test]
fn record_digests_are_as_pinned() {
    let records: Vec<GivenRecord> = golden("record_digests.json");
    for record in &records {
        let (key, value) = (record.key.as_deref().map(bytes), record.value.as_deref().map(bytes));
        let digest = record_digest(key.as_deref(), value.as_deref(), record.timestamp_ms);
        assert_eq!(hex::encode(digest), record.digest);
    }
    let distinct: std::collections::BTreeSet<&str> =
        records.iter().map(|record| record.digest.as_str()).collect();
    assert_eq!(distinct.len(), records.len(), "absent and empty differ, and parts do not run together");
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GivenSecret {
    key: String,
    secret: String,
    event_id: Uuid,
    pointer: String,
    value: String,
    protected: String,
}

#[test]
fn protected_values_are_as_pinned() {
    for given in golden::<Vec<GivenSecret>>("protected.json") {
        let secret: [u8; 32] = bytes(&given.secret).try_into().expect("32 bytes");
        let key = SubjectKey::new(&given.key, secret);
        let sealed = protected::seal(&key, given.event_id, &given.pointer, &given.value);
        assert_eq!(sealed, given.protected);
        assert_eq!(protected::key_id(&sealed).as_deref(), Ok(given.key.as_str()));
        assert_eq!(protected::open(&key, given.event_id, &given.pointer, &sealed), Ok(given.value));
        let elsewhere = protected::open(&key, given.event_id, "/elsewhere", &sealed);
        assert_eq!(elsewhere, Err(OpenError::Rejected));
        let other = SubjectKey::new("other", secret);
        assert_eq!(
            protected::open(&other, given.event_id, &given.pointer, &sealed),
            Err(OpenError::OtherKey)
        );
    }
}

#[derive(Deserialize)]
struct GivenCursor {
    time: Option<i64>,
    position: Option<String>,
    append: Option<i64>,
    offset: Option<i64>,
    fingerprint: String,
    cursor: String,
}

#[test]
fn cursors_are_as_pinned() {
    for given in golden::<Vec<GivenCursor>>("cursors.json") {
        let key = match (given.time, given.append) {
            (Some(time), None) => PageKey::Time(
                Timestamp::from_micros(time),
                given.position.expect("a position").parse::<Position>().expect("a position"),
            ),
            (_, append) => PageKey::Recorded { append_no: append.expect("an append"), offset: given.offset },
        };
        assert_eq!(cursor::encode(&key, &given.fingerprint), given.cursor);
        assert_eq!(cursor::decode(&given.cursor, &given.fingerprint), Ok(key));
    }
}

#[derive(Deserialize)]
struct GivenFingerprint {
    filter: GivenFilter,
    sort: String,
    order: String,
    fingerprint: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct GivenFilter {
    from: Option<i64>,
    to: Option<i64>,
    recorded_from: Option<i64>,
    recorded_to: Option<i64>,
    event_type: Vec<String>,
    aggregate_type: Vec<String>,
    aggregate_id: Vec<String>,
    user_id: Vec<String>,
    organization_id: Vec<String>,
    source: Vec<String>,
    action: Vec<String>,
    correlation_id: Vec<String>,
    causation_id: Vec<String>,
    without_accesses: bool,
    payload: Option<String>,
    text: Option<(String, Vec<String>)>,
}

#[test]
fn fingerprints_are_as_pinned() {
    let time = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    let patterns = |texts: Vec<String>| texts.iter().map(|text| Pattern::parse(text)).collect();
    for given in golden::<Vec<GivenFingerprint>>("fingerprints.json") {
        let filter = EventFilter {
            from: time(given.filter.from),
            to: time(given.filter.to),
            recorded_from: time(given.filter.recorded_from),
            recorded_to: time(given.filter.recorded_to),
            event_type: patterns(given.filter.event_type),
            aggregate_type: patterns(given.filter.aggregate_type),
            aggregate_id: given.filter.aggregate_id,
            user_id: given.filter.user_id,
            organization_id: given.filter.organization_id,
            source: given.filter.source,
            action: given.filter.action,
            correlation_id: given.filter.correlation_id,
            causation_id: given.filter.causation_id,
            without_accesses: given.filter.without_accesses,
            payload: given.filter.payload.map(|text| PayloadQuery::parse(&text).expect("a question")),
            text: given.filter.text.map(|(words, fields)| {
                let fields = TextFields::new(fields.iter().map(String::as_str)).expect("fields");
                TextQuery::new(words, fields).expect("a question")
            }),
        };
        let sort = if given.sort == "recorded" { Sort::Recorded } else { Sort::Time };
        let order = if given.order == "asc" { Order::Ascending } else { Order::Descending };
        assert_eq!(cursor::fingerprint(&filter, sort, order), given.fingerprint);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GivenView {
    envelope: Given,
    recorded_at: Timestamp,
    position: String,
    json: String,
}

#[test]
fn answers_are_as_pinned() {
    let given: GivenView = golden("view.json");
    let event = accepted(given.envelope);
    let view = EventView {
        event_id: event.event_id,
        event_type: &event.event_type,
        aggregate_id: &event.aggregate_id,
        aggregate_type: &event.aggregate_type,
        timestamp: event.timestamp,
        version: event.version,
        payload: &event.payload,
        metadata: &event.metadata,
        recorded_at: given.recorded_at,
        position: given.position.parse().expect("a position"),
    };
    let mut out = Vec::new();
    view.write_json(&mut out);
    assert_eq!(String::from_utf8(out).expect("UTF-8"), given.json);
    let sent_again = shared::envelope::from_canonical_json(&given.json).expect("an answer can be sent again");
    assert_eq!(sent_again.payload, event.payload);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GivenAccess {
    name: String,
    context: GivenContext,
    payload: String,
    event_type: String,
    aggregate_id: String,
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct GivenContext {
    organization_id: String,
    ip_address: Option<String>,
    user_agent: Option<String>,
    opened_by: Option<Uuid>,
}

#[test]
fn records_of_accesses_are_as_pinned() {
    let at = Timestamp::from_micros(1_700_000_000_000_000);
    for given in golden::<Vec<GivenAccess>>("accesses.json") {
        let access: Access = serde_json::from_str(&given.payload).expect("an access");
        let GivenContext { organization_id, ip_address, user_agent, opened_by } = given.context;
        let context = AccessContext { organization_id, ip_address, user_agent, opened_by };
        let made = access.envelope(Uuid::from_u128(7), at, &context);
        let name = &given.name;
        assert_eq!(made.payload, given.payload, "{name}");
        assert_eq!(
            (made.event_type.as_str(), made.aggregate_id),
            (given.event_type.as_str(), given.aggregate_id)
        );
        assert_eq!(made.metadata, given.metadata, "{name}");
        assert_eq!((made.aggregate_type.as_str(), made.version, made.timestamp), ("AuditAccess", 0, at));
        let acceptance = Acceptance { now: at, topic_organization: "", protected: ProtectedMarker::Refused };
        let stored = accept(access.envelope(Uuid::from_u128(7), at, &context), &acceptance);
        assert_eq!(stored.expect("the ingestor takes it").payload, given.payload, "{name}");
    }
}
