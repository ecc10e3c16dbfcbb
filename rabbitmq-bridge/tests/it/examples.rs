//! Every message example of the documents, published as written, is found through the canonical API and at its own document's
//! address.

use std::path::Path;

use lapin::BasicProperties;
use serde_json::Value;
use test_support::{Daemon, DaemonConfig, Token, wait_until};

use crate::rig::{PATIENCE, Rig};

fn cases() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/golden/vocabulary.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    golden["cases"].as_array().unwrap().clone()
}

/// The documents share one id among their examples; here each has its own, or all but one would contradict it.
fn body(case: &Value) -> String {
    let body = case["body"].as_str().unwrap();
    match case["expect"]["eventId"].as_str() {
        Some(id) => body.replace(id, &test_support::unique_id().to_string()),
        None => body.to_owned(),
    }
}

fn properties(case: &Value) -> BasicProperties {
    let mut properties = BasicProperties::default();
    if let Some(id) = case["messageId"].as_str() {
        properties = properties.with_message_id(id.into());
    }
    if let Some(time) = case["timestamp"].as_str() {
        let time = shared::timestamp::Timestamp::parse(time).unwrap();
        properties = properties.with_timestamp(u64::try_from(time.as_micros() / 1_000_000).unwrap());
    }
    properties
}

/// The documents name some messages that no default binding carries, such as the alerts that AuditFlow's analysis emits.
fn all_keys(rig: &Rig, config: DaemonConfig) -> DaemonConfig {
    let bindings = ["events", "audit.flow"].map(|exchange| format!("{}:#", rig.rabbit.name(exchange)));
    config.set("rabbitmq", "more_bindings", format!("{bindings:?}"))
}

async fn get(api: &Daemon, address: &str) -> String {
    let request =
        reqwest::Client::new().get(api.url(address)).header("authorization", Token::admin().bearer());
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{address}: {status} {text}");
    text
}

async fn events(api: &Daemon) -> Vec<Value> {
    let mut answer: Value = serde_json::from_str(&get(api, "/v1/events?limit=1000").await).unwrap();
    answer["data"].take().as_array().unwrap().clone()
}

/// The addresses at which each document reads; 002 has none.
const ADDRESSES: [(&str, &[&str]); 3] = [
    ("000", &["/logs?limit=100"]),
    ("001", &["/audit/logs?limit=100", "/audit/security-events?limit=100"]),
    (
        "004",
        &[
            "/api/audit?limit=100",
            "/api/audit/security?limit=100",
            "/api/audit/data-access/user/0b9d7c3e-52a1-4f6b-8e0d-7c1a2b3c4d5e?limit=100",
        ],
    ),
];

/// Each event is in an answer of its own document's addresses.
async fn all_are_at_their_own_address(api: &Daemon, ids: &[(String, String)]) {
    for (document, addresses) in ADDRESSES {
        let own: Vec<&str> = ids.iter().filter(|(of, _)| of == document).map(|(_, id)| id.as_str()).collect();
        assert!(!own.is_empty(), "no example of {document}");
        wait_until(&format!("the examples of {document} are at its addresses"), PATIENCE, || async {
            let mut answers = String::new();
            for address in addresses {
                answers += &get(api, address).await;
            }
            own.iter().all(|id| answers.contains(id)).then_some(())
        })
        .await;
    }
}

/// The exchange has another name in this test, and nothing is delivered again here.
fn is_as_pinned(event: &Value, expect: &Value) -> bool {
    let names = ["eventType", "aggregateType", "version"].iter().all(|name| event[name] == expect[name]);
    let metadata = expect["metadata"].as_object().unwrap();
    let said =
        metadata.iter().filter(|(key, _)| !["amqp.exchange", "possibleDuplicate"].contains(&key.as_str()));
    names && said.clone().all(|(key, value)| event["metadata"][key] == *value)
}

#[tokio::test]
async fn every_example_of_the_documents_is_found_through_the_api_or_among_the_dead_letters() {
    let rig = Rig::new().await;
    let config = all_keys(&rig, rig.config());
    let bridge = Daemon::rabbitmq_bridge(&config).ready().await;
    let (ingestor, api) = (Daemon::ingestor(&config).ready().await, Daemon::audit_api(&config).ready().await);
    let projector = Daemon::projector(&config).ready().await;
    let publisher = rig.rabbit.publisher().await;
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for mut case in cases() {
        case["body"] = Value::from(body(&case));
        let exchange = rig.rabbit.name(case["exchange"].as_str().unwrap());
        let (key, body) = (case["routingKey"].as_str().unwrap(), case["body"].as_str().unwrap());
        assert!(publisher.publish(&exchange, key, properties(&case), body.as_bytes()).await, "{case}");
        let pile = if case["expect"]["unmappable"].is_null() { &mut good } else { &mut bad };
        pile.push(case);
    }
    assert!(good.len() > 50 && bad.len() > 5, "{} and {}", good.len(), bad.len());
    let mut found = wait_until("every example is found", PATIENCE, || async {
        let found = events(&api).await;
        (found.len() >= good.len()).then_some(found)
    })
    .await;
    let mut ids = Vec::new();
    for case in &good {
        let body: Value = serde_json::from_str(case["body"].as_str().unwrap()).unwrap();
        let place = found
            .iter()
            .position(|event| event["payload"] == body && is_as_pinned(event, &case["expect"]))
            .unwrap_or_else(|| panic!("not found: {case:#}\nleft: {found:#?}"));
        let event = found.swap_remove(place);
        let document = case["name"].as_str().unwrap().split(':').next().unwrap();
        ids.push((document.to_owned(), event["eventId"].as_str().unwrap().to_owned()));
    }
    assert!(found.is_empty(), "nobody published these: {found:#?}");
    all_are_at_their_own_address(&api, &ids).await;
    for (letter, case) in rig.rabbit.take("audit-service.events.dlq", bad.len()).await.iter().zip(&bad) {
        let headers = letter.properties.headers().as_ref().unwrap().inner();
        let reason = headers["audit.dead.letter.reason"].as_long_string().unwrap().to_string();
        assert_eq!(case["expect"]["unmappable"], reason, "{case}");
        assert_eq!(case["body"], String::from_utf8_lossy(&letter.data).as_ref());
        assert_eq!(case["routingKey"], letter.routing_key.as_str());
    }
    drop((ingestor, api, projector));
    rig.drain(bridge).await;
    rig.rabbit.remove().await;
}

/// B24, E53, contract.md: what is bound without any configuration.
#[tokio::test]
async fn the_keys_of_the_documents_are_bound_from_the_start_and_others_are_not() {
    let rig = Rig::new().await;
    let bridge = rig.bridge().await;
    let publisher = rig.rabbit.publisher().await;
    let body = br#"{"eventType":"USER_UPDATED","userId":"u"}"#;
    for (exchange, key, is_bound) in [
        ("events", "user.created", true),
        ("events", "auth.login", true),
        ("events", "permission.assigned", true),
        ("events", "Invoice.Created", true),
        ("events", "Invoice.Updated", true),
        ("events", "Invoice.Deleted", true),
        ("events", "Payment.Processed", true),
        ("events", "User.LoggedIn", true),
        ("events", "Vehicle.Sold", true),
        ("events", "Vehicle.PriceChanged", true),
        ("events", "Vehicle.StatusChanged", true),
        ("events", "Contract.Signed", true),
        ("audit.flow", "audit.event.login", true),
        ("events", "user.created.twice", false),
        ("events", "Invoice.Printed", false),
        ("audit.flow", "alert-triggered", false),
    ] {
        let taken =
            publisher.publish(&rig.rabbit.name(exchange), key, BasicProperties::default(), body).await;
        assert_eq!(taken, is_bound, "{exchange}:{key}");
    }
    rig.produced(13).await;
    assert!(bridge.stop().await.success());
    rig.rabbit.remove().await;
}
