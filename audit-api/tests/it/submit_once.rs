//! `Idempotency-Key`: however often a request comes, and whatever ended the time before, its events are the same.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use store::{ApiWriter, submissions::SubmissionKey};
use test_support::{Role, TestTopic, Token, wait_until};

use crate::{
    server::{Options, Server, json, problem},
    submit::{event, producer, taking, writing},
};

/// Two events without ids.
fn nameless() -> Value {
    let mut events = json!([event("order-1", 1), event("order-1", 2)]);
    for event in events.as_array_mut().expect("an array") {
        event.as_object_mut().expect("an object").remove("eventId");
    }
    events
}

async fn keyed(server: &Server, token: &Token, key: &str, body: &Value) -> Response {
    server.post(token, &[("idempotency-key", key)], body.to_string()).await
}

async fn accepted(answer: Response) -> Vec<String> {
    let answer = json(answer, StatusCode::ACCEPTED).await;
    let items = answer["data"].as_array().expect("data").iter();
    items.map(|item| item["eventId"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_gets_the_same_ids_and_produces_nothing() {
    let (server, topic) = taking().await;
    let (token, body) = (producer("acme"), nameless());
    let ids = accepted(keyed(&server, &token, "k1", &body).await).await;
    assert_eq!(accepted(keyed(&server, &token, "k1", &body).await).await, ids);
    assert_eq!(topic.end_offsets().await, [2]);

    // Another body, even if only its spelling: 422. Another key, caller or organisation: other events.
    let other = server.post(&token, &[("idempotency-key", "k1")], format!(" {body}")).await;
    assert_eq!(problem(other, StatusCode::UNPROCESSABLE_ENTITY).await, "idempotency-key-reused");
    for (token, key) in [
        (producer("acme"), "k2"),
        (producer("other"), "k1"),
        (producer("acme").claim("sub", "somebody else"), "k1"),
    ] {
        assert_ne!(accepted(keyed(&server, &token, key, &body).await).await, ids, "{token:?} {key}");
    }
    assert_eq!(topic.end_offsets().await, [8]);
    // Without a key an event names itself.
    let refused =
        json(server.post(&token, &[], body.to_string()).await, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(refused["errors"][1]["pointer"], "/1/eventId");
    assert!(refused["errors"][1]["detail"].as_str().is_some_and(|text| text.contains("Idempotency-Key")));
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_ones_own_are_kept_beside_those_that_are_made() {
    let (server, _topic) = taking().await;
    let mut body = nameless();
    body[1]["eventId"] = "0194FDC2-FA2F-7CC0-81D3-FF12045B73C8".into();
    let ids = accepted(keyed(&server, &producer("acme"), "k", &body).await).await;
    assert_eq!(ids[1], "0194fdc2-fa2f-7cc0-81d3-ff12045b73c8");
    assert_eq!(accepted(keyed(&server, &producer("acme"), "k", &body).await).await, ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_request_does_not_take_its_key() {
    let (server, topic) = taking().await;
    let (token, mut body) = (producer("acme"), nameless());
    body[0]["version"] = json!(-1);
    let refused = keyed(&server, &token, "k", &body).await;
    assert_eq!(problem(refused, StatusCode::UNPROCESSABLE_ENTITY).await, "invalid-events");
    accepted(keyed(&server, &token, "k", &nameless()).await).await;
    assert_eq!(topic.end_offsets().await, [2]);
}

/// What the API would store for this caller of organisation `acme`.
fn submission(key: &str, body: &Value) -> SubmissionKey {
    use sha2::{Digest as _, Sha256};
    let mut caller = Sha256::new();
    for part in ["acme", "tester"] {
        caller.update((part.len() as u64).to_be_bytes());
        caller.update(part);
    }
    SubmissionKey {
        caller: caller.finalize().into(),
        key: key.to_owned(),
        body_digest: Sha256::digest(body.to_string()).into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_ended_in_between_blocks_its_key_for_a_bounded_time_only() {
    let (server, topic) = taking().await;
    let (token, body) = (producer("acme"), nameless());
    let writer = ApiWriter::new(&server.database.database_url(Role::Api), 1, "test").expect("a pool");
    let ids = [uuid::Uuid::from_u128(7), uuid::Uuid::from_u128(8)];
    let (key, day) = (submission("k", &body), Duration::from_hours(24));
    // A process stored its ids, and was killed.
    let begun = writer.begin_submission(&key, &ids, Duration::from_secs(2), day).await.expect("stored");
    assert!(begun.is_some());
    let busy = keyed(&server, &token, "k", &body).await;
    let seconds: u64 = busy.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=2).contains(&seconds), "{seconds}");
    assert_eq!(problem(busy, StatusCode::CONFLICT).await, "request-in-progress");
    let taken_over = wait_until("the attempt's time is over", Duration::from_secs(30), || async {
        let answer = keyed(&server, &token, "k", &body).await;
        (answer.status() != StatusCode::CONFLICT).then_some(answer)
    })
    .await;
    assert_eq!(accepted(taken_over).await, ids.map(|id| id.to_string()));
    assert_eq!(topic.end_offsets().await, [2]);
    // Nobody takes a finished one over.
    let again = writer.begin_submission(&key, &ids, Duration::from_secs(2), day).await.expect("asked");
    assert_eq!(again, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_the_same_time_make_one_set_of_events() {
    let (server, topic) = taking().await;
    let (token, body) = (producer("acme"), nameless());
    let answers = futures::future::join_all((0..20).map(|_| keyed(&server, &token, "k", &body))).await;
    let (mut ids, mut busy) = (Vec::new(), 0);
    for answer in answers {
        if answer.status() == StatusCode::CONFLICT {
            busy += 1;
        } else {
            ids.push(accepted(answer).await);
        }
    }
    assert!(!ids.is_empty() && ids.iter().all(|some| *some == ids[0]), "{ids:?}");
    assert_eq!((ids.len() + busy, topic.end_offsets().await), (20, vec![2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failure_the_key_is_free_at_once_and_its_ids_stay() {
    let topic = TestTopic::create(1).await;
    let mut away = writing(topic.name());
    away.kafka.bootstrap_servers = Some("127.0.0.1:1".to_owned());
    away.submissions.delivery_timeout = Duration::from_secs(1);
    let without_kafka = Server::with(Options { writing: Some(away), ..Options::default() }).await;
    let (token, body) = (producer("acme"), nameless());
    for _ in 0..2 {
        let refused = keyed(&without_kafka, &token, "k", &body).await;
        assert_eq!(problem(refused, StatusCode::SERVICE_UNAVAILABLE).await, "unavailable");
    }
    let superuser = without_kafka.database.connect(Role::Superuser).await;
    let stored: Vec<uuid::Uuid> = superuser
        .query_one("select event_ids from audit.submissions where finished_at is null", &[])
        .await
        .expect("one submission")
        .get(0);
    // Another API of the same database, which has Kafka.
    let options = Options {
        database: Some(without_kafka.database.url_for(Role::Api)),
        writing: Some(writing(topic.name())),
        ..Options::default()
    };
    let server = Server::with(options).await;
    let ids = accepted(keyed(&server, &token, "k", &body).await).await;
    assert_eq!(ids, stored.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(topic.end_offsets().await, [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_free_again_after_its_lifetime_and_removed_in_steps() {
    let (server, topic) = taking().await;
    let (token, body) = (producer("acme"), nameless());
    let ids = accepted(keyed(&server, &token, "k", &body).await).await;
    let superuser = server.database.connect(Role::Superuser).await;
    superuser
        .batch_execute("update audit.submissions set started_at = started_at - interval '24 hours 1 second'")
        .await
        .expect("aged");
    assert_ne!(accepted(keyed(&server, &token, "k", &body).await).await, ids);
    assert_eq!(topic.end_offsets().await, [4]);

    superuser
        .batch_execute(
            "insert into audit.submissions (started_at, attempt_until, caller, body_digest, idempotency_key, event_ids) \
             select now() - interval '2 days', now(), decode(repeat('ab', 32), 'hex'), decode(repeat('cd', 32), 'hex'), \
             number::text, array[gen_random_uuid()] from generate_series(1, 50) number",
        )
        .await
        .expect("old submissions");
    let writer = ApiWriter::new(&server.database.database_url(Role::Api), 1, "test").expect("a pool");
    let day = Duration::from_hours(24);
    assert_eq!(writer.remove_expired_submissions(day, 40).await.expect("removed"), 40);
    assert_eq!(writer.remove_expired_submissions(day, 40).await.expect("removed"), 10);
    assert_eq!(writer.remove_expired_submissions(day, 40).await.expect("removed"), 0);
}
