//! A stream leaves two records: one before its first byte, one when it ends, with the rows, however it ends.

use reqwest::StatusCode;
use serde_json::{Value, json};
use test_support::{TestTopic, Token, canonical_event};

use crate::{
    accesses::{recording, records, records_up_to},
    server::{Options, Server, soon},
};

/// An API with so many events.
async fn with_events(count: i64) -> (Server, TestTopic) {
    let (server, topic) = recording(Options::default()).await;
    server.feeder().await.append((1..=count).map(|version| canonical_event("o", version))).await;
    (server, topic)
}

/// The records of one stream: its opening, and its end, which names it.
async fn opened_and_closed(topic: &TestTopic) -> (Value, Value) {
    let records = records_up_to(topic, 2).await;
    assert_eq!(records.len(), 2, "{records:?}");
    let (opened, closed) = (records[0].clone(), records[1].clone());
    assert_eq!(
        (&opened["eventType"], &closed["eventType"]),
        (&json!("AuditAccess.Opened"), &json!("AuditAccess.Closed"))
    );
    assert_eq!(closed["metadata"]["causationId"], opened["eventId"]);
    assert_eq!(closed["payload"]["parameters"], opened["payload"]["parameters"]);
    assert_eq!(opened["payload"].get("rows"), None);
    (opened, closed)
}

async fn open(server: &Server, path: &str, accept: &str) -> reqwest::Response {
    let answer = server.request(path, &Token::admin()).header("accept", accept).send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_stream_says_its_rows_at_its_end() {
    for (path, accept, operation) in [
        ("/v1/events?userId=user-1", "application/x-ndjson", "listEvents"),
        ("/v1/replay", "text/event-stream", "replay"),
        ("/v1/aggregates/Order/o/replay", "application/x-ndjson", "replayAggregate"),
    ] {
        let (server, topic) = with_events(30).await;
        open(&server, path, accept).await.bytes().await.expect("a whole answer");
        let (opened, closed) = opened_and_closed(&topic).await;
        assert_eq!(opened["payload"]["operation"], operation);
        assert_eq!(
            (&closed["payload"]["rows"], &closed["payload"]["ended"]),
            (&json!(30), &json!("complete")),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_opening_is_recorded_before_the_first_byte() {
    let (server, topic) = with_events(1).await;
    let tail = open(&server, "/v1/stream?after=start", "text/event-stream").await;
    let records = records(&topic).await;
    assert_eq!((records.len(), &records[0]["eventType"]), (1, &json!("AuditAccess.Opened")));
    drop(tail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_closes_its_stream() {
    let (server, topic) = with_events(3).await;
    let mut tail = open(&server, "/v1/stream?after=start", "text/event-stream").await;
    let mut text = String::new();
    while text.matches("event: event").count() < 3 {
        let chunk = soon("three events", tail.chunk()).await.expect("a chunk").expect("more");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    drop(tail);
    let (_, closed) = opened_and_closed(&topic).await;
    assert_eq!((&closed["payload"]["rows"], &closed["payload"]["ended"]), (&json!(3), &json!("client")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_records_the_end_of_its_streams() {
    let (server, topic) = with_events(3).await;
    let mut tail = open(&server, "/v1/stream?after=start", "text/event-stream").await;
    soon("the first block", tail.chunk()).await.expect("a chunk").expect("some");
    server.stop();
    while let Ok(Some(_)) = soon("the tail's end", tail.chunk()).await {}
    // As the daemon does, once it has no connection left.
    server.recorder.as_ref().expect("it records").close(std::time::Duration::from_secs(10)).await;
    let (_, closed) = opened_and_closed(&topic).await;
    assert_eq!((&closed["payload"]["rows"], &closed["payload"]["ended"]), (&json!(3), &json!("shutdown")));
}
