//! The API as a process that is killed and flooded: one request stays one event, and memory stays flat.

use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::StatusCode;
use serde_json::{Value, json};
use test_support::{Daemon, DaemonConfig, Role, TestDatabase, TestTopic, Token, unique, wait_until};

use crate::submit::{event, producer};

/// How long anything on a busy machine may take.
const PATIENCE: Duration = Duration::from_secs(90);

fn config(database: &TestDatabase, topic: &str) -> DaemonConfig {
    DaemonConfig::new(database).topics(&[topic]).set("submissions", "topic", format!("{topic:?}")).set(
        "submissions",
        "delivery_timeout",
        "\"1s\"",
    )
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

fn post(
    api: &Daemon,
    key: &str,
    body: &Value,
) -> impl Future<Output = reqwest::Result<reqwest::Response>> + use<> {
    client()
        .post(api.url("/v1/events"))
        .header("authorization", producer("acme").bearer())
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(body.to_string())
        .send()
}

/// Sends it until it is accepted; the id that was answered.
async fn retried(api: &Daemon, key: &str, body: &Value) -> String {
    let answer = wait_until("a repeat is accepted", PATIENCE, || async {
        let answer = post(api, key, body).await.ok()?;
        let status = answer.status();
        assert!([202, 409, 503].contains(&status.as_u16()), "{status}");
        (status == StatusCode::ACCEPTED).then_some(answer)
    })
    .await;
    let answer: Value = answer.json().await.expect("JSON");
    answer["data"][0]["eventId"].as_str().expect("an id").to_owned()
}

fn nameless(round: usize) -> Value {
    let mut body = event(&format!("killed-{round}"), 1);
    body.as_object_mut().expect("an object").remove("eventId");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_after_kill_9_at_any_moment_makes_one_event() {
    const ROUNDS: usize = 10;
    let seed =
        std::env::var("AUDIT_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("AUDIT_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (database, topic) = (TestDatabase::create().await, TestTopic::create(1).await);
    let config = config(&database, topic.name());
    let _ingestor = Daemon::ingestor(&config).ready().await;
    let superuser = database.connect(Role::Superuser).await;
    let (mut ids, mut begun, mut produced) = (Vec::new(), 0, 0);
    let mut api = Daemon::audit_api(&config).ready().await;
    for round in 0..ROUNDS {
        let (key, body) = (unique("key"), nameless(round));
        // How long a request takes here and now: the kill falls somewhere within it.
        let started = Instant::now();
        retried(&api, &unique("warm"), &nameless(ROUNDS + round)).await;
        let moment = started.elapsed().mul_f64(random.random_range(0.0..1.2));
        let before = topic.end_offsets().await[0];
        let sent = tokio::spawn(post(&api, &key, &body));
        tokio::time::sleep(moment).await;
        api.kill();
        // The answer may have come, or the connection may be gone: the caller cannot know, and repeats.
        drop(sent.await);
        let rows = superuser
            .query_one("select count(*) from audit.submissions where idempotency_key = $1", &[&key])
            .await
            .expect("readable");
        begun += rows.get::<_, i64>(0);
        produced += topic.end_offsets().await[0] - before;
        api = Daemon::audit_api(&config).ready().await;
        ids.push(retried(&api, &key, &body).await);
    }
    eprintln!(
        "of {ROUNDS} kills {begun} fell behind the storing of the ids, {produced} behind the producing"
    );
    let end = topic.end_offsets().await[0];
    wait_until("the ingestor has read all", PATIENCE, || async {
        let row = superuser.query_one("select coalesce(max(next_offset), 0) from audit.logs", &[]).await;
        (row.expect("readable").get::<_, i64>(0) >= end).then_some(())
    })
    .await;
    for (round, id) in ids.iter().enumerate() {
        let sql = "select event_id::text from audit.events where aggregate_id = $1";
        let stored = superuser.query(sql, &[&format!("killed-{round}")]).await.expect("readable");
        let stored: Vec<String> = stored.iter().map(|row| row.get(0)).collect();
        assert_eq!(&stored, std::slice::from_ref(id), "seed {seed}, round {round}");
    }
    let refused: i64 =
        superuser.query_one("select count(*) from audit.dead_letters", &[]).await.expect("readable").get(0);
    assert_eq!(refused, 0, "seed {seed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_without_kafka_is_refused_in_bounded_memory_and_reads_go_on() {
    const MEGABYTE: usize = 1024 * 1024;
    let database = TestDatabase::create().await;
    let config = config(&database, "audit.events").kafka("127.0.0.1:1");
    let api = Daemon::audit_api(&config).ready().await;
    let client = client();
    let body = json!(
        (0..8)
            .map(|version| {
                let mut event = event("flood", version);
                event["payload"]["filler"] = "x".repeat(MEGABYTE / 2).into();
                event
            })
            .collect::<Vec<_>>()
    )
    .to_string();
    let before = api.resident_bytes();
    let (mut refused, mut greatest) = (0, before);
    for _ in 0..4 {
        let posting = (0..24).map(|_| {
            client
                .post(api.url("/v1/events"))
                .header("authorization", producer("acme").bearer())
                .header("content-type", "application/json")
                .body(body.clone())
                .send()
        });
        let posting = futures::future::join_all(posting);
        tokio::pin!(posting);
        let answers = loop {
            tokio::select! {
                answers = &mut posting => break answers,
                () = tokio::time::sleep(Duration::from_millis(50)) => greatest = greatest.max(api.resident_bytes()),
            }
        };
        // A refusal may come before the body has been read, and the connection ends with it.
        for answer in answers.into_iter().flatten() {
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(answer.headers().contains_key("retry-after"));
            refused += 1;
        }
        let read = client.get(api.url("/v1/events")).header("authorization", Token::admin().bearer());
        assert_eq!(read.send().await.expect("an answer").status(), StatusCode::OK);
        let ready = reqwest::get(api.telemetry_url("/health/ready")).await.expect("an answer");
        assert_eq!(ready.status(), StatusCode::OK);
    }
    let sent = (96 * body.len()) >> 20;
    let grown = (greatest - before) >> 20;
    eprintln!("{sent} MB were sent, {refused} requests got their refusal, memory grew by {grown} MB");
    assert!(refused > 20, "{refused}");
    assert!(grown < 200, "memory grew by {grown} MB over {} MB while {sent} MB were sent", before >> 20);
}
