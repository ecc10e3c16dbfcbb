//! `POST /v1/events`: who may write for whom, all or nothing, each fault named with its place, Kafka's own answer.

use std::time::Duration;

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::StatusCode;
use serde_json::{Value, json};
use service::config::{ApiSettings, AuditConfig, KafkaSettings, SubmissionSettings};
use shared::avro;
use test_support::{TestTopic, Token, kafka_settings, registry_settings, unique_id};

use crate::server::{Options, Server, json, problem};

/// How events are taken for a test: to its own topic.
pub(crate) fn writing(topic: &str) -> AuditConfig {
    AuditConfig {
        kafka: kafka_settings(),
        registry: registry_settings(),
        submissions: SubmissionSettings { topic: topic.to_owned(), ..SubmissionSettings::default() },
        ..AuditConfig::default()
    }
}

/// An API that takes events to a topic of one partition.
pub(crate) async fn taking() -> (Server, TestTopic) {
    let topic = TestTopic::create(1).await;
    let options = Options { writing: Some(writing(topic.name())), ..Options::default() };
    (Server::with(options).await, topic)
}

pub(crate) fn producer(organization: &str) -> Token {
    Token::with_roles(&["audit:producer"]).claim("org", organization)
}

/// A good event of this version.
pub(crate) fn event(aggregate: &str, version: i64) -> Value {
    json!({
        "eventId": unique_id().to_string(), "eventType": "OrderPlaced", "aggregateId": aggregate,
        "aggregateType": "Order", "timestamp": "2025-11-20T12:00:00Z", "version": version,
        "payload": {"total": "12.50"}, "metadata": {"userId": "alice"}
    })
}

/// The metadata of the only record, as the canonical schema reads it.
async fn metadata(topic: &TestTopic) -> Vec<std::collections::BTreeMap<String, String>> {
    let schema = avro::WriterSchema::parse(avro::CANONICAL_SCHEMA, &[]).expect("the canonical schema");
    let decode = |value: Bytes| schema.decode(&value[5..]).expect("a canonical datum").metadata;
    topic.read_all().await.into_iter().map(|record| decode(record.value.expect("a value"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_in_kafka_when_it_is_accepted() {
    let (server, topic) = taking().await;
    let body = event("order-1", 1);
    let answer = server.post(&producer("acme"), &[], body.to_string()).await;
    assert_eq!(
        answer.headers()["location"],
        format!("/v1/events/{}", body["eventId"].as_str().expect("an id"))
    );
    let answer = json(answer, StatusCode::ACCEPTED).await;
    assert_eq!(answer, json!({"data": [{"eventId": body["eventId"]}]}));
    let records = topic.read_all().await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].key.as_deref(), Some(&b"order-1"[..]));
    let metadata = metadata(&topic).await.pop().expect("one");
    let expected = [("organizationId", "acme"), ("submittedBy", "tester"), ("userId", "alice")];
    assert_eq!(metadata, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());

    let many = Value::from((2..=1000).map(|version| event("order-1", version)).collect::<Vec<_>>());
    let accepted =
        json(server.post(&producer("acme"), &[], many.to_string()).await, StatusCode::ACCEPTED).await;
    assert_eq!(accepted["data"].as_array().map(Vec::len), Some(999));
    let lines = format!("{}\n\n{}\n", event("order-2", 1), event("order-2", 2));
    let headers = [("content-type", "application/x-ndjson; charset=utf-8")];
    json(server.post(&producer("acme"), &headers, lines).await, StatusCode::ACCEPTED).await;
    assert_eq!(topic.end_offsets().await, [1002]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_write_for_whom() {
    let (server, topic) = taking().await;
    let named = |organization: Option<&str>| {
        let mut event = event("a", 0);
        if let Some(organization) = organization {
            event["metadata"]["organizationId"] = organization.into();
        }
        event.to_string()
    };
    let role = |role: &str| Token::with_roles(&[role]);
    let (accepted, forbidden) = (StatusCode::ACCEPTED, StatusCode::FORBIDDEN);
    // Token, the organisation that the event names, the answer, the organisation that it gets.
    let cases = [
        (producer("acme"), None, accepted, Some("acme")),
        (producer("acme"), Some("acme"), accepted, Some("acme")),
        (producer("acme"), Some(""), accepted, Some("acme")),
        (producer("acme"), Some("other"), forbidden, None),
        (role("audit:producer"), None, forbidden, None),
        (role("audit:producer"), Some("acme"), forbidden, None),
        (Token::admin(), None, accepted, Some("")),
        (Token::admin(), Some("other"), accepted, Some("other")),
        (Token::admin().claim("org", "acme"), None, accepted, Some("acme")),
        (Token::admin().claim("org", "acme"), Some("other"), accepted, Some("other")),
        (role("audit:auditor").claim("org", "acme"), None, forbidden, None),
        (role("audit:operator").claim("org", "acme"), None, forbidden, None),
        (Token::org_admin("acme"), None, forbidden, None),
        (Token::with_roles(&[]).claim("org", "acme"), None, forbidden, None),
        (
            Token::with_roles(&["audit:auditor", "audit:producer"]).claim("org", "acme"),
            Some("acme"),
            accepted,
            Some("acme"),
        ),
    ];
    let mut expected = Vec::new();
    for (token, organization, status, written) in cases {
        let answer = server.post(&token, &[], named(organization)).await;
        assert_eq!(answer.status(), status, "{token:?} for {organization:?}");
        expected.extend(written.map(str::to_owned));
    }
    let found: Vec<String> = metadata(&topic)
        .await
        .into_iter()
        .map(|mut metadata| metadata.remove("organizationId").unwrap_or_default())
        .collect();
    assert_eq!(found, expected);
    let unauthorized = server.post(&Token::admin().expires_in(-60), &[], named(None)).await;
    assert_eq!(unauthorized.status(), StatusCode::UNAUTHORIZED);
    // One event of another organisation forbids the whole, and is named.
    let mut both = json!([event("a", 0), event("a", 0)]);
    both[1]["metadata"]["organizationId"] = "other".into();
    let refused = json(server.post(&producer("acme"), &[], both.to_string()).await, forbidden).await;
    assert_eq!(refused["errors"][0]["pointer"], "/1/metadata/organizationId");
    assert_eq!(topic.end_offsets().await, [i64::try_from(expected.len()).expect("a few")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_event_of_a_thousand_is_named_and_nothing_is_produced() {
    let (server, topic) = taking().await;
    let mut events: Vec<Value> = (1..=1000).map(|version| event("order-1", version)).collect();
    events[637]["timestamp"] = "yesterday".into();
    let refused = server.post(&producer("acme"), &[], Value::from(events).to_string()).await;
    let refused = json(refused, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(refused["type"], "urn:audit-trail:problem:invalid-events");
    assert_eq!(refused["errors"].as_array().map(Vec::len), Some(1));
    assert_eq!(refused["errors"][0]["pointer"], "/637/timestamp");
    assert_eq!(topic.end_offsets().await, [0]);
}

/// What is wrong with an event, and where that is said to be.
fn faults() -> Vec<(&'static str, Value)> {
    let long = "x".repeat(256);
    vec![
        ("", json!("no object")),
        ("/eventId", json!({"eventId": null})),
        ("/eventId", json!({"eventId": "0194fdc2fa2f7cc081d3ff12045b73c8"})),
        ("/eventId", json!({"eventId": 7})),
        ("/eventType", json!({"eventType": ""})),
        ("/eventType", json!({"eventType": "a\u{7}"})),
        ("/aggregateType", json!({"aggregateType": long.clone()})),
        ("/aggregateType", json!({"aggregateType": "AuditAccess"})),
        ("/aggregateId", json!({"aggregateId": long.clone()})),
        ("/timestamp", json!({"timestamp": "2025-11-20"})),
        ("/timestamp", json!({"timestamp": "2999-01-01T00:00:00Z"})),
        ("/version", json!({"version": -1})),
        ("/version", json!({"version": 1.5})),
        ("/version", json!({"version": 2_147_483_648_i64})),
        ("/payload", json!({"payload": "text"})),
        ("/payload", json!({"payload": [1]})),
        ("/payload/a~1b/~0", json!({"payload": {"a/b": {"~": "\u{0}"}}})),
        ("/payload/$protected", json!({"payload": {"$protected": "v1"}})),
        ("/metadata", json!({"metadata": []})),
        ("/metadata/a~1b", json!({"metadata": {"a/b": {}}})),
        ("/metadata/userId", json!({"metadata": {"userId": "u".repeat(1025)}})),
        ("/metadata/submittedBy", json!({"metadata": {"submittedBy": "somebody else"}})),
        ("/surprise", json!({"surprise": 1})),
        ("", json!({"payload": {"large": "x".repeat(1024 * 1024)}})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_pointed_at_in_one_event_and_among_several() {
    let (server, topic) = taking().await;
    let token = producer("acme");
    for (pointer, fault) in faults() {
        let mut bad = event("a", 0);
        match fault.as_object() {
            Some(members) => members.iter().for_each(|(name, value)| bad[name] = value.clone()),
            None => bad = fault,
        }
        if bad.is_object() {
            let refused = server.post(&token, &[], bad.to_string()).await;
            let refused = json(refused, StatusCode::UNPROCESSABLE_ENTITY).await;
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
            assert!(refused["errors"][0]["detail"].as_str().is_some_and(|text| !text.is_empty()));
        }
        let several = json!([event("a", 0), bad, event("a", 0), bad]).to_string();
        let refused = json(server.post(&token, &[], several).await, StatusCode::UNPROCESSABLE_ENTITY).await;
        let pointers: Vec<_> =
            refused["errors"].as_array().expect("errors").iter().map(|e| e["pointer"].clone()).collect();
        assert_eq!(pointers, [format!("/1{pointer}"), format!("/3{pointer}")], "{refused}");
    }
    let twice = event("a", 0);
    let refused = server.post(&token, &[], json!([twice, twice]).to_string()).await;
    let refused = json(refused, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(refused["errors"][0]["pointer"], "/1/eventId");
    let line = format!("{}\n{{\"eventId\"\n", event("a", 0));
    let refused = server.post(&token, &[("content-type", "application/x-ndjson")], line).await;
    let refused = json(refused, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(refused["errors"][0]["pointer"], "/1");
    assert_eq!(topic.end_offsets().await, [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_read_here_says_what_would_be() {
    let (server, topic) = taking().await;
    let token = producer("acme");
    for (headers, body, status, slug) in [
        (&[("content-type", "text/plain")][..], "{}", 415, "unsupported-media-type"),
        (&[("content-encoding", "gzip")], "{}", 415, "unsupported-media-type"),
        (&[], "", 400, "invalid-request"),
        (&[], "[]", 400, "invalid-request"),
        (&[], "{\"a\":", 400, "invalid-request"),
        (&[], "7", 400, "invalid-request"),
        (&[("prefer", "wait=long")], "{}", 400, "invalid-request"),
        (&[("idempotency-key", "a b")], "{}", 400, "invalid-request"),
        (&[("accept", "text/html")], "{}", 406, "not-acceptable"),
        (&[], "{}", 422, "invalid-events"),
    ] {
        let status = StatusCode::from_u16(status).expect("a status");
        assert_eq!(
            problem(server.post(&token, headers, body).await, status).await,
            slug,
            "{headers:?} {body}"
        );
    }
    assert_eq!(topic.end_offsets().await, [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_whether_or_not_its_length_is_said() {
    let api = ApiSettings { max_body_bytes: 4096, ..Options::default().api };
    let options = Options { api, writing: Some(writing("audit.events")), ..Options::default() };
    let server = Server::with(options).await;
    let much = vec![b' '; 4097];
    let stream = futures::stream::iter([Ok::<_, std::io::Error>(much.clone())]);
    for body in [reqwest::Body::from(much), reqwest::Body::wrap_stream(stream)] {
        let refused = server.post(&producer("acme"), &[], body).await;
        assert_eq!(problem(refused, StatusCode::PAYLOAD_TOO_LARGE).await, "payload-too-large");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_without_kafka_only_reads() {
    let server = Server::start().await;
    let refused = server.post(&Token::admin(), &[], event("a", 0).to_string()).await;
    assert_eq!(problem(refused, StatusCode::SERVICE_UNAVAILABLE).await, "unavailable");
    server.json("/v1/events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_kafka_is_away_events_are_refused_in_time_and_reads_go_on() {
    let mut config = writing("audit.events");
    config.kafka = KafkaSettings { bootstrap_servers: Some("127.0.0.1:1".to_owned()), ..config.kafka };
    config.submissions.delivery_timeout = Duration::from_secs(1);
    let server = Server::with(Options { writing: Some(config), ..Options::default() }).await;
    let refused = server.post(&producer("acme"), &[], event("a", 0).to_string()).await;
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(problem(refused, StatusCode::SERVICE_UNAVAILABLE).await, "unavailable");
    server.json("/v1/events").await;
}

/// A body made of a good one by random cuts, swaps and nonsense.
fn damaged(random: &mut StdRng) -> Vec<u8> {
    let mut bytes = json!([event("a", 1), event("b", 2)]).to_string().into_bytes();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..6) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes[at] = random.random(),
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, *b"{}[]\",:\\0e-\xff".get(random.random_range(0..13)).unwrap_or(&b' ')),
            4 => {
                let other = random.random_range(0..bytes.len());
                bytes.swap(at, other);
            }
            _ => {
                let part = bytes[at..(at + 40).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'[');
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_makes_a_defect_of_ours() {
    let seed =
        std::env::var("AUDIT_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("AUDIT_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (server, topic) = taking().await;
    let token = producer("acme");
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..1000 {
        let kind = if round % 4 == 0 { "application/x-ndjson" } else { "application/json" };
        let body = damaged(&mut random);
        let text = String::from_utf8_lossy(&body).into_owned();
        let answer = server.post(&token, &[("content-type", kind)], body).await;
        let status = answer.status().as_u16();
        assert!([202, 400, 403, 422].contains(&status), "seed {seed}: {status}: {text}");
        if status == 202 {
            accepted += json(answer, StatusCode::ACCEPTED).await["data"].as_array().map_or(0, Vec::len);
        } else {
            problem(answer, StatusCode::from_u16(status).expect("a status")).await;
            refused += 1;
        }
    }
    assert!(refused > 500, "{refused}");
    assert_eq!(topic.end_offsets().await, [i64::try_from(accepted).expect("a few")]);
}
