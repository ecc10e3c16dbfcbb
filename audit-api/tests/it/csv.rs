//! Events as CSV: whole, exact where asked, and never a formula.

use reqwest::StatusCode;
use serde_json::json;
use test_support::{Token, canonical_event};

use crate::server::{Server, problem};

/// The records of a CSV text (RFC 4180), read by a few lines of the test's own.
pub(crate) fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {
                assert_eq!(characters.next(), Some('\n'), "records end with CRLF");
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            other => cell.push(other),
        }
    }
    assert!(record.is_empty() && cell.is_empty() && !quoted, "the last record is whole");
    records
}

async fn csv(server: &Server, query: &str) -> Vec<Vec<String>> {
    let request =
        server.request(&format!("/v1/events?{query}"), &Token::admin()).header("accept", "text/csv");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "{query}");
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8; header=present");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    records(&answer.text().await.expect("a whole answer"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_list_comes_as_csv() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let payload = "{\"note\":\"a,b\\n\\\"c\\\"\",\"n\":1.50}";
    feeder.append((1..=2500).map(|version| canonical_event("a", version).payload_text(payload))).await;
    for query in ["order=asc", "order=asc&sort=recorded"] {
        let rows = csv(&server, query).await;
        let header = "eventId,eventType,aggregateType,aggregateId,timestamp,version,organizationId,userId,source,action,correlationId,causationId,recordedAt,position,payload,metadata";
        assert_eq!(rows[0].join(","), header);
        assert_eq!(rows.len(), 2501, "{query}");
        let lines = server.lines(&format!("/v1/events?{query}")).await;
        for (row, event) in rows[1..].iter().zip(&lines) {
            let cells = [
                ("eventId", 0),
                ("eventType", 1),
                ("aggregateType", 2),
                ("aggregateId", 3),
                ("timestamp", 4),
                ("recordedAt", 12),
                ("position", 13),
            ];
            for (name, cell) in cells {
                assert_eq!(event[name], row[cell], "{name}");
            }
            assert_eq!(event["version"].to_string(), row[5]);
            assert_eq!(
                (row[6].as_str(), row[7].as_str(), row[8].as_str(), row[9].as_str()),
                ("demo", "user-1", "test", "")
            );
            assert_eq!(row[14], payload);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&row[15]).expect("JSON"), event["metadata"]);
        }
    }
    assert_eq!(csv(&server, "userId=nobody").await.len(), 1, "an empty list has its header");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cell_is_a_formula_unless_exact_texts_are_asked_for() {
    let server = Server::start().await;
    let evil = "=HYPERLINK(\"http://evil\",\"x\")";
    let event = canonical_event(evil, 1).event_type("@cmd").payload(&json!({}));
    server
        .feeder()
        .await
        .append([event.metadata("userId", "+1").metadata("action", "-2").metadata("source", "\t=x")])
        .await;
    let guarded = csv(&server, "").await;
    let cells = |row: &[String]| [1, 3, 7, 8, 9].map(|cell| row[cell].clone());
    assert_eq!(cells(&guarded[1]), ["'@cmd", &format!("'{evil}"), "'+1", "'\t=x", "'-2"]);
    for query in ["raw=true", "raw=true&sort=recorded&order=asc"] {
        assert_eq!(cells(&csv(&server, query).await[1]), ["@cmd", evil, "+1", "\t=x", "-2"]);
    }
    assert_eq!(csv(&server, "raw=false").await, guarded);
    let answer = server.get("/v1/events?raw=true").await;
    assert_eq!(problem(answer, StatusCode::BAD_REQUEST).await, "invalid-request");
}
