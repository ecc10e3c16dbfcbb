//! The daemon as a process: what it logs, how it stops, how much memory a long replay takes.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use test_support::{Daemon, DaemonConfig, TestDatabase, Token, canonical_event};

use crate::feeder::Feeder;

/// A word that must not come out anywhere.
const CANARY: &str = "canary-7f3a";

async fn daemon(database: &TestDatabase) -> Daemon {
    Daemon::audit_api(&DaemonConfig::new(database)).ready().await
}

async fn get(daemon: &Daemon, path: &str, bearer: &str, accept: &str) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.get(daemon.url(path)).header("authorization", bearer).header("accept", accept);
    request
        .header("last-event-id", if accept == "text/event-stream" { CANARY } else { "" })
        .send()
        .await
        .expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_metrics_name_nobody() {
    let database = TestDatabase::create().await;
    Feeder::new(&database).await.append([canonical_event(CANARY, 1).metadata("userId", CANARY)]).await;
    let daemon = daemon(&database).await;
    let token = Token::admin().claim("sub", CANARY).claim("org", CANARY);
    let bearer = token.bearer();
    for path in [
        format!("/v1/events?userId={CANARY}"),
        format!("/v1/events?limit={CANARY}"),
        format!("/v1/events?{CANARY}=x"),
        format!("/v1/aggregates/Order/{CANARY}/events"),
        format!("/v1/aggregates/{CANARY}/{CANARY}/replay"),
        format!("/v1/replay?userId={CANARY}"),
        format!("/v1/stream?after={CANARY}"),
        format!("/v1/dead-letters/{CANARY}"),
        format!("/v1/ledger/records/{CANARY}/0/0"),
        format!("/{CANARY}"),
    ] {
        for accept in ["*/*", "text/event-stream"] {
            drop(get(&daemon, &path, &bearer, accept).await.text().await);
        }
    }
    let forged = token.signed_with("another secret that is longer than 32 bytes").bearer();
    assert_eq!(get(&daemon, "/v1/events", &forged, "*/*").await.status(), StatusCode::UNAUTHORIZED);
    let metrics =
        reqwest::get(daemon.telemetry_url("/metrics")).await.expect("metrics").text().await.expect("text");
    assert!(metrics.contains("route=\"/v1/aggregates/{type}/{id}/events\",status=\"200\""), "{metrics}");
    assert!(metrics.contains("audit_query_duration_seconds"), "{metrics}");
    let log = daemon.log();
    assert!(log.lines().filter(|line| line.contains("\"message\":\"request\"")).count() >= 20, "{log}");
    let signatures =
        [bearer, forged].map(|bearer| bearer.rsplit('.').next().expect("a signature").to_owned());
    for (name, text) in [("log", &log), ("metrics", &metrics)] {
        assert!(!text.contains(CANARY), "{name}: {text}");
        assert!(signatures.iter().all(|signature| !text.contains(signature)), "{name}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_tails_and_ends_well() {
    let database = TestDatabase::create().await;
    let daemon = daemon(&database).await;
    let mut tail = get(&daemon, "/v1/stream", &Token::admin().bearer(), "*/*").await;
    assert_eq!(tail.status(), StatusCode::OK);
    tail.chunk().await.expect("the first block");
    let started = Instant::now();
    let status = daemon.stop().await;
    assert!(status.success(), "{status}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    while let Ok(Some(_)) = tail.chunk().await {}
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::naive_bytecount, reason = "a test counts lines, and has time")]
async fn a_replay_takes_the_memory_of_a_few_thousand_events() {
    let database = TestDatabase::create().await;
    let mut feeder = Feeder::new(&database).await;
    let payload = serde_json::json!({ "filler": "x".repeat(400) });
    for round in 0..20 {
        feeder
            .append((0..5000).map(|index| {
                canonical_event(&format!("a{}", index % 500), round * 10 + index / 500 + 1).payload(&payload)
            }))
            .await;
    }
    let daemon = daemon(&database).await;
    drop(get(&daemon, "/v1/events", &Token::admin().bearer(), "*/*").await.text().await);
    let before = daemon.resident_bytes();
    let mut greatest = before;
    for (path, accept) in [("/v1/replay", "application/x-ndjson"), ("/v1/events", "application/x-ndjson")] {
        let mut answer = get(&daemon, path, &Token::admin().bearer(), accept).await;
        let (mut events, mut bytes) = (0, 0);
        while let Some(chunk) = answer.chunk().await.expect("a clean answer") {
            events += chunk.iter().filter(|byte| **byte == b'\n').count();
            if bytes / (4 << 20) != (bytes + chunk.len()) / (4 << 20) {
                greatest = greatest.max(daemon.resident_bytes());
            }
            bytes += chunk.len();
        }
        assert_eq!(events, 100_000, "{path}");
        assert!(bytes > 60 << 20, "{path}: {bytes}");
    }
    let grown = (greatest - before) >> 20;
    assert!(grown < 32, "a stream took {grown} MB over {} MB", before >> 20);
}
