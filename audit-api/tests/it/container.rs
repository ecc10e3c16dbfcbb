//! Replays as Avro object container files, read by fastavro.

use std::path::Path;

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::avro;
use test_support::{Token, canonical_event, languages::provisioned};
use tokio::process::Command;

use crate::server::{Server, parse_lines, problem};

const CONTAINER: &str = "application/vnd.apache.avro";

/// Prints a file's events as the API's JSON has them; with a second argument, read by that schema.
const READ: &str = r#"
import json, sys
from datetime import timezone
from fastavro import reader, parse_schema

def text(value):
    return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

schema = parse_schema(json.loads(sys.argv[2])) if len(sys.argv) > 2 else None
for event in reader(open(sys.argv[1], "rb"), reader_schema=schema):
    event["eventId"] = str(event["eventId"])
    event["payload"] = json.loads(event["payload"])
    for name in ("timestamp", "recordedAt"):
        if name in event:
            event[name] = text(event[name])
    print(json.dumps(event))
"#;

async fn fastavro(python: &Path, file: &[u8], schema: Option<&str>) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("replay.avro");
    std::fs::write(&path, file).expect("written");
    let read = Command::new(python).args(["-c", READ]).arg(&path).args(schema).output().await;
    let read = read.expect("Python can be started");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    parse_lines(&String::from_utf8(read.stdout).expect("UTF-8"))
}

async fn container(server: &Server, path: &str) -> Vec<u8> {
    let request = server.request(path, &Token::admin()).header("accept", CONTAINER);
    let answer = request.send().await.expect("an answer");
    assert_eq!(
        (answer.status(), &answer.headers()["content-type"]),
        (StatusCode::OK, &CONTAINER.parse().expect("a value"))
    );
    let file = answer.bytes().await.expect("a whole answer");
    assert!(avro::is_end(&file), "{path}");
    file.to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn fastavro_reads_what_the_lines_say() {
    let Some(python) = provisioned("AUDIT_TEST_PYTHON") else { return };
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    for round in 0..3 {
        let event = |version| {
            let payload =
                json!({"größe": [1.5, null, {"text": "a\u{1}\n\u{1f600}"}], "fill": "x".repeat(version)});
            canonical_event("order/ñ", i64::try_from(round * 500 + version).expect("small")).payload(&payload)
        };
        feeder.append((1..=500).map(event)).await;
    }
    for path in [
        "/v1/replay",
        "/v1/replay?aggregateId=nothing",
        "/v1/aggregates/Order/order%2F%C3%B1/replay?fromVersion=1400",
    ] {
        let lines = server.lines(path).await;
        let file = container(&server, path).await;
        assert_eq!(fastavro(&python, &file, None).await, lines, "{path}");
        let canonical = fastavro(&python, &file, Some(avro::CANONICAL_SCHEMA)).await;
        assert_eq!(canonical.len(), lines.len());
        assert!(
            canonical.iter().all(|event| event.get("position").is_none()),
            "read by the producers' own schema"
        );
    }
    assert!(server.lines("/v1/replay").await.len() == 1500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_breaks_off_is_not_whole() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let large = json!({ "x": (0..60_000_u32).map(|n| n.wrapping_mul(2_654_435_761)).collect::<Vec<_>>() });
    for version in 0..20 {
        feeder.append([canonical_event("a", version).payload(&large)]).await;
    }
    let request = server.request("/v1/replay", &Token::admin()).header("accept", CONTAINER);
    let mut answer = request.send().await.expect("an answer");
    let mut file = answer.chunk().await.expect("a beginning").expect("a beginning").to_vec();
    drop(server);
    let broken = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => file.extend_from_slice(&chunk),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken && !avro::is_end(&file), "{} bytes", file.len());
}

#[tokio::test]
async fn a_followed_replay_is_no_container() {
    let server = Server::start().await;
    server.feeder().await.append([canonical_event("a", 1)]).await;
    let request = server.request("/v1/aggregates/Order/a/replay?follow=true", &Token::admin());
    let answer = request.header("accept", CONTAINER).send().await.expect("an answer");
    assert_eq!(problem(answer, StatusCode::BAD_REQUEST).await, "invalid-request");
}
