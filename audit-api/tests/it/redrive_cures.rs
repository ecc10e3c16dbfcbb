//! A dead letter whose cause has been put right is stored when it is sent again: every reason that can be.

use std::time::Duration;

use bus::Outgoing;
use bytes::Bytes;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::{
    avro::{self, encode_canonical, frame},
    clock::{Clock as _, SystemClock},
    envelope::MAX_AHEAD_MICROS,
};
use test_support::{
    Daemon, DaemonConfig, EventBuilder, TestDatabase, TestTopic, Token, canonical_event, wait_until,
};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, path},
};

const PATIENCE: Duration = Duration::from_secs(90);
/// A schema that the registry knows.
const KNOWN: u32 = 1;
/// A schema that the registry learns later.
const LATER: u32 = 777;

async fn knows(registry: &MockServer, id: u32) {
    let schema = json!({ "schema": avro::canonical_schema_compact() });
    Mock::given(path(format!("/schemas/ids/{id}")))
        .respond_with(ResponseTemplate::new(200).set_body_json(schema))
        .with_priority(1)
        .mount(registry)
        .await;
}

fn record(schema: u32, event: EventBuilder) -> Outgoing {
    let envelope = event.build();
    Outgoing {
        key: Some(Bytes::from(envelope.aggregate_id.clone())),
        value: Some(Bytes::from(frame(schema, &encode_canonical(&envelope)))),
        ..Outgoing::default()
    }
}

struct Rig {
    topic: TestTopic,
    api: Daemon,
    client: reqwest::Client,
}

impl Rig {
    async fn ask(&self, post: bool, path: &str) -> (StatusCode, Value) {
        let url = self.api.url(path);
        let request = if post { self.client.post(url) } else { self.client.get(url) };
        let answer =
            request.header("authorization", Token::admin().bearer()).send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    /// Waits until the ingestor has read this offset; its state and reason.
    async fn fate(&self, offset: i64) -> (String, Option<String>) {
        let path = format!("/v1/ledger/records/{}/0/{offset}", self.topic.name());
        wait_until("the record has a fate", PATIENCE, || async {
            let (status, body) = self.ask(false, &path).await;
            let text = |name: &str| body[name].as_str().map(str::to_owned);
            let state = text("state").filter(|state| status == StatusCode::OK && state != "not-read")?;
            Some((state, text("reason")))
        })
        .await
    }

    /// Sends the dead letter at this offset again, and gives its new one.
    async fn redriven(&self, offset: i64) -> i64 {
        let (status, body) = self.ask(true, &format!("/v1/dead-letters/1:{offset}/redrive")).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        body["offset"].as_i64().expect("an offset")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cure_can_store_is_stored_when_it_is_sent_again() {
    let registry = MockServer::start().await;
    let unknown =
        ResponseTemplate::new(404).set_body_json(json!({"error_code": 40403, "message": "not found"}));
    Mock::given(any()).respond_with(unknown).mount(&registry).await;
    knows(&registry, KNOWN).await;
    let database = TestDatabase::create().await;
    let (topic, letters) = (TestTopic::create(1).await, TestTopic::create(1).await);
    let cured = DaemonConfig::new(&database)
        .topics(&[topic.name()])
        .dead_letter_topic(letters.name())
        .registry_url(&registry.uri())
        .set("ingestor", "unknown_schema_after", "\"1s\"")
        .set("ingestor", "replay_topics", format!("[{:?}]", topic.name()));
    let ailing =
        cured.clone().set("ingestor", "max_record_bytes", "20000").set("ingestor", "replay_topics", "[]");
    let ingestor = Daemon::ingestor(&ailing).ready().await;
    let api = Daemon::audit_api(&cured).ready().await;
    let rig = Rig { topic, api, client: reqwest::Client::builder().no_proxy().build().expect("a client") };

    let soon = SystemClock.now().as_micros() + MAX_AHEAD_MICROS + 20_000_000;
    let mut replayed = record(
        KNOWN,
        canonical_event("protected", 1).payload(&json!({"$protected": "v1", "key": "k", "value": "AA=="})),
    );
    replayed.headers.push(("audit.replay.of".to_owned(), Some(Bytes::from_static(b"1:1"))));
    let large = canonical_event("large", 1).payload(&json!({ "filler": "x".repeat(30_000) }));
    let cases = [
        ("unknown-schema", record(LATER, canonical_event("later", 1))),
        ("timestamp-in-future", record(KNOWN, canonical_event("early", 1).at_micros(soon))),
        ("limit-exceeded", record(KNOWN, large)),
        ("payload-invalid", replayed),
    ];
    let mut refused = Vec::new();
    for (reason, record) in cases {
        let offset = rig.topic.send(record).await.offset;
        refused.push((reason, offset));
    }
    for (reason, offset) in &refused {
        assert_eq!(rig.fate(*offset).await, ("dead-lettered".to_owned(), Some((*reason).to_owned())));
    }

    // The cures: the schema is registered, time has passed, the limit is raised, the topic may carry replays.
    knows(&registry, LATER).await;
    assert!(ingestor.stop().await.success());
    let _ingestor = Daemon::ingestor(&cured).ready().await;
    wait_until("the event is less than a day ahead", PATIENCE, || {
        std::future::ready((soon <= SystemClock.now().as_micros() + MAX_AHEAD_MICROS).then_some(()))
    })
    .await;
    for (reason, offset) in &refused {
        let again = rig.redriven(*offset).await;
        assert_eq!(rig.fate(again).await, ("stored".to_owned(), None), "{reason}");
        // Sent once more by mistake, it is stored once.
        let twice = rig.redriven(*offset).await;
        assert_eq!(rig.fate(twice).await.0, "duplicate", "{reason}");
        assert_eq!(rig.fate(*offset).await.0, "dead-lettered", "{reason}: the old account stays");
        let (_, letter) = rig.ask(false, &format!("/v1/dead-letters/1:{offset}")).await;
        assert_eq!(letter["redrives"].as_array().map(Vec::len), Some(2));
    }
}
