//! What an aggregate looked like, who made it so, what caused it, and lists for spreadsheets: from Kafka to trailctl.

use serde_json::{Value, json};
use test_support::{EventBuilder, canonical_event, unique_id};

use crate::{
    end_to_end::Stack,
    running::{Ran, line},
};

/// The events of one order, each caused by the one before, and their ids.
fn order(aggregate: &str) -> (String, Vec<String>) {
    let ids: Vec<String> = (0..3).map(|_| unique_id().to_string()).collect();
    let event = |version: usize, payload: Value| -> EventBuilder {
        let event = canonical_event(aggregate, i64::try_from(version).expect("few")).id(&ids[version - 1]);
        let event = event.payload(&payload).metadata("correlationId", "checkout");
        if version > 1 { event.metadata("causationId", &ids[version - 2]) } else { event }
    };
    let events = [
        event(1, json!({"status": "new"})).payload_text(r#"{"status":"new","total":12.50}"#),
        event(2, json!({"changes": {"status": {"old": "new", "new": "paid"}}})).metadata("userId", "=cmd"),
        event(3, json!({"status": null, "note": "sent"})),
    ];
    (events.into_iter().map(|event| line(&event.build())).collect(), ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn states_differences_blame_and_causes_are_shown() {
    let stack = Stack::start().await;
    let (events, ids) = order("o-1");
    let file = stack.trailctl.file("order.jsonl", events.as_bytes());
    stack.produce(&file.display().to_string(), 3).await;
    let run = |arguments: &[&str]| -> Ran { stack.trailctl.run(arguments).ends_with(0) };

    // In a pipe one thing is JSON, as the API answered it.
    let newest = run(&["state", "Order", "o-1"]).stdout;
    assert!(newest.contains(r#""state":{"note":"sent","total":12.50}"#), "{newest}");
    let second: Value =
        serde_json::from_str(&run(&["state", "Order", "o-1", "--version", "2"]).stdout).expect("JSON");
    assert_eq!(second["state"]["status"], "paid");
    let table = run(&["state", "Order", "o-1", "--at", "2026-01-15T12:00:01Z", "--output", "table"]);
    assert_eq!(table.stdout, "PATH     VALUE\n/status  \"new\"\n/total   12.50\n");
    assert!(table.stderr.contains("version 1, 2026-01-15T12:00:01.000000Z, 1 events"), "{}", table.stderr);
    let blame = run(&["blame", "Order", "o-1", "--version", "2", "--output", "table"]).stdout;
    let words: Vec<Vec<&str>> = blame.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[1], ["/status", "\"paid\"", "2", "2026-01-15T12:00:02.000000Z", "=cmd", &ids[1]]);
    assert_eq!(words[2], ["/total", "12.50", "1", "2026-01-15T12:00:01.000000Z", "user-1", &ids[0]]);

    let plain = run(&["diff", "Order", "o-1", "1", "2026-01-15T12:00:03Z"]).stdout;
    let expected = format!(
        "--- version 1, 2026-01-15T12:00:01.000000Z\n+++ version 3, 2026-01-15T12:00:03.000000Z\n\
         @@ /note @@ {}\n+ \"sent\"\n@@ /status @@ {}\n- \"new\"\n",
        ids[2], ids[2]
    );
    assert_eq!(plain, expected);
    let patch: Value =
        serde_json::from_str(&run(&["diff", "Order", "o-1", "1", "2", "--output", "json"]).stdout)
            .expect("JSON");
    assert_eq!(patch["patch"], json!([{"op": "replace", "path": "/status", "value": "paid"}]));

    let drawn = run(&["causes", &ids[1], "--output", "table"]).stdout;
    let marks: Vec<&str> = drawn.lines().map(|line| line.split("  Order ").next().expect("a type")).collect();
    assert_eq!(marks, ["OrderCreated", "└─ OrderUpdated", "   └─ OrderUpdated"]);
    assert!(drawn.lines().nth(1).is_some_and(|line| line.ends_with("<- asked for")), "{drawn}");
    let correlated: Value =
        serde_json::from_str(&run(&["causes", "--correlation", "checkout"]).stdout).expect("JSON");
    assert_eq!(correlated["events"].as_array().map(Vec::len), Some(3));

    let guarded = run(&["events", "--order", "asc", "--limit", "2", "--output", "csv"]).stdout;
    assert_eq!(guarded.matches("\r\n").count(), 3, "{guarded}");
    assert!(guarded.starts_with("eventId,eventType,") && guarded.contains("\"'=cmd\""), "{guarded}");
    let exact = run(&["events", "--all", "--order", "asc", "--output", "csv", "--raw"]).stdout;
    assert!(exact.contains(",=cmd,") && exact.matches("\r\n").count() == 4, "{exact}");

    for (arguments, code) in [
        (&["state", "Order", "none"][..], 3),
        (&["state", "Order", "o-1", "--version", "0"], 3),
        (&["state", "Order", "o-1", "--version", "1", "--at", "2026-01-15T12:00:01Z"], 2),
        (&["diff", "Order", "o-1", "yesterday"], 2),
        (&["causes"], 2),
        (&["history", "Order", "o-1", "--output", "csv"], 2),
        (&["events", "--raw"], 2),
    ] {
        let ran = stack.trailctl.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
    }
}
