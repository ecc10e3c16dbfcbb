//! The producer: to the store, to nowhere, and before the registry knows the schema.

use std::time::Duration;

use audit_trail_client::{AuditProducer, Changes, Mint, ProducerSettings, SendError};
use serde_json::{Value, json};
use test_support::{Daemon, DaemonConfig, TestDatabase, TestTopic, Token, servers, wait_until};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::records::{NOWHERE, events, fill, order, producer, producer_to_nowhere};

const PATIENCE: Duration = Duration::from_mins(1);

/// Built here, stored by a real ingestor, found by the API, field by field.
#[tokio::test]
async fn what_is_built_is_stored_and_found() {
    let database = TestDatabase::create().await;
    let topic = TestTopic::create(3).await;
    let config = DaemonConfig::new(&database).topics(&[topic.name()]);
    let (ingestor, api) = tokio::join!(Daemon::ingestor(&config).ready(), Daemon::audit_api(&config).ready());
    let audit = producer(&topic).await;

    let placed = order("order-1", 1).metadata("channel", "web").build(audit.mint()).expect("valid");
    let changes = Changes::between(&json!({"total": "12.50"}), &json!({"total": "9.00"})).expect("objects");
    let changed =
        order("order-1", 2).caused_by(&placed).changes(&changes).build(audit.mint()).expect("valid");
    for event in [&placed, &changed] {
        audit.send(event.clone()).await.expect("Kafka takes it");
    }
    let token = Token::admin().sign();
    for event in [&placed, &changed] {
        let url = api.url(&format!("/v1/events/{}", event.id()));
        let found = wait_until("the event is found", PATIENCE, || async {
            let answer =
                reqwest::Client::new().get(&url).bearer_auth(&token).send().await.expect("an answer");
            if answer.status() == 404 {
                return None;
            }
            Some(answer.json::<Value>().await.expect("JSON"))
        })
        .await;
        assert_eq!(found["eventType"], "OrderPlaced");
        assert_eq!(found["aggregateId"], "order-1");
        assert_eq!(found["version"], event.version());
        assert_eq!(found["timestamp"], event.timestamp().to_string());
        assert_eq!(
            found["payload"].to_string(),
            serde_json::from_str::<Value>(event.payload()).expect("JSON").to_string()
        );
        assert_eq!(found["metadata"], json!(event.metadata()));
    }
    assert!(ingestor.stop().await.success() && api.stop().await.success());
}

#[tokio::test]
async fn events_are_keyed_by_aggregate_and_keep_its_order() {
    let topic = TestTopic::create(4).await;
    let audit = producer(&topic).await;
    for version in 1..=50 {
        for aggregate in ["a", "b", "c"] {
            drop(
                audit
                    .enqueue(order(aggregate, version).build(audit.mint()).expect("valid"))
                    .await
                    .expect("room"),
            );
        }
    }
    assert!(audit.flush(PATIENCE).await, "{:?}", audit.stats());
    assert_eq!((audit.stats().delivered, audit.stats().waiting()), (150, 0));
    let found = events(&topic).await;
    assert!(found.iter().all(|event| event.key == event.envelope.aggregate_id));
    for aggregate in ["a", "b", "c"] {
        let versions: Vec<i64> =
            found.iter().filter(|event| event.key == aggregate).map(|event| event.envelope.version).collect();
        assert_eq!(versions, (1..=50).collect::<Vec<i64>>());
    }
}

/// Kafka and the registry are away for good: offers go on returning at once, and what does not fit is counted.
#[tokio::test]
async fn without_room_an_offer_is_dropped_and_counted_and_a_patient_caller_waits() {
    let audit = producer_to_nowhere();
    let taken = fill(&audit);
    assert!(taken > 100, "{taken}");
    let refused = audit.offer(order("x", 1).build(audit.mint()).expect("valid"));
    assert!(matches!(refused, Err(SendError::NoRoom)));
    assert_eq!((audit.stats().taken, audit.stats().dropped), (taken, 2));
    let event = order("x", 1).build(audit.mint()).expect("valid");
    let patient = tokio::time::timeout(Duration::from_millis(50), audit.enqueue(event)).await;
    assert!(patient.is_err(), "it waits");
    assert_eq!(audit.stats().dropped, 2, "who stops waiting was not dropped by the queue");
    assert!(!audit.flush(Duration::from_millis(50)).await);
}

#[tokio::test]
async fn a_record_that_kafka_never_acknowledges_fails_and_gives_its_room_back() {
    let registry = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "id": 1 })))
        .mount(&registry)
        .await;
    let settings = ProducerSettings {
        delivery_timeout: Duration::from_secs(1),
        ..ProducerSettings::new(NOWHERE[0], registry.uri())
    };
    let audit = AuditProducer::start(&settings, Mint::system()).expect("a producer");
    let error =
        audit.send(order("a", 1).build(audit.mint()).expect("valid")).await.expect_err("nobody there");
    assert!(matches!(error, SendError::NotDelivered(_)), "{error}");
    assert_eq!((audit.stats().failed, audit.stats().waiting()), (1, 0));
    assert!(audit.flush(PATIENCE).await);
}

/// Nothing is registered by a service; its events wait until an operator has done it.
#[tokio::test]
async fn events_wait_until_the_schema_is_registered() {
    let topic = TestTopic::create(1).await;
    let registry = MockServer::start().await;
    let unknown = ResponseTemplate::new(404).set_body_json(json!({ "error_code": 40401 }));
    Mock::given(any()).respond_with(unknown).up_to_n_times(2).mount(&registry).await;
    let found = ResponseTemplate::new(200).set_body_json(json!({ "id": 4711 }));
    Mock::given(any()).respond_with(found).with_priority(9).mount(&registry).await;
    let settings = ProducerSettings {
        topic: topic.name().to_owned(),
        ..ProducerSettings::new(servers::kafka_bootstrap(), registry.uri())
    };
    let audit = AuditProducer::start(&settings, Mint::system()).expect("a producer");
    let pending = audit.offer(order("a", 1).build(audit.mint()).expect("valid")).expect("room");
    assert_eq!(audit.stats().waiting(), 1);
    audit.ready().await.expect("the schema is there in the end");
    pending.await.expect("Kafka takes it");
    let record = topic.read_all().await.remove(0);
    assert_eq!(record.value.expect("a value")[..5], [0, 0, 0, 0x12, 0x67]);
    let requests = registry.received_requests().await.expect("recorded");
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.url.path() == "/subjects/audit.events-value"));
}
