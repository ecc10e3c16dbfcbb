//! What docs/producing.md shows in Python and Node, run as it stands there: stored, and in the partitions that Java's
//! client would choose.

use std::{collections::BTreeSet, process::Output, time::Duration};

use audit_trail_client::{AuditEvent, AuditProducer, Mint};
use serde_json::{Value, json};
use test_support::{
    Daemon, DaemonConfig, TestDatabase, TestTopic, Token,
    languages::{block, provisioned},
    servers, wait_until,
};
use tokio::process::Command;

use crate::records::settings;

const PARTITIONS: i32 = 12;
/// Enough keys that another hash would not agree by accident, one of them not ASCII.
const ORDERS: [&str; 7] = ["order-1", "order-2", "order-3", "a", "4711", "pedido-ñ-7", "x/y z"];

async fn run(command: &mut Command, topic: &TestTopic) -> Output {
    command
        .args(ORDERS)
        .env("KAFKA", servers::kafka_bootstrap())
        .env("REGISTRY", servers::registry_url())
        .env("TOPIC", topic.name())
        .kill_on_drop(true);
    command.output().await.expect("it can be started")
}

/// Kafka's murmur2 (org.apache.kafka.common.utils.Utils), which partitions by its lower 31 bits.
fn java_partition(key: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(key.len()).expect("a short key");
    let mut hash = 0x9747_b28c ^ length;
    let chunks = key.chunks_exact(4);
    let rest = chunks.remainder();
    for chunk in chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().expect("four bytes")).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^= hash >> 15;
    i32::try_from(hash & 0x7fff_ffff).expect("31 bits") % PARTITIONS
}

/// Values that Kafka's own tests hold for its hash.
#[test]
fn the_hash_is_javas() {
    let partition = |hash: i64| i32::try_from((hash & 0x7fff_ffff) % i64::from(PARTITIONS)).expect("small");
    for (key, hash) in
        [("21", -973_932_308_i64), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)]
    {
        assert_eq!(java_partition(key.as_bytes()), partition(hash), "{key}");
    }
}

async fn the_events_are_stored_where_java_would_put_them(topic: &TestTopic, source: &str) {
    let places: BTreeSet<(String, i32)> = topic
        .read_all()
        .await
        .into_iter()
        .map(|record| {
            (String::from_utf8(record.key.expect("a key").to_vec()).expect("text"), record.partition)
        })
        .collect();
    let expected: BTreeSet<(String, i32)> =
        ORDERS.into_iter().map(|order| (order.to_owned(), java_partition(order.as_bytes()))).collect();
    assert_eq!(places, expected);

    let database = TestDatabase::create().await;
    let config = DaemonConfig::new(&database).topics(&[topic.name()]);
    let (_ingestor, api) =
        tokio::join!(Daemon::ingestor(&config).ready(), Daemon::audit_api(&config).ready());
    let url = api.url("/v1/events?eventType=OrderPlaced&order=asc");
    let count = ORDERS.len();
    let found = wait_until("every event is found", Duration::from_mins(1), || async {
        let client = reqwest::Client::new();
        let answer = client.get(&url).bearer_auth(Token::admin().sign()).send().await.expect("an answer");
        let page: Value = answer.json().await.expect("JSON");
        let events = page["data"].as_array().expect("events").clone();
        (events.len() == count).then_some(events)
    })
    .await;
    for event in found {
        assert_eq!((&event["aggregateType"], &event["version"]), (&json!("Order"), &json!(1)));
        assert_eq!(event["payload"], json!({"total": "12.50", "currency": "EUR"}));
        assert_eq!(event["metadata"], json!({"userId": "ana", "organizationId": "demo", "source": source}));
    }
}

#[tokio::test]
async fn python_as_documented_is_stored_where_java_would_put_it() {
    let Some(python) = provisioned("AUDIT_TEST_PYTHON") else { return };
    let topic = TestTopic::create(PARTITIONS).await;
    settings(&topic).await;
    let ran = run(Command::new(python).args(["-c", &block("docs/producing.md", "python")]), &topic).await;
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    the_events_are_stored_where_java_would_put_them(&topic, "python-shop").await;
}

#[tokio::test]
async fn node_as_documented_is_stored_where_java_would_put_it() {
    let Some(modules) = provisioned("AUDIT_TEST_NODE_MODULES") else { return };
    let topic = TestTopic::create(PARTITIONS).await;
    settings(&topic).await;
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("shop.js");
    std::fs::write(&program, block("docs/producing.md", "js")).expect("written");
    let ran = run(Command::new("node").arg(&program).env("NODE_PATH", modules), &topic).await;
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    the_events_are_stored_where_java_would_put_them(&topic, "node-shop").await;
}

/// The same event from Rust, as the document has it.
#[tokio::test]
async fn rust_is_stored_where_java_would_put_it() {
    let topic = TestTopic::create(PARTITIONS).await;
    let audit = AuditProducer::start(&settings(&topic).await, Mint::system()).expect("a producer");
    for order in ORDERS {
        let event = AuditEvent::named("OrderPlaced")
            .of("Order", order)
            .version(1)
            .payload(&json!({ "total": "12.50", "currency": "EUR" }))
            .user("ana")
            .organization("demo")
            .source("rust-shop");
        audit.send(event.build(audit.mint()).expect("valid")).await.expect("Kafka takes it");
    }
    the_events_are_stored_where_java_would_put_them(&topic, "rust-shop").await;
}
