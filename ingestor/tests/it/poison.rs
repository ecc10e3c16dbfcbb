//! Bad records: each in the dead letters with its reason, in the table and in the topic, and the flow unharmed.

use std::{collections::BTreeMap, time::Duration};

use bus::Outgoing;
use bytes::Bytes;
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::Value;
use shared::{
    avro::{encode_canonical, frame},
    envelope::Envelope,
    timestamp::Timestamp,
};
use test_support::{canonical_event, data::shared_file, servers::kafka_bootstrap, wait_until};

use crate::rig::{PATIENCE, Rig, register};

const MEBIBYTE: usize = 1024 * 1024;

/// A typed schema whose payload is defined by the rest of the text.
fn typed(name: &str, payload: &str) -> String {
    format!(
        r#"{{"type":"record","name":"{name}","namespace":"test","fields":[{{"name":"eventId","type":"string"}},{{"name":"eventType","type":"string"}},{{"name":"aggregateType","type":"string"}},{{"name":"aggregateId","type":"string"}},{{"name":"timestamp","type":{{"type":"long","logicalType":"timestamp-micros"}}}},{{"name":"version","type":"int"}},{{"name":"payload","type":{payload}}},{{"name":"metadata","type":{{"type":"map","values":"string"}}}}]}}"#
    )
}

/// The datum of a typed schema up to its payload: four strings, a time, a version.
fn head() -> Vec<u8> {
    let mut datum = Vec::new();
    for text in ["0194fdc2-fa2f-7cc0-81d3-ff12045b73c8", "T", "A", "a"] {
        datum.push(u8::try_from(text.len() * 2).expect("short"));
        datum.extend_from_slice(text.as_bytes());
    }
    datum.extend_from_slice(&[2, 2]);
    datum
}

async fn recursion_bomb() -> Vec<u8> {
    let node = r#"{"type":"record","name":"Node","fields":[{"name":"next","type":["null","Node"]}]}"#;
    let id = register("test-recursive-value", &typed("Recursive", node)).await;
    let mut datum = head();
    datum.extend(std::iter::repeat_n(2_u8, 401));
    datum.extend_from_slice(&[0, 0]);
    frame(id, &datum)
}

async fn array_bomb() -> Vec<u8> {
    let list = r#"{"type":"record","name":"List","fields":[{"name":"items","type":{"type":"array","items":"null"}}]}"#;
    let id = register("test-list-value", &typed("Listing", list)).await;
    let mut datum = head();
    // 8,000,000 items of no bytes, zigzag and variable length; the end of the array; an empty map.
    datum.extend_from_slice(&[0x80, 0xc8, 0xd0, 0x07, 0, 0]);
    frame(id, &datum)
}

/// 100 MB of zeros in one record of about 100 kB on the wire.
async fn send_gzip_bomb(topic: &str) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka_bootstrap())
        .set("compression.codec", "gzip")
        .set("message.max.bytes", "200000000")
        .create()
        .expect("a producer can be made");
    let zeros = vec![0_u8; 100 * 1000 * 1000];
    let record = FutureRecord::to(topic).key("bomb").payload(&zeros).partition(0);
    producer.send(record, Duration::from_mins(1)).await.expect("the broker looks at compressed sizes only");
}

#[tokio::test]
async fn every_poison_is_dead_lettered_with_its_reason_and_the_flow_goes_on() {
    let rig = Rig::new(1).await;
    let good = |n: i64| rig.record(&canonical_event("good", n).build());
    let whole = encode_canonical(&canonical_event("cut", 1).build());
    let tomorrow = i64::try_from(std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_micros())
        .expect("before the year 294246")
        + 25 * 3600 * 1_000_000;
    let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(3 * MEBIBYTE / 2));
    let poisons: Vec<(&str, Outgoing)> = vec![
        ("malformed-framing", rig.record_of("empty", Bytes::new())),
        ("malformed-framing", Outgoing { value: None, ..rig.record_of("null", Bytes::new()) }),
        ("malformed-framing", rig.record_of("magic", vec![7, 0, 0, 0, 1, 2, 3])),
        ("malformed-framing", rig.record_of("short", vec![0, 0, 0])),
        ("unknown-schema", rig.record_of("unknown", frame(4_000_000_000, &whole))),
        ("undecodable", rig.record_of("cut", frame(rig.schema_id, &whole[..whole.len() / 2]))),
        ("limit-exceeded", rig.record_of("recursion", recursion_bomb().await)),
        ("limit-exceeded", rig.record_of("array", array_bomb().await)),
        ("timestamp-in-future", rig.record(&canonical_event("future", 1).at_micros(tomorrow).build())),
        ("limit-exceeded", rig.record(&canonical_event("large", 1).payload_text(large).build())),
        (
            "payload-invalid",
            rig.record(&canonical_event("json", 1).payload_text(r#"{"a":1e400000}"#).build()),
        ),
        ("envelope-invalid", rig.record(&canonical_event("id", 1).id("not a uuid").build())),
    ];
    let mut records = vec![good(1)];
    for (version, (_, poison)) in (2..).zip(&poisons) {
        records.push(poison.clone());
        records.push(good(version));
    }
    rig.topic.send_all(records).await;
    send_gzip_bomb(rig.topic.name()).await;
    let last = good(i64::try_from(poisons.len()).expect("few") + 2);
    rig.topic.send_all([last]).await;

    let ingestor = rig.ingestor().await;
    let account = rig.settled().await;
    assert_eq!(account.stored, poisons.len() + 2);
    let mut expected = BTreeMap::from([("limit-exceeded", 1)]);
    for (reason, _) in &poisons {
        *expected.entry(*reason).or_default() += 1;
    }
    let found: BTreeMap<&str, usize> =
        account.reasons.iter().map(|(reason, n)| (reason.as_str(), *n)).collect();
    assert_eq!(found, expected);
    assert!(ingestor.resident_bytes() < 400 * MEBIBYTE as u64, "{} bytes", ingestor.resident_bytes());

    let published = wait_until("all dead letters are published", PATIENCE, || async {
        let published = rig.dead_letters.read_all().await;
        (published.len() > poisons.len()).then_some(published)
    })
    .await;
    for (reason, poison) in &poisons {
        let letter = published.iter().find(|it| it.key == poison.key).expect("each is published");
        assert_eq!(letter.header("__connect.errors.exception.class.name"), Some(*reason));
        assert_eq!(letter.header("__connect.errors.topic"), Some(rig.topic.name()));
        assert!(letter.header("audit.dead.letter.id").is_some());
        let size = poison.value.as_ref().map_or(0, Bytes::len);
        if size < MEBIBYTE {
            assert_eq!(letter.value, poison.value, "original bytes: {:?}", poison.key);
        } else {
            assert_eq!(letter.value.as_deref(), Some(&b""[..]));
            assert!(letter.header("audit.dead.letter.sha256").is_some());
        }
    }
    let bomb = published.iter().find(|it| it.key.as_deref() == Some(b"bomb")).expect("the bomb is published");
    let zeros = <sha2::Sha256 as sha2::Digest>::digest(vec![0_u8; 100 * 1000 * 1000]);
    assert_eq!(bomb.header("audit.dead.letter.sha256"), Some(hex::encode(zeros).as_str()));
    assert!(ingestor.stop().await.success());
}

/// The refusals that somebody else computed from the same text, through Kafka.
#[tokio::test]
async fn every_refusal_of_the_vectors_is_dead_lettered_with_its_reason_and_pointer() {
    let Some(path) = shared_file("vectors/envelope.json") else { return };
    let text = std::fs::read_to_string(path).expect("the vectors are readable");
    let vectors: Value = serde_json::from_str(&text).expect("the vectors are JSON");
    let rig = Rig::new(1).await;
    let mut expected = Vec::new();
    let mut records = Vec::new();
    for case in vectors["cases"].as_array().expect("cases") {
        let Some(reason) = case["expect"]["refused"].as_str() else { continue };
        let mut envelope = envelope_of(&case["envelope"]);
        if reason == "timestamp-in-future" {
            // The vectors have a clock of their own; the ingestor has the machine's.
            envelope.timestamp = Timestamp::from_micros(4_000_000_000_000_000);
        }
        expected.push((reason.to_owned(), case["expect"]["pointer"].as_str().expect("a pointer").to_owned()));
        records.push(rig.record_of(
            case["name"].as_str().expect("a name"),
            frame(rig.schema_id, &encode_canonical(&envelope)),
        ));
    }
    assert!(expected.len() >= 30, "the vectors hold refusals");
    rig.topic.send_all(records).await;
    let ingestor = rig.ingestor().await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.kind("dead-lettered")), (0, expected.len()));
    let client = rig.database.connect(test_support::Role::Superuser).await;
    let rows = client.query("select reason, pointer from audit.dead_letters order by \"offset\"", &[]).await;
    let found: Vec<(String, String)> =
        rows.expect("dead letters").iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(found, expected);
    assert!(ingestor.stop().await.success());
}

fn envelope_of(case: &Value) -> Envelope {
    let text = |key: &str| case[key].as_str().expect("a string").to_owned();
    let metadata = case["metadata"].as_object().expect("an object");
    Envelope {
        event_id: text("eventId"),
        event_type: text("eventType"),
        aggregate_type: text("aggregateType"),
        aggregate_id: text("aggregateId"),
        timestamp: Timestamp::from_micros(case["timestamp"].as_i64().expect("microseconds")),
        version: case["version"].as_i64().expect("a number"),
        payload: text("payload"),
        metadata: metadata
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().expect("a string").to_owned()))
            .collect(),
    }
}
