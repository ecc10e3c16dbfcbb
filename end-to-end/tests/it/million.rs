//! A million events in and out again: memory stays within the bars, however far behind a reader is
//! (architecture.md, bars 4 and 5).

use std::{io::Write as _, time::Instant};

use bus::Outgoing;
use shared::avro::{encode_canonical, frame};
use test_support::{
    Daemon, DaemonConfig, Role, TestDatabase, TestRegistry, TestTopic, Token, canonical_event, servers,
    unique, wait_until,
};
use uuid::Uuid;

const EVENTS: u64 = 1_000_000;
const PARTITIONS: i32 = 12;
/// Bar 4, in bytes; a debug build has half as much again in its code's pages and larger frames.
const INGESTOR_MEMORY: u64 = if cfg!(debug_assertions) { 144 << 20 } else { 96 << 20 };
/// Bar 5, per stream, in bytes; twice that for a debug build.
const STREAM_MEMORY: u64 = if cfg!(debug_assertions) { 64 << 20 } else { 32 << 20 };
const SEND: u64 = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_events_are_caught_up_on_and_replayed_within_the_bars_of_memory() {
    let database = TestDatabase::create().await;
    let topic = TestTopic::create(PARTITIONS).await;
    let dead_letters = TestTopic::create_named(&unique("dlq"), 1, &[]).await;
    let config = DaemonConfig::new(&database).topics(&[topic.name()]).dead_letter_topic(dead_letters.name());
    let schema_id = TestRegistry::connect().await.canonical_id();
    for from in (0..EVENTS).step_by(usize::try_from(SEND).expect("small")) {
        topic.send_all((from..from + SEND).map(|number| record(schema_id, number))).await;
    }

    let started = Instant::now();
    let ingestor = Daemon::ingestor(&config).ready().await;
    let client = database.connect(Role::Superuser).await;
    wait_until("a million events are stored", std::time::Duration::from_mins(10), || async {
        let row = client.query_one("select coalesce(sum(stored), 0)::bigint from audit.appends", &[]).await;
        (row.expect("the account").get::<_, i64>(0) == i64::try_from(EVENTS).expect("a million"))
            .then_some(())
    })
    .await;
    let peak = peak_bytes(ingestor.pid());
    say(&format!("stored in {:.1?}, peak {} MB", started.elapsed(), peak >> 20));
    assert!(peak <= INGESTOR_MEMORY, "the ingestor took {} MB", peak >> 20);

    let api = Daemon::audit_api(&config).ready().await;
    replay(&api, "/v1/events?limit=1").await;
    let before = api.resident_bytes();
    let started = Instant::now();
    assert_eq!(replay(&api, "/v1/replay").await, EVENTS);
    let grown = peak_bytes(api.pid()).saturating_sub(before);
    say(&format!("replayed in {:.1?}, grown by {} MB", started.elapsed(), grown >> 20));
    assert!(grown <= STREAM_MEMORY, "a stream took {} MB", grown >> 20);
}

fn record(schema_id: u32, number: u64) -> Outgoing {
    let aggregate = format!("order-{}", number % 50_000);
    let version = i64::try_from(number / 50_000 + 1).expect("small");
    let envelope = canonical_event(&aggregate, version)
        .id(Uuid::from_u64_pair(0x0194_fdc2_fa2f_7cc0, 0x8000_0000_0000_0000 | number).to_string())
        .payload_text(format!("{{\"number\":{number},\"note\":\"{number:0>330}\"}}"))
        .build();
    Outgoing {
        key: Some(aggregate.into()),
        value: Some(frame(schema_id, &encode_canonical(&envelope)).into()),
        ..Outgoing::default()
    }
}

/// How many lines the answer has; it must end cleanly.
#[expect(clippy::naive_bytecount, reason = "a test counts lines, and has time")]
async fn replay(api: &Daemon, path: &str) -> u64 {
    let request = reqwest::Client::new()
        .get(api.url(path))
        .header("authorization", Token::admin().bearer())
        .header("accept", "application/x-ndjson");
    let mut answer = request.send().await.expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
    let mut lines = 0;
    while let Some(chunk) = answer.chunk().await.expect("a clean end") {
        lines += chunk.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    lines
}

/// The most memory that the process had resident, in bytes (proc(5), `VmHWM`).
fn peak_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a process has memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB") * 1024
}

fn say(what: &str) {
    // A figure for whoever reads the log; no test depends on it.
    let _ = writeln!(std::io::stderr(), "a million events {what}, on {}", servers::kafka_bootstrap());
}
