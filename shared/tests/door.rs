//! The door: what is refused in what order, and canonical JSON.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use proptest::prelude::*;
use shared::avro::{CANONICAL_SCHEMA, WriterSchema, encode_canonical};
use shared::digest::event_digest;
use shared::envelope::{Acceptance, Envelope, accept, from_canonical_json};
use shared::event::Promoted;
use shared::json::ProtectedMarker;
use shared::refusal::{Reason, Refusal};
use shared::timestamp::Timestamp;

const NOW: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);
const DOOR: Acceptance<'static> =
    Acceptance { now: NOW, topic_organization: "", protected: ProtectedMarker::Refused };

fn good() -> Envelope {
    Envelope {
        event_id: "0198b1a0-7c1d-7e3b-9a55-0c2f8d1e4a6c".into(),
        event_type: "T".into(),
        aggregate_type: "A".into(),
        aggregate_id: "a".into(),
        timestamp: Timestamp::from_micros(0),
        version: 1,
        payload: "{}".into(),
        metadata: BTreeMap::new(),
    }
}

fn place(result: Result<impl std::fmt::Debug, Refusal>) -> (Reason, String) {
    let refusal = result.expect_err("refused");
    assert!(!refusal.detail.is_empty());
    (refusal.reason, refusal.pointer)
}

#[test]
fn the_first_broken_rule_in_order_refuses() {
    let mut envelope = Envelope {
        event_id: "x".into(),
        event_type: String::new(),
        aggregate_type: String::new(),
        aggregate_id: String::new(),
        timestamp: Timestamp::from_micros(i64::MAX),
        version: -1,
        payload: "[]".into(),
        metadata: [("k".to_owned(), "\0".to_owned())].into(),
    };
    let mut expect = |repair: fn(&mut Envelope), reason: Reason, pointer: &str| {
        assert_eq!(place(accept(envelope.clone(), &DOOR)), (reason, pointer.to_owned()));
        repair(&mut envelope);
    };
    expect(|envelope| envelope.event_id = good().event_id, Reason::EnvelopeInvalid, "/eventId");
    expect(|envelope| envelope.event_type = "T".into(), Reason::EnvelopeInvalid, "/eventType");
    expect(|envelope| envelope.aggregate_type = "A".into(), Reason::EnvelopeInvalid, "/aggregateType");
    expect(|envelope| envelope.aggregate_id = "a".into(), Reason::EnvelopeInvalid, "/aggregateId");
    expect(|envelope| envelope.version = i64::from(i32::MAX) + 1, Reason::EnvelopeInvalid, "/version");
    expect(|envelope| envelope.version = 0, Reason::EnvelopeInvalid, "/version");
    expect(|envelope| envelope.metadata.clear(), Reason::EnvelopeInvalid, "/metadata/k");
    expect(
        |envelope| envelope.timestamp = Timestamp::from_micros(i64::MIN),
        Reason::TimestampInFuture,
        "/timestamp",
    );
    expect(|envelope| envelope.timestamp = NOW, Reason::TimestampOutOfRange, "/timestamp");
    expect(|envelope| envelope.payload = "{}".into(), Reason::PayloadInvalid, "");
    assert!(accept(envelope, &DOOR).is_ok());
}

#[test]
fn of_metadata_with_several_faults_the_first_by_key_is_named_and_of_its_faults_the_first_rule() {
    let refused = |pairs: &[(&str, &str)]| {
        let metadata = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let refusal = accept(Envelope { metadata, ..good() }, &DOOR).expect_err("a fault");
        (refusal.pointer, refusal.detail)
    };
    let (long, large) = (format!("{}\0", "k".repeat(64)), "v".repeat(2049));
    let wide = format!("{}\0", "o".repeat(300));
    let at = |key: &str, detail: &str| (format!("/metadata/{key}"), detail.to_owned());
    let replaced = long.replace('\0', "\u{FFFD}");
    assert_eq!(refused(&[(&long, &large)]), at(&replaced, "the key is over 64 bytes"));
    assert_eq!(refused(&[("k\0", &large)]), at("k\u{FFFD}", "the value is over 2,048 bytes"));
    assert_eq!(refused(&[("organizationId", &wide)]), at("organizationId", "U+0000 cannot be stored"));
    assert_eq!(refused(&[("b", &large), ("a", "\0")]), at("a", "U+0000 cannot be stored"));
    let many: Vec<(String, &str)> = (0..65).map(|number| (format!("k{number}"), "\0")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    assert_eq!(refused(&many), ("/metadata".to_owned(), "more than 64 keys".to_owned()));
}

#[test]
fn promoted_values_come_from_the_metadata() {
    let keys = ["userId", "correlationId", "causationId", "source", "action"];
    let metadata: BTreeMap<String, String> =
        keys.into_iter().map(|key| (key.to_owned(), format!("the {key}"))).collect();
    let event = accept(Envelope { metadata, ..good() }, &DOOR).expect("a good event");
    let promoted = event.promoted;
    let values =
        [promoted.user_id, promoted.correlation_id, promoted.causation_id, promoted.source, promoted.action];
    assert_eq!(values, keys.map(|key| format!("the {key}")));
    assert_eq!(accept(good(), &DOOR).expect("a good event").promoted, Promoted::default());
}

#[test]
fn a_pointer_never_holds_what_no_database_text_can() {
    let metadata = [("a\0b".to_owned(), String::new())].into();
    let (reason, pointer) = place(accept(Envelope { metadata, ..good() }, &DOOR));
    assert_eq!((reason, pointer.as_str()), (Reason::EnvelopeInvalid, "/metadata/a\u{FFFD}b"));
}

#[test]
fn the_same_event_has_the_same_digest_and_any_change_another() {
    let digest = |envelope: Envelope| event_digest(&accept(envelope, &DOOR).expect("a good event"));
    let same = Envelope { event_id: good().event_id.to_uppercase(), payload: " { } ".into(), ..good() };
    assert_eq!(digest(same), digest(good()));
    let other = |key: &str| [(key.to_owned(), "x".to_owned())].into();
    let changed = [
        Envelope { event_id: "0198b1a0-7c1d-7e3b-9a55-0c2f8d1e4a6d".into(), ..good() },
        Envelope { event_type: "U".into(), ..good() },
        Envelope { aggregate_type: "B".into(), ..good() },
        Envelope { aggregate_id: "b".into(), ..good() },
        Envelope { timestamp: Timestamp::from_micros(1), ..good() },
        Envelope { version: 2, ..good() },
        Envelope { payload: r#"{"a":1}"#.into(), ..good() },
        Envelope { metadata: other("organizationId"), ..good() },
        Envelope { metadata: other("k"), ..good() },
    ];
    let mut digests: Vec<_> = changed.into_iter().map(digest).collect();
    digests.push(digest(good()));
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 10);
}

const LINE: &str = r#"{"eventId":"0198B1A0-7C1D-7E3B-9A55-0C2F8D1E4A6C","eventType":"T","aggregateId":"a","aggregateType":"A",
 "timestamp":"1970-01-01T01:00:00.0000009+01:00","version":1,"payload":{"n": 1.50, "s":"\u00e9"},
 "metadata":{"s":"é\n","n":-1.50e3,"t":true,"f":false,"z":null},"recordedAt":"2026-01-01T00:00:00Z","position":"1:2"}"#;

#[test]
fn canonical_json_keeps_the_payload_and_shows_scalars_as_text() {
    let envelope = from_canonical_json(LINE).expect("a canonical event");
    let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let expected = Envelope {
        event_id: "0198B1A0-7C1D-7E3B-9A55-0C2F8D1E4A6C".into(),
        payload: r#"{"n": 1.50, "s":"\u00e9"}"#.into(),
        metadata: [text("s", "é\n"), text("n", "-1.50e3"), text("t", "true"), text("f", "false")].into(),
        ..good()
    };
    assert_eq!(envelope, expected);
}

#[test]
fn canonical_json_names_what_is_wrong() {
    let cases = [
        ("\"eventType\":\"T\",", "", "/eventType"),
        ("\"eventType\"", "\"eventtype\"", "/eventtype"),
        ("\"eventType\":\"T\"", "\"eventType\":null", "/eventType"),
        ("\"eventType\":\"T\"", "\"eventType\":\"T\",\"eventType\":\"T\"", "/eventType"),
        ("\"version\":1", "\"version\":1.5", "/version"),
        ("\"version\":1", "\"version\":\"1\"", "/version"),
        ("1970-01-01T01", "1970-13-01T01", "/timestamp"),
        ("\"payload\":{\"n\": 1.50, \"s\":\"\\u00e9\"},", "", "/payload"),
        ("\"n\":-1.50e3", "\"n\":[1]", "/metadata/n"),
        ("\"n\":-1.50e3", "\"a/b\":{}", "/metadata/a~1b"),
        ("\"n\":-1.50e3", "\"s\":1", "/metadata/s"),
        ("\"recordedAt\"", "\"extra\"", "/extra"),
    ];
    for (found, replaced, pointer) in cases {
        let line = LINE.replacen(found, replaced, 1);
        assert_ne!(line, LINE, "{found}");
        assert_eq!(
            place(from_canonical_json(&line)),
            (Reason::EnvelopeInvalid, pointer.to_owned()),
            "{replaced}"
        );
    }
    let metadata = LINE.replace("{\"s\":\"é", "[{\"s\":\"é").replace("\"z\":null}", "\"z\":null}]");
    assert_eq!(place(from_canonical_json(&metadata)), (Reason::EnvelopeInvalid, "/metadata".to_owned()));
    for line in
        ["", "[]", "{", "null", "{\"eventId\":\"x\"", &LINE[..LINE.len() - 1], &format!("{LINE} {LINE}")]
    {
        assert_eq!(place(from_canonical_json(line)), (Reason::Undecodable, String::new()), "{line}");
    }
    // Not an object: that is for the door to say, in the words of the payload.
    let list = LINE.replace(r#"{"n": 1.50, "s":"\u00e9"}"#, "[ ]");
    assert_eq!(from_canonical_json(&list).expect("an envelope").payload, "[ ]");
}

#[test]
fn real_events_pass_the_door() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let schema = WriterSchema::parse(CANONICAL_SCHEMA, &[]).expect("the canonical schema");
    for name in ["cloudtrail", "ssh-logins"] {
        let path = folder.join(format!("{name}.jsonl.gz"));
        let Ok(file) = std::fs::File::open(&path) else {
            eprintln!("SKIPPED: {} is not there", path.display());
            continue;
        };
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip of UTF-8");
        assert!(text.lines().count() > 500);
        for line in text.lines() {
            let envelope = from_canonical_json(line).unwrap_or_else(|refusal| panic!("{refusal}: {line}"));
            let given: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let decoded = schema.decode(&encode_canonical(&envelope)).expect("a datum");
            assert_eq!(decoded, envelope);
            let event = accept(decoded, &DOOR).unwrap_or_else(|refusal| panic!("{refusal}: {line}"));
            let stored: serde_json::Value = serde_json::from_str(&event.payload).expect("JSON");
            assert_eq!(stored, given["payload"]);
            let metadata: serde_json::Value = serde_json::from_str(&event.metadata).expect("JSON");
            assert_eq!(metadata, given["metadata"]);
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_envelopes_never_panic(
        names in prop::array::uniform4(any::<String>()), micros in any::<i64>(), version in any::<i64>(),
        payload in any::<String>(), metadata in prop::collection::btree_map(any::<String>(), any::<String>(), 0..70),
    ) {
        let [event_id, event_type, aggregate_type, aggregate_id] = names;
        let timestamp = Timestamp::from_micros(micros);
        let envelope = Envelope { event_id, event_type, aggregate_type, aggregate_id, timestamp, version, payload, metadata };
        let _ = accept(envelope, &DOOR);
    }

    #[test]
    fn whatever_is_stored_keeps_the_rules(
        event_type in "\\PC{1,255}", aggregate_id in "\\PC{1,255}", micros in -62_135_596_800_000_000_i64..NOW.as_micros(),
        metadata in prop::collection::btree_map("[^\u{0}]{0,16}", "[^\u{0}]{0,40}", 0..64),
    ) {
        let timestamp = Timestamp::from_micros(micros);
        let envelope = Envelope { event_type, aggregate_id, timestamp, metadata: metadata.clone(), ..good() };
        let event = accept(envelope.clone(), &DOOR).expect("within every limit");
        prop_assert_eq!(&event.event_type, &envelope.event_type);
        let read: BTreeMap<String, String> = serde_json::from_str(&event.metadata).expect("JSON of strings");
        prop_assert_eq!(&read, &metadata);
        prop_assert_eq!(serde_json::to_string(&metadata).expect("JSON"), event.metadata);
    }

    #[test]
    fn arbitrary_lines_never_panic(line in any::<String>()) {
        let _ = from_canonical_json(&line);
    }
}
