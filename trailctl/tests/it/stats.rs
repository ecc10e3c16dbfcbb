//! Counts over time, from Kafka to trailctl.

use serde_json::{Value, json};
use test_support::canonical_event;

use crate::{
    end_to_end::Stack,
    running::{Ran, line},
};

#[tokio::test(flavor = "multi_thread")]
async fn events_are_counted_as_a_table_json_and_csv() {
    let stack = Stack::start().await;
    let login = |user: &str, number: i64, outcome: &str| {
        canonical_event(user, number)
            .event_type("Login")
            .metadata("userId", user)
            .metadata("outcome", outcome)
    };
    let events = [
        login("ann", 1, "success"),
        login("ann", 2, "failure"),
        login("ann", 3, "failure").at("2026-01-17T09:00:00Z"),
        login("=bob", 1, "success"),
    ];
    let text: String = events.into_iter().map(|event| line(&event.build())).collect();
    let file = stack.trailctl.file("logins.jsonl", text.as_bytes());
    stack.produce(&file.display().to_string(), 4).await;
    let _projector = stack.projected().await;
    let run =
        |arguments: &[&str]| -> Ran { stack.trailctl.run(&[&["stats"], arguments].concat()).ends_with(0) };
    let table = |arguments: &[&str]| -> (Vec<Vec<String>>, String) {
        let ran = run(&[arguments, &["--output", "table"]].concat());
        let cells = |line: &str| -> Vec<String> {
            let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
            cells.map(str::to_owned).collect()
        };
        (ran.stdout.lines().map(cells).collect(), ran.stderr)
    };

    let (rows, said) = table(&["--group-by", "user-id", "--top", "1"]);
    let head = ["USER ID", "EVENT COUNT", "FAILURE COUNT", "FAILURE RATE"];
    assert_eq!(rows[0], head);
    assert_eq!(rows[1][..3], ["ann", "3", "2"]);
    assert_eq!(rows[2], ["(rest)", "1", "0", "0.0"]);
    assert!(said.contains("2 groups; those behind the first 1 are (rest)"), "{said}");
    assert!(said.contains(", 0 behind"), "{said}");

    let (rows, _) = table(&["--user-id", "ann", "--interval", "day"]);
    let days = ["2026-01-15T00", "2026-01-16T00", "2026-01-17T00"];
    let counts = [["2", "1"], ["0", "0"], ["1", "1"]];
    for ((row, day), count) in rows[1..].iter().zip(days).zip(counts) {
        assert!(row[0].starts_with(day) && row[1..3] == count, "{row:?}");
    }
    assert_eq!(rows.len(), 4);

    let lines = run(&["--group-by", "outcome", "--group-by", "event-type"]).json_lines();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["outcome"], &lines[0]["eventCount"]), (&json!("failure"), &json!(2)));
    let whole: Value = serde_json::from_str(&run(&["--output", "json"]).stdout).expect("JSON");
    assert_eq!(whole["total"], json!({ "eventCount": 4, "failureCount": 2, "failureRate": 0.5 }));

    let guarded = run(&["--group-by", "user-id", "--output", "csv"]).stdout;
    assert!(guarded.starts_with("part,userId,eventCount") && guarded.contains("\"'=bob\""), "{guarded}");
    let exact = run(&["--group-by", "user-id", "--output", "csv", "--raw"]).stdout;
    assert!(exact.contains("group,=bob,1,0,0\r\n"), "{exact}");

    for (arguments, code) in [
        (&["stats", "--raw"][..], 2),
        (&["stats", "--group-by", "day"], 2),
        (&["stats", "--user-id", "ann", "--interval", "hour"], 2),
        (&["stats", "--from", "2026-01-15T12:30:00Z"], 2),
    ] {
        stack.trailctl.run(arguments).ends_with(code);
    }
}
