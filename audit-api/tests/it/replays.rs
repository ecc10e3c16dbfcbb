//! Replays to topics: what is sent, who may, where to, and that the trail tells of it.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use shared::{avro, envelope::Envelope};
use test_support::{TestTopic, Token, canonical_event, topic::ConsumedRecord, wait_until};

use crate::{
    accesses::{recording, records},
    server::{Options, Server, json, problem},
    submit::writing,
};

/// How long anything on a busy machine may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// An API that replays, with the topic of the events by which it tells of it.
async fn replaying() -> (Server, TestTopic) {
    let told = TestTopic::create(1).await;
    let options = Options { writing: Some(writing(told.name())), ..Options::default() };
    (Server::with(options).await, told)
}

pub(crate) async fn ask(
    server: &Server,
    method: Method,
    path: &str,
    token: &Token,
    body: Option<&Value>,
) -> Response {
    let mut request = server.client.request(method, server.url(path)).header("authorization", token.bearer());
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    request.send().await.expect("an answer")
}

pub(crate) async fn start(server: &Server, body: &Value) -> String {
    let answer = ask(server, Method::POST, "/v1/replays", &Token::admin(), Some(body)).await;
    let location = answer.headers().get("location").cloned();
    let job = json(answer, StatusCode::CREATED).await;
    let id = job["id"].as_str().expect("an id").to_owned();
    assert_eq!(location.expect("a location"), format!("/v1/replays/{id}"));
    id
}

pub(crate) async fn shown(server: &Server, id: &str) -> Value {
    server.json(&format!("/v1/replays/{id}")).await
}

/// Waits until the job is as it should be.
pub(crate) async fn until(server: &Server, id: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    wait_until(what, PATIENCE, || async { Some(shown(server, id).await).filter(|job| is(job)) }).await
}

pub(crate) async fn until_state(server: &Server, id: &str, state: &str) -> Value {
    until(server, id, &format!("the job is {state}"), |job| job["state"] == state).await
}

pub(crate) fn envelope(record: &ConsumedRecord) -> Envelope {
    let schema = avro::WriterSchema::parse(avro::CANONICAL_SCHEMA, &[]).expect("the canonical schema");
    schema.decode(&record.value.as_ref().expect("a value")[5..]).expect("a canonical datum")
}

/// The versions that each aggregate has in the topic, in order.
pub(crate) fn versions(records: &[ConsumedRecord]) -> BTreeMap<String, Vec<i64>> {
    let mut versions: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for record in records {
        let event = envelope(record);
        assert_eq!(record.key.as_deref(), Some(event.aggregate_id.as_bytes()));
        versions.entry(event.aggregate_id).or_default().push(event.version);
    }
    versions
}

/// The events that tell of jobs, once each.
async fn told_of(topic: &TestTopic, count: usize) -> Vec<Envelope> {
    wait_until("the trail is told", PATIENCE, || async {
        let mut events: Vec<Envelope> = topic.read_all().await.iter().map(envelope).collect();
        events.sort_by(|a, b| (&a.aggregate_id, a.version).cmp(&(&b.aggregate_id, b.version)));
        events.dedup_by(|a, b| a.event_id == b.event_id);
        (events.len() >= count).then_some(events)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_sends_what_matches_in_order_and_says_what_it_is() {
    let (server, told) = replaying().await;
    let topic = TestTopic::create(3).await;
    let mut feeder = server.feeder().await;
    for version in 1..=60 {
        let orders = (0..40).map(|order| canonical_event(&format!("order-{order}"), version));
        let others =
            (0..5).map(|other| canonical_event(&format!("o{other}"), version).aggregate_type("Other"));
        feeder
            .append_to("audit.events", i32::try_from(version % 3).expect("small"), orders.chain(others))
            .await;
    }
    let body = json!({ "topic": topic.name(), "filter": { "aggregateType": "Order" } });
    let id = start(&server, &body).await;
    let job = until_state(&server, &id, "finished").await;
    assert_eq!(job["expected"], json!({ "events": 2400, "exactness": "exact" }));
    assert_eq!((&job["progress"]["sent"], &job["createdBy"]), (&json!(2400), &json!("tester")));
    assert_eq!(job["filter"], json!({ "aggregateType": ["Order"] }));
    assert_eq!(job["progress"]["append"], job["progress"]["untilAppend"]);
    assert!(job["endedAt"].is_string() && job["trouble"].is_null(), "{job}");

    let records = topic.read_all().await;
    let versions = versions(&records);
    assert_eq!(versions.len(), 40);
    assert!(
        versions.values().all(|versions| versions.iter().copied().eq(1..=60)),
        "each aggregate in its order, once"
    );
    let stored = server.lines("/v1/replay?aggregateType=Order").await;
    let by_position: BTreeMap<&str, &Value> =
        stored.iter().map(|event| (event["position"].as_str().expect("a position"), event)).collect();
    for record in &records {
        let event = by_position[record.header("audit.replay.of").expect("says of what it is a replay")];
        assert_eq!(record.header("audit.replay.job"), Some(id.as_str()));
        assert_eq!(record.header("audit.replay.recorded.at"), event["recordedAt"].as_str());
        let sent = envelope(record);
        assert_eq!(
            (Some(sent.event_id.as_str()), sent.payload),
            (event["eventId"].as_str(), event["payload"].to_string())
        );
    }
    assert_eq!(job["progress"]["position"], stored.last().expect("some")["position"]);

    let told = told_of(&told, 2).await;
    let kinds: Vec<_> = told.iter().map(|event| (event.event_type.as_str(), event.version)).collect();
    assert_eq!(kinds, [("ReplayStarted", 1), ("ReplayFinished", 2)]);
    assert!(told.iter().all(|event| event.aggregate_type == "ReplayJob" && event.aggregate_id == id));
    assert_eq!(told[1].metadata["userId"], "tester");
    let payload: Value = serde_json::from_str(&told[1].payload).expect("JSON");
    assert_eq!((&payload["sent"], &payload["topic"]), (&json!(2400), &json!(topic.name())));
    assert_eq!(payload["filter"], json!({ "aggregateType": ["Order"] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_and_makes_nothing() {
    let (server, _) = replaying().await;
    let topic = TestTopic::create(1).await;
    let mut feeder = server.feeder().await;
    let mut positions = Vec::new();
    for version in 1..=30 {
        let events = (0..50).map(|order| canonical_event(&format!("order-{order}"), version));
        positions.extend(feeder.append(events).await);
    }
    let run = |filter: Value, after: Value| {
        let body =
            json!({ "topic": topic.name(), "filter": filter, "after": after, "rate": 100, "dryRun": true });
        let server = &server;
        async move {
            json(ask(server, Method::POST, "/v1/replays", &Token::admin(), Some(&body)).await, StatusCode::OK)
                .await
        }
    };
    let exact = |events: u64| json!({ "events": events, "exactness": "exact" });
    let all = run(json!({}), json!("start")).await;
    assert_eq!((&all["expected"], &all["seconds"]), (&exact(1500), &json!(15)));
    let size: u64 = {
        let id = start(&server, &json!({ "topic": topic.name() })).await;
        until_state(&server, &id, "finished").await["progress"]["bytes"].as_u64().expect("bytes")
    };
    let guess = all["bytes"].as_u64().expect("an estimate");
    assert!(guess.abs_diff(size) * 20 < size, "{guess} bytes were expected, {size} were sent");
    let behind = run(json!({}), json!(positions[1019].to_string())).await;
    assert_eq!(behind["expected"], exact(480), "behind the 1,020th");
    let few = run(json!({ "aggregateId": ["order-1", "order-2"] }), Value::Null).await;
    assert_eq!(few["expected"], exact(60));
    let none = run(json!({ "aggregateId": "nobody" }), Value::Null).await;
    assert_eq!((&none["expected"], &none["bytes"]), (&exact(0), &json!(0)));
    assert_eq!(
        server.json("/v1/replays").await["data"].as_array().map(Vec::len),
        Some(1),
        "dry runs make no job"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_come_round_and_what_is_wrong_is_refused() {
    let (server, told) = replaying().await;
    let topic = TestTopic::create(1).await;
    for (body, word) in [
        (json!({ "topic": "audit.events" }), "ingestor"),
        (json!({ "topic": "audit.events.orders" }), "ingestor"),
        (json!({ "topic": "audit.events.access" }), "ingestor"),
        (json!({ "topic": "audit.dlq" }), "dead letters"),
        (json!({ "topic": told.name() }), "new events"),
        (json!({ "topic": "__consumer_offsets" }), "Kafka's own"),
        (json!({ "topic": "a b" }), "A-Z"),
        (json!({ "topic": test_support::unique("nowhere") }), "make it first"),
        (json!({ "topic": topic.name(), "filter": { "colour": "red" } }), "colour"),
        (json!({ "topic": topic.name(), "filter": { "from": "yesterday" } }), "from"),
        (json!({ "topic": topic.name(), "filter": { "userId": 7 } }), "userId"),
        (json!({ "topic": topic.name(), "rate": 0 }), "rate"),
        (json!({ "topic": topic.name(), "after": "99:1" }), "after"),
        (json!({ "topic": topic.name(), "after": "now" }), "after"),
        (json!({ "topic": topic.name(), "unknown": 1 }), "unknown"),
        (json!({}), "topic"),
    ] {
        let answer = ask(&server, Method::POST, "/v1/replays", &Token::admin(), Some(&body)).await;
        let status = answer.status();
        let text = answer.text().await.expect("a whole answer");
        assert!(status == StatusCode::BAD_REQUEST && text.contains(word), "{body}: {status} {text}");
    }
    for path in [
        "/v1/replays/0194fdc2-fa2f-7cc0-81d3-ff12045b73c8",
        "/v1/replays/0194fdc2-fa2f-7cc0-81d3-ff12045b73c8/pause",
    ] {
        let method = if path.ends_with("pause") { Method::POST } else { Method::GET };
        let answer = ask(&server, method, path, &Token::admin(), None).await;
        assert_eq!(problem(answer, StatusCode::NOT_FOUND).await, "not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_sends_its_own_events_and_sees_its_own_jobs() {
    let (server, _) = replaying().await;
    let (topic, all) = (TestTopic::create(1).await, TestTopic::create(1).await);
    let mut feeder = server.feeder().await;
    feeder
        .append(
            (1..=30).map(|n| canonical_event("o", n).organization(if n % 3 == 0 { "acme" } else { "other" })),
        )
        .await;
    let (own, operator) =
        (Token::org_admin("acme"), Token::with_roles(&["audit:operator"]).claim("sub", "olga"));
    let body = json!({ "topic": topic.name() });
    let mine =
        json(ask(&server, Method::POST, "/v1/replays", &own, Some(&body)).await, StatusCode::CREATED).await;
    assert_eq!((&mine["organizationId"], &mine["expected"]["events"]), (&json!("acme"), &json!(10)));
    let mine = mine["id"].as_str().expect("an id");
    until_state(&server, mine, "finished").await;
    let sent: Vec<_> = topic.read_all().await.iter().map(envelope).collect();
    assert_eq!(sent.len(), 10);
    assert!(sent.iter().all(|event| event.metadata["organizationId"] == "acme"));
    let foreign = json!({ "topic": topic.name(), "filter": { "organizationId": "other" } });
    let answer = ask(&server, Method::POST, "/v1/replays", &own, Some(&foreign)).await;
    assert_eq!(problem(answer, StatusCode::FORBIDDEN).await, "forbidden");

    // An operator sends everybody's, and sees no payload for it.
    let body = json!({ "topic": all.name() });
    let theirs =
        json(ask(&server, Method::POST, "/v1/replays", &operator, Some(&body)).await, StatusCode::CREATED)
            .await;
    let theirs = theirs["id"].as_str().expect("an id");
    assert_eq!(until_state(&server, theirs, "finished").await["progress"]["sent"], 30);
    for (token, ids) in [
        (&own, vec![mine]),
        (&operator, vec![theirs, mine]),
        (&Token::with_roles(&["audit:auditor"]), vec![theirs, mine]),
    ] {
        let page = json(server.get_as("/v1/replays?state=finished", token).await, StatusCode::OK).await;
        let listed: Vec<_> =
            page["data"].as_array().expect("jobs").iter().map(|job| job["id"].clone()).collect();
        assert_eq!(listed, ids, "newest first");
    }
    let one = json(server.get_as("/v1/replays?limit=1", &operator).await, StatusCode::OK).await;
    let cursor = one["page"]["nextCursor"].as_str().expect("more");
    let next =
        json(server.get_as(&format!("/v1/replays?limit=1&cursor={cursor}"), &operator).await, StatusCode::OK)
            .await;
    assert_eq!((&next["data"][0]["id"], &next["page"]["nextCursor"]), (&json!(mine), &Value::Null));
    for (method, path) in
        [(Method::GET, ""), (Method::POST, "/pause"), (Method::POST, "/resume"), (Method::DELETE, "")]
    {
        let answer = ask(&server, method, &format!("/v1/replays/{theirs}{path}"), &own, None).await;
        assert_eq!(problem(answer, StatusCode::NOT_FOUND).await, "not-found", "{path}");
    }
    for roles in [&["audit:auditor"][..], &["audit:producer"], &[]] {
        let token = Token::with_roles(roles).claim("org", "acme");
        let answer = ask(&server, Method::POST, "/v1/replays", &token, Some(&body)).await;
        assert_eq!(problem(answer, StatusCode::FORBIDDEN).await, "forbidden", "{roles:?}");
        let answer = ask(&server, Method::DELETE, &format!("/v1/replays/{theirs}"), &token, None).await;
        assert_eq!(problem(answer, StatusCode::FORBIDDEN).await, "forbidden", "{roles:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_paused_resumed_and_cancelled() {
    let (server, told) = replaying().await;
    let topic = TestTopic::create(1).await;
    let mut feeder = server.feeder().await;
    for version in 1..=20 {
        feeder.append((0..50).map(|order| canonical_event(&format!("order-{order}"), version))).await;
    }
    let change = |id: &str, method: Method, path: &str| {
        let (path, server) = (format!("/v1/replays/{id}{path}"), &server);
        async move { ask(server, method, &path, &Token::admin(), None).await }
    };
    // Twenty a second: it will not be finished before it is paused.
    let id = start(&server, &json!({ "topic": topic.name(), "rate": 20 })).await;
    until(&server, &id, "something is sent", |job| job["progress"]["sent"] != 0).await;
    let paused = json(change(&id, Method::POST, "/pause").await, StatusCode::OK).await;
    assert_eq!(paused["state"], "paused");
    assert_eq!(json(change(&id, Method::POST, "/pause").await, StatusCode::OK).await["state"], "paused");
    // Its runner lets go behind the batch that is on its way; then nothing moves.
    let superuser = server.database.connect(test_support::Role::Superuser).await;
    wait_until("the runner has let go", PATIENCE, || async {
        let row =
            superuser.query_one("select count(*) from audit.replay_jobs where runner is not null", &[]).await;
        (row.expect("readable").get::<_, i64>(0) == 0).then_some(())
    })
    .await;
    let sent = shown(&server, &id).await["progress"]["sent"].as_u64().expect("a number");
    assert_eq!(topic.read_all().await.len() as u64, sent);
    assert!(sent < 1000, "{sent}");

    json(change(&id, Method::POST, "/resume").await, StatusCode::OK).await;
    until(&server, &id, "it goes on", |job| job["progress"]["sent"].as_u64() > Some(sent)).await;
    let cancelled = json(change(&id, Method::DELETE, "").await, StatusCode::OK).await;
    assert_eq!(cancelled["state"], "cancelled");
    for path in ["/pause", "/resume"] {
        assert_eq!(problem(change(&id, Method::POST, path).await, StatusCode::CONFLICT).await, "job-state");
    }
    assert_eq!(json(change(&id, Method::DELETE, "").await, StatusCode::OK).await["state"], "cancelled");
    let versions = versions(&topic.read_all().await);
    for versions in versions.values() {
        assert!(
            versions.iter().copied().eq(1..=versions.len().try_into().expect("few")),
            "nothing twice, nothing left out: {versions:?}"
        );
    }
    let kinds: Vec<_> = told_of(&told, 4).await.into_iter().map(|event| event.event_type).collect();
    assert_eq!(kinds, ["ReplayStarted", "ReplayPaused", "ReplayResumed", "ReplayCancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_a_replay_is_recorded_with_what_it_filters() {
    let (told, topic) = (TestTopic::create(1).await, TestTopic::create(1).await);
    let options = Options { writing: Some(writing(told.name())), ..Options::default() };
    let (server, accesses) = recording(options).await;
    let body = json!({ "topic": topic.name(), "filter": { "userId": "user-1" }, "dryRun": true });
    let answer = ask(&server, Method::POST, "/v1/replays", &Token::admin(), Some(&body)).await;
    json(answer, StatusCode::OK).await;
    let records = records(&accesses).await;
    assert_eq!(records.len(), 1, "{records:?}");
    let payload = &records[0]["payload"];
    assert_eq!(payload["subjects"], json!(["user-1"]));
    let named = json!({ "name": "topic", "value": topic.name() });
    assert!(payload["parameters"].as_array().expect("parameters").contains(&named), "{payload}");
}
