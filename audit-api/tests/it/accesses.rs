//! Who looked: every request that is answered or refused leaves one record in Kafka before its answer, and none without.

use std::collections::BTreeMap;

use bytes::Bytes;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service::config::{AccessSettings, ApiSettings, AuditConfig, ExportSettings, KafkaSettings};
use shared::avro;
use tempfile::TempDir;
use test_support::{
    Daemon, DaemonConfig, TestTopic, Token, canonical_event, kafka_settings, registry_settings, unique,
    wait_until,
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    openapi::operations,
    server::{Options, Server, json, problem, soon},
};

/// Accesses go to this topic.
pub(crate) fn accesses(topic: &str) -> Box<AuditConfig> {
    Box::new(AuditConfig {
        kafka: kafka_settings(),
        registry: registry_settings(),
        accesses: AccessSettings { record: true, topic: topic.to_owned() },
        ..AuditConfig::default()
    })
}

/// An API that records accesses to a topic of one partition, so that their order is that of the answers.
pub(crate) async fn recording(options: Options) -> (Server, TestTopic) {
    let topic = TestTopic::create(1).await;
    let options = Options { accesses: Some(accesses(topic.name())), ..options };
    (Box::pin(Server::with(options)).await, topic)
}

/// The records, as the canonical schema reads them.
pub(crate) async fn records(topic: &TestTopic) -> Vec<Value> {
    let schema = avro::WriterSchema::parse(avro::CANONICAL_SCHEMA, &[]).expect("the canonical schema");
    let decode = |value: Bytes| {
        let envelope = schema.decode(&value[5..]).expect("a canonical datum");
        json!({
            "eventId": envelope.event_id,
            "eventType": envelope.event_type,
            "aggregateType": envelope.aggregate_type,
            "aggregateId": envelope.aggregate_id,
            "version": envelope.version,
            "payload": serde_json::from_str::<Value>(&envelope.payload).expect("JSON"),
            "metadata": envelope.metadata,
        })
    };
    topic.read_all().await.into_iter().map(|record| decode(record.value.expect("a value"))).collect()
}

/// Waits until there are so many, for those that no answer waits for.
pub(crate) async fn records_up_to(topic: &TestTopic, count: usize) -> Vec<Value> {
    wait_until("the records are there", std::time::Duration::from_secs(20), || async {
        let found = records(topic).await;
        (found.len() >= count).then_some(found)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_says_who_asked_what_and_what_came_of_it() {
    let (server, topic) = recording(Options::default()).await;
    let mut feeder = server.feeder().await;
    feeder.append((1..=3).map(|version| canonical_event("o/1", version).organization("acme"))).await;
    let path = "/v1/events?userId=bob&userId=a%00b&aggregateType=Order&aggregateId=o%2F1&limit=2&secret=x";
    let request = server.request(path, &Token::org_admin("acme")).header("x-request-id", "r-1");
    let refused = request.header("user-agent", "curl/8").send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let path = "/v1/aggregates/Order/o%2F1/events?limit=2";
    let answered = server.request(path, &Token::admin()).header("x-request-id", "r-2");
    assert_eq!(answered.send().await.expect("an answer").status(), StatusCode::OK);

    let records = records(&topic).await;
    assert_eq!(records.len(), 2, "{records:?}");
    let [refused, answered] = [&records[0], &records[1]];
    for record in [refused, answered] {
        assert_eq!((&record["aggregateType"], &record["version"]), (&json!("AuditAccess"), &json!(0)));
        assert_eq!(
            (&record["aggregateId"], &record["metadata"]["userId"]),
            (&json!("tester"), &json!("tester"))
        );
        assert_eq!(record["metadata"]["ipAddress"], "127.0.0.1");
    }
    assert_eq!(refused["eventType"], "AuditAccess.Refused");
    assert_eq!(
        refused["payload"],
        json!({
            "operation": "listEvents", "method": "GET", "path": "/v1/events",
            "accessor": {"kind": "token", "id": "tester", "organizationId": "acme", "roles": ["audit:org-admin"]},
            "parameters": [
                {"name": "userId", "value": "bob"}, {"name": "userId", "value": "a\u{fffd}b"},
                {"name": "aggregateType", "value": "Order"}, {"name": "aggregateId", "value": "o/1"},
                {"name": "limit", "value": "2"}, {"name": "secret"}
            ],
            "subjects": ["bob", "a\u{fffd}b"],
            "aggregates": [{"aggregateType": "Order", "aggregateId": "o/1"}],
            "outcome": "refused", "status": 400, "problem": "invalid-request", "requestId": "r-1"
        })
    );
    assert_eq!(refused["metadata"]["organizationId"], "acme");
    assert_eq!(refused["metadata"]["userAgent"], "curl/8");
    assert_eq!(answered["eventType"], "AuditAccess.Answered");
    let payload = &answered["payload"];
    assert_eq!((&payload["operation"], &payload["rows"]), (&json!("aggregateHistory"), &json!(2)));
    assert_eq!(payload["aggregates"], json!([{"aggregateType": "Order", "aggregateId": "o/1"}]));
    assert_eq!((&payload["status"], &payload["requestId"]), (&json!(200), &json!("r-2")));
    // An administrator of everything looks at nobody's data in particular.
    assert_eq!(answered["metadata"].get("organizationId"), None);
}

/// Operations that give no data of the trail.
const EXCUSED: [&str; 3] = ["live", "ready", "metrics"];

/// Values for every path parameter; none leads anywhere.
fn places() -> BTreeMap<&'static str, String> {
    let mut places: BTreeMap<&str, String> =
        ["type", "correlationId", "topic", "userId", "name"].map(|name| (name, "x".to_owned())).into();
    places.insert("eventId", "0191d4c6-7d5e-7c1a-b1a2-0f5f6f1c2d3e".to_owned());
    places.insert("id", "1:1".to_owned());
    places.extend(["partition", "offset"].map(|name| (name, "0".to_owned())));
    places
}

/// Asks an operation of the document and drops the answer; the request's id names it.
async fn ask(server: &Server, method: &str, path: &str, token: Option<&Token>, id: &str) -> StatusCode {
    let method: Method = method.to_uppercase().parse().expect("a method");
    let mut request = server.client.request(method, server.url(path)).header("x-request-id", id);
    if let Some(token) = token {
        request = request.header("authorization", token.bearer());
    }
    soon(path, request.send()).await.expect("an answer").status()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_document_records_every_request() {
    let (server, topic) = recording(Options::default()).await;
    let places = places();
    let nobody = Token::with_roles(&[]);
    let mut expected = BTreeMap::new();
    for (nth, operation) in operations().into_iter().enumerate() {
        let id = operation.definition["operationId"].as_str().expect("an id").to_owned();
        let path = operation.fill(&places);
        for (who, token) in
            [("admin", Some(Token::admin())), ("nobody", Some(nobody.clone())), ("none", None)]
        {
            // Of those without a token only so many have a record each.
            if who == "none" && nth >= 30 {
                continue;
            }
            let request = format!("{id}.{who}");
            let status = ask(&server, &operation.method, &path, token.as_ref(), &request).await;
            if EXCUSED.contains(&id.as_str()) {
                continue;
            }
            let is_stream = status == StatusCode::OK && ["replay", "stream"].contains(&id.as_str());
            expected.insert(request, (id.clone(), status.as_u16(), if is_stream { 2 } else { 1 }));
        }
    }
    let count: usize = expected.values().map(|(.., records)| records).sum();
    let mut found: BTreeMap<String, (String, u16, usize)> = BTreeMap::new();
    for record in records_up_to(&topic, count).await {
        let payload = &record["payload"];
        let text = |name: &str| payload[name].as_str().expect("text").to_owned();
        let status =
            payload["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
        let entry = found.entry(text("requestId")).or_insert((text("operation"), status, 0));
        entry.2 += 1;
    }
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_kafka_is_away_nothing_is_answered() {
    let mut config = accesses("audit.events.access");
    config.kafka = KafkaSettings { bootstrap_servers: Some("127.0.0.1:1".to_owned()), ..config.kafka };
    let server = Server::with(Options { accesses: Some(config), ..Options::default() }).await;
    server.feeder().await.append([canonical_event("canary", 1)]).await;
    for (path, token) in [
        ("/v1/events", Token::admin()),
        ("/v1/events?limit=x", Token::admin()),
        ("/v1/replay", Token::admin()),
        ("/v1/stream?after=start", Token::admin()),
        ("/logs", Token::admin()),
        ("/v1/events", Token::with_roles(&[])),
        ("/v1/events", Token::admin().expires_in(-60)),
    ] {
        let answer = soon(path, server.get_as(path, &token)).await;
        assert!(answer.headers().contains_key("retry-after"), "{path}");
        let body = json(answer, StatusCode::SERVICE_UNAVAILABLE).await;
        assert_eq!(body["type"], "urn:audit-trail:problem:audit-unavailable", "{path}");
        assert!(!body.to_string().contains("canary"), "{body}");
    }
    // What gives no data asks nobody.
    for path in ["/health/live", "/openapi.json", "/metrics"] {
        assert_eq!(server.get(path).await.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_wait_for_its_answer_is_recorded_too() {
    let writing = crate::submit::writing("audit.events");
    let (server, topic) = recording(Options { writing: Some(writing), ..Options::default() }).await;
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n[",
        Token::admin().bearer()
    );
    let mut stream = TcpStream::connect(server.address).await.expect("connected");
    stream.write_all(head.as_bytes()).await.expect("sent");
    // The body is being waited for once the room for its first byte is taken; then the client is gone.
    drop(stream);
    let records = records_up_to(&topic, 1).await;
    assert_eq!(records[0]["payload"]["operation"], "submitEvents");
    // Gone before the body was asked for, or while it was: no answer, or one that nobody read.
    let kind = records[0]["eventType"].as_str().expect("a type");
    assert!(["AuditAccess.Abandoned", "AuditAccess.Refused"].contains(&kind), "{records:?}");
    assert_eq!(records.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_time_is_over_is_recorded_as_abandoned() {
    let writing = crate::submit::writing("audit.events");
    let api = ApiSettings { request_timeout: std::time::Duration::from_secs(1), ..Options::default().api };
    let (server, topic) = recording(Options { api, writing: Some(writing), ..Options::default() }).await;
    let never = futures::stream::pending::<Result<Bytes, std::io::Error>>();
    let answer = server.post(&Token::admin(), &[], reqwest::Body::wrap_stream(never)).await;
    assert_eq!(problem(answer, StatusCode::SERVICE_UNAVAILABLE).await, "unavailable");
    let records = records_up_to(&topic, 1).await;
    assert_eq!(records[0]["eventType"], "AuditAccess.Abandoned");
    assert_eq!(records[0]["payload"].get("status"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_without_tokens_is_counted_and_does_not_fill_the_trail() {
    let (server, topic) = recording(Options::default()).await;
    let flood = (0..500).map(|_| server.client.get(server.url("/v1/events?userId=victim")).send());
    for answer in futures::future::join_all(flood).await {
        assert_eq!(answer.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    }
    server.recorder.as_ref().expect("it records").close(std::time::Duration::from_secs(5)).await;
    let (mut alone, mut together) = (0, 0);
    for record in records(&topic).await {
        assert_eq!(record["aggregateId"], "anonymous");
        let payload = &record["payload"];
        match record["eventType"].as_str().expect("a type") {
            "AuditAccess.Refused" => {
                assert_eq!(payload["problem"], "unauthorized");
                assert_eq!((payload.get("parameters"), payload.get("subjects")), (None, None));
                alone += 1;
            }
            "AuditAccess.Suppressed" => together += payload["suppressed"].as_u64().expect("a count"),
            other => panic!("{other}"),
        }
    }
    assert_eq!(alone + together, 500);
    assert!(alone >= 50 && together > 0, "{alone} alone, {together} together");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_and_each_download_of_its_link_are_recorded() {
    let folder = TempDir::new().expect("a folder");
    let exports = ExportSettings { folder: Some(folder.path().to_owned()), ..ExportSettings::default() };
    let (server, topic) = recording(Options { exports, ..Options::default() }).await;
    server.feeder().await.append([canonical_event("o", 1).organization("acme")]).await;
    let asked = json!({"format": "csv", "filters": {"userId": "user-1", "eventType": "Order*"}});
    let request = server.client.post(server.url("/audit/export")).json(&asked);
    let request = request.header("authorization", Token::org_admin("acme").bearer());
    let answer = json(request.send().await.expect("an answer"), StatusCode::OK).await;
    let url = answer["downloadUrl"].as_str().expect("a link").to_owned();
    let forged = url.replace("signature=", "signature=0");
    for (url, status) in [(&url, StatusCode::OK), (&forged, StatusCode::FORBIDDEN)] {
        assert_eq!(server.client.get(url).send().await.expect("an answer").status(), status);
    }
    let records = records(&topic).await;
    assert_eq!(records.len(), 3, "{records:?}");
    let [export, download, forgery] = [&records[0], &records[1], &records[2]];
    assert_eq!(export["payload"]["subjects"], json!(["user-1"]));
    let link = url.rsplit('/').next().and_then(|rest| rest.split('?').next()).expect("a name");
    let named = json!({"name": "link", "value": link});
    assert!(export["payload"]["parameters"].as_array().expect("parameters").contains(&named), "{export}");
    assert_eq!(download["aggregateId"], link);
    assert_eq!(download["payload"]["accessor"], json!({"kind": "link", "id": link}));
    assert_eq!(
        (&forgery["aggregateId"], &forgery["eventType"]),
        (&json!("anonymous"), &json!("AuditAccess.Refused"))
    );
    // A signature is as good as the file until it ends.
    let signature = url.rsplit('=').next().expect("a signature");
    assert!(!json!(records).to_string().contains(signature));
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_the_records_adds_one_each_and_an_organisation_sees_its_own_alone() {
    let topic = TestTopic::create(1).await;
    let server = Server::with(Options { accesses: Some(accesses(topic.name())), ..Options::default() }).await;
    let dlq = unique("dlq");
    let config = DaemonConfig::new(&server.database).topics(&[topic.name()]).dead_letter_topic(&dlq);
    let _ingestor = Daemon::ingestor(&config).ready().await;
    let named = |organization: &str, name: &str| Token::org_admin(organization).claim("sub", name);
    for token in [named("acme", "ann"), named("other", "otto"), Token::admin(), Token::with_roles(&[])] {
        server.get_as("/v1/events", &token).await;
    }
    // Kafka has a record when its answer is there; the store has it a moment later.
    let all = "/v1/events?aggregateType=AuditAccess&limit=1000&order=asc";
    let mut asked = 4;
    let stored = async |server: &Server, asked: &mut usize, wanted: usize| loop {
        *asked += 1;
        let events = server.json(all).await["data"].as_array().expect("events").clone();
        if events.len() >= wanted {
            break events;
        }
    };
    let events = soon("the records to be stored", stored(&server, &mut asked, 4)).await;
    let rows: Vec<Value> = events.iter().map(|event| event["payload"]["rows"].clone()).collect();
    assert_eq!(rows[..4], [json!(0), json!(0), json!(0), Value::Null]);
    // As many records as requests: neither reading them nor storing them makes more.
    assert_eq!(topic.end_offsets().await, [i64::try_from(asked).expect("a few")]);

    for (path, rows) in [
        ("/v1/events", 0),
        ("/v1/events?sort=recorded", 0),
        ("/v1/events?userId=ann", 0),
        ("/v1/events?userId=ann&eventType=AuditAccess.*", 1),
        ("/v1/events?userId=ann&eventType=AuditAccess.Answered", 1),
        ("/v1/aggregates/AuditAccess/ann/events", 1),
    ] {
        assert_eq!(server.json(path).await["data"].as_array().map(Vec::len), Some(rows), "{path}");
    }
    assert_eq!(server.lines("/v1/replay").await, Vec::<Value>::new());
    for (own, other) in [("acme", "ann"), ("other", "otto")] {
        let seen = json(server.get_as(all, &Token::org_admin(own)).await, StatusCode::OK).await;
        let seen = seen["data"].as_array().expect("events");
        assert!(seen.iter().any(|event| event["aggregateId"] == other), "{seen:?}");
        let organization = |event: &Value| event["metadata"]["organizationId"].clone();
        assert!(seen.iter().all(|event| organization(event) == own), "{seen:?}");
    }
}
