//! Good records: stored, each in its place, whatever framing and schema they come with.

use bus::Outgoing;
use bytes::Bytes;
use serde_json::Value;
use shared::avro::{
    CANONICAL_SCHEMA, SchemaReference, VALUE_SCHEMA_HEADER, canonical_schema_compact, encode_canonical, frame,
};
use store::schemas::{StoredSchema, keep_schema};
use test_support::{Daemon, Role, TestTopic, canonical_event, servers, unique, unique_id};

use crate::{
    account,
    rig::{PATIENCE, Rig, register},
};

#[tokio::test]
async fn canonical_events_are_stored() {
    let rig = Rig::new(3).await;
    let ingestor = rig.ingestor().await;
    let records: Vec<_> = (0..300)
        .map(|n| rig.record(&canonical_event(&format!("order-{}", n % 20), n / 20 + 1).build()))
        .collect();
    rig.topic.send_all(records).await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.offsets()), (300, 300));
    assert!(ingestor.metric("audit_events_stored_total").await >= 300.0);
    assert!(ingestor.stop().await.success());
}

const TYPED: &str = include_str!("../../../schemas/golden/typed.json");
const SCHEMAS: [(&str, &str); 3] = [
    ("orders/order_placed/v1.avsc", include_str!("../../../schemas/orders/order_placed/v1.avsc")),
    ("inventory/stock_adjusted/v1.avsc", include_str!("../../../schemas/inventory/stock_adjusted/v1.avsc")),
    ("payments/payment_captured/v1.avsc", include_str!("../../../schemas/payments/payment_captured/v1.avsc")),
];

/// The golden datums of the typed schemas come out of the database as the golden file has them.
#[tokio::test]
async fn typed_events_are_stored_as_the_golden_file_has_them() {
    let golden: Value = serde_json::from_str(TYPED).expect("the golden file is JSON");
    let rig = Rig::new(1).await;
    let mut ids = Vec::new();
    for (path, text) in SCHEMAS {
        ids.push((path, register(&unique("typed"), text).await));
    }
    let mut expected = Vec::new();
    let mut records = Vec::new();
    let mut seen = Vec::new();
    for case in golden["cases"].as_array().expect("cases") {
        let stored = &case["expect"]["stored"];
        let id = stored["eventId"].as_str();
        let Some((_, schema)) = ids.iter().find(|(path, _)| case["schema"] == *path) else { continue };
        // Several cases may share an id, which here would make them duplicates of each other.
        if id.is_none() || seen.contains(&id) {
            continue;
        }
        seen.push(id);
        let text = |key: &str| stored[key].as_str().expect("text").to_owned();
        expected.push(["eventId", "aggregateId", "payload", "metadata"].map(text));
        let datum = hex::decode(case["datum"].as_str().expect("hex")).expect("hex");
        records.push(rig.record_of(&text("aggregateId"), frame(*schema, &datum)));
    }
    assert!(!expected.is_empty());
    rig.topic.send_all(records).await;
    let ingestor = rig.ingestor().await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.offsets()), (expected.len(), expected.len()));
    let client = rig.database.connect(Role::Superuser).await;
    let rows = client
        .query(
            "select event_id::text, aggregate_id, payload::text, metadata::text from audit.events order by \"offset\"",
            &[],
        )
        .await
        .expect("events");
    let found: Vec<[String; 4]> = rows.iter().map(|row| [0, 1, 2, 3].map(|column| row.get(column))).collect();
    assert_eq!(found, expected);
    assert!(ingestor.stop().await.success());
}

/// The other framing: the whole value is the datum, a header has the schema's GUID. The registry of the tests has no
/// GUIDs, so the schema comes from the database's copies.
#[tokio::test]
async fn the_guid_header_names_the_schema_as_well() {
    let rig = Rig::new(1).await;
    let guid = unique_id();
    let copy = StoredSchema { text: CANONICAL_SCHEMA.to_owned(), references: Vec::new() };
    let client = rig.database.connect(Role::Ingestor).await;
    let reference = SchemaReference::Guid(guid).to_string();
    keep_schema(&client, &servers::registry_url(), &reference, &copy).await.expect("the copy is kept");
    let header = [&[1_u8][..], guid.as_bytes()].concat();
    let records = (1..=5).map(|version| Outgoing {
        headers: vec![(VALUE_SCHEMA_HEADER.to_owned(), Some(Bytes::from(header.clone())))],
        ..rig.record_of("a", encode_canonical(&canonical_event("a", version).build()))
    });
    rig.topic.send_all(records.collect::<Vec<_>>()).await;
    let ingestor = rig.ingestor().await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.offsets()), (5, 5));
    assert!(ingestor.stop().await.success());
}

/// A pattern takes topics that are made while the ingestor runs; a topic's organisation fills in for events that name
/// none; a key that is not the aggregate id is stored and counted.
#[tokio::test]
async fn a_pattern_takes_new_topics_and_their_organisation_and_odd_keys_are_counted() {
    let rig = Rig::new(1).await;
    let prefix = unique("pattern");
    let name = format!("{prefix}.orders");
    let config = rig
        .config()
        .set("ingestor", "topic_patterns", format!("[\"^{prefix}\\\\..+\"]"))
        .set("ingestor.organizations", &format!("{name:?}"), "\"filled-in\"")
        .set("kafka.properties", "\"topic.metadata.refresh.interval.ms\"", "\"1000\"");
    let ingestor = Daemon::ingestor(&config).ready().await;
    let topic = TestTopic::create_named(&name, 2, &[]).await;
    let with = canonical_event("a", 1).build();
    let without = canonical_event("a", 2).without_metadata("organizationId").build();
    let odd =
        Outgoing { key: Some(Bytes::from_static(b"odd")), ..rig.record(&canonical_event("a", 3).build()) };
    topic.send_all([rig.record(&with), rig.record(&without), odd]).await;
    account::caught_up(&rig.database, &name, &topic.end_offsets().await, PATIENCE).await;
    assert_eq!(account::checked(&rig.database).await.stored, 3);
    let client = rig.database.connect(Role::Superuser).await;
    let rows =
        client.query("select organization_id from audit.events order by version", &[]).await.expect("events");
    let organizations: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(organizations, ["demo", "filled-in", "demo"]);
    assert!((ingestor.metric("audit_events_key_mismatch_total").await - 1.0).abs() < f64::EPSILON);
    assert!(ingestor.stop().await.success());
}

/// A replay topic may carry `$protected` values, but only in records that say of what they are a replay.
#[tokio::test]
async fn protected_values_come_only_through_a_replay_topic_with_its_header() {
    let rig = Rig::new(1).await;
    let payload = r#"{"name":{"$protected":"v1","key":"k","value":"AA=="}}"#;
    let plain = rig.record(&canonical_event("a", 1).payload_text(payload).build());
    let header = ("audit.replay.of".to_owned(), Some(Bytes::from_static(b"1:1")));
    let marked = rig.record(&canonical_event("a", 2).payload_text(payload).build());
    let marked = Outgoing { headers: vec![header], ..marked };
    rig.topic.send_all([plain, marked]).await;
    let config = rig.config().set("ingestor", "replay_topics", format!("{:?}", [rig.topic.name()]));
    let ingestor = Daemon::ingestor(&config).ready().await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.reason("payload-invalid")), (1, 1));
    assert!(ingestor.stop().await.success());
}

/// The compact form is what is registered; it must be the schema that events are encoded by.
#[tokio::test]
async fn the_registered_schema_decodes_what_the_encoder_writes() {
    let schema = shared::avro::WriterSchema::parse(&canonical_schema_compact(), &[]).expect("our own schema");
    let envelope = canonical_event("a", 1).build();
    assert_eq!(schema.decode(&encode_canonical(&envelope)).expect("our own datum"), envelope);
}
