//! Who looked, from a request of trailctl's own to the record of it.

use serde_json::Value;
use test_support::TestTopic;

use crate::end_to_end::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn who_looked_is_listed_with_what_was_asked() {
    let topic = TestTopic::create(1).await;
    let name = topic.name().to_owned();
    let stack = Stack::start_with(|config| config.topics(&[&name]).recording_accesses(&name)).await;
    stack.trailctl.run(&["events", "--user-id", "bob"]).ends_with(0);
    // Nothing is there: that was asked all the same.
    stack.trailctl.run(&["history", "Order", "o-1"]).ends_with(3);
    stack.accounted(2).await;
    let _projector = stack.projected().await;
    let listed = |arguments: &[&str]| {
        stack.trailctl.run(&[&["accesses", "--output", "table"], arguments].concat()).ends_with(0).stdout
    };
    let table = listed(&["--subject", "bob"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(lines[0].starts_with("TIME") && lines[0].contains("WHO") && lines[0].contains("ROWS"), "{table}");
    let cells: Vec<&str> = lines[1].split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells[1..6], ["tester", "listEvents", "answered", "200", "0"], "{table}");
    assert!(listed(&["--aggregate-type", "Order", "--aggregate-id", "o-1"]).contains("aggregateHistory"));
    assert_eq!(listed(&["--subject", "nobody"]).lines().count(), 1);
    let one = stack.trailctl.run(&["accesses", "--subject", "bob", "--limit", "1"]).ends_with(0);
    let one: Value = serde_json::from_str(one.stdout.trim()).expect("one JSON line");
    assert_eq!(one["parameters"][0]["name"], "userId");
    let wrong = stack.trailctl.run(&["accesses", "--aggregate-type", "Order"]).ends_with(2);
    assert!(wrong.stderr.contains("--aggregate-id"), "{}", wrong.stderr);
}
