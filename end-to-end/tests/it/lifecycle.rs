//! `cargo xtask up`, `status`, `down`: what is promised to who types them (contract.md, Commands).

use std::{process::Output, time::Duration};

use end_to_end::{
    Seed, Stack, Status, account,
    feed::Feed,
    ledger, processes,
    stack::{succeeded, text},
};
use nix::sys::signal::Signal;
use test_support::{canonical_event, wait_until};

/// One story, because each start takes its time: up, a second up, down, up again, a supervisor that is killed, up
/// again, Ctrl-C.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_and_down_keep_what_they_promise() {
    let mut stack = Stack::fresh("e2e-lifecycle").await;
    a_stack_that_is_down_says_so(&stack).await;

    let first = start_detached(&stack, &["up", "--detach", "--fresh"]).await;
    the_json_has_the_contracts_names(&stack).await;
    a_second_up_is_refused(&stack).await;
    let schema = schema_id(&first).await;
    produce(&stack, 1).await;
    wait_stored(&first, 1).await;

    succeeded("xtask down", &stack.down().await);
    stack.gone(Duration::from_secs(5)).await;
    a_stack_that_is_down_says_so(&stack).await;

    let second = start_detached(&stack, &["up", "--detach"]).await;
    assert_eq!(places(&second), places(&first), "ports and passwords are kept");
    assert_eq!(schema_id(&second).await, schema, "schema ids are kept");
    wait_stored(&second, 1).await;
    produce(&stack, 2).await;
    wait_stored(&second, 2).await;

    let supervisor = stack.supervisor();
    assert!(processes::send(supervisor, Signal::SIGKILL), "the supervisor was there");
    // Their parent's death asks them to end; what does not is ended by the next up.
    wait_until("the lock is free", Duration::from_secs(10), || async {
        (stack.status().await.state == "down").then_some(())
    })
    .await;
    let third = stack.up().await;
    assert_eq!(places(&third), places(&first));
    let old: Vec<_> = second.services.iter().filter_map(|service| service.pid).collect();
    let left: Vec<_> = stack.processes().into_iter().filter(|process| old.contains(&process.pid)).collect();
    assert_eq!(left, [], "what the killed supervisor left is ended");
    wait_stored(&third, 2).await;
    produce(&stack, 3).await;
    wait_stored(&third, 3).await;

    let status = stack.interrupt().await;
    assert!(status.success(), "Ctrl-C is a good end: {status}");
    stack.gone(Duration::from_secs(5)).await;
}

/// A supervisor that is killed takes its processes with it, before anybody starts anything again; and when everything
/// is killed at one moment, as by a power cut, the next `up` goes on where the data ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outlives_a_killed_supervisor_and_nothing_is_lost_when_all_are_killed_at_once() {
    let seed = Seed::chosen("all at once");
    let mut stack = Stack::fresh("e2e-orphans").await;
    let status = stack.up().await;
    let schema = schema_id(&status).await.as_u64().and_then(|id| u32::try_from(id).ok()).expect("an id");
    let feed = Feed::new(seed.source("feed"), "audit.events", 12, schema, 30);
    let producing = ledger::produce(status.kafka(), feed, 300);
    tokio::time::sleep(Duration::from_secs(3)).await;

    assert!(stack.processes().len() >= 6, "supervisor, servers and services: {:#?}", stack.processes());
    assert!(processes::send(stack.supervisor(), Signal::SIGKILL), "the supervisor was there");
    stack.gone(Duration::from_secs(30)).await;

    stack.up().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    for process in stack.processes() {
        processes::send(process.pid, Signal::SIGKILL);
    }
    stack.gone(Duration::from_secs(5)).await;

    let status = stack.up().await;
    let ledger = producing.finish().await;
    assert_eq!(ledger.unknown(), 0, "what was being sent is sent when Kafka is back");
    let (stored, _) = account::check(&(&status).into(), "audit.events", &ledger).await;
    assert!(stored.len() > 500, "hardly any load: {}", stored.len());
    succeeded("trailctl verify", &stack.trailctl(&["verify"]).await);
}

async fn start_detached(stack: &Stack, arguments: &[&str]) -> Status {
    let started = std::time::Instant::now();
    let output = stack.xtask(arguments).await;
    let shown = succeeded("xtask up --detach", &output);
    eprintln!("xtask {arguments:?} took {:.1} s", started.elapsed().as_secs_f64());
    let status = stack.status().await;
    assert!(status.is_in_order(), "up has returned, so everything runs: {status:?}");
    for word in [status.api(), &status.tokens().global_admin, "cargo xtask down", "curl"] {
        assert!(shown.contains(word), "up shows {word}:\n{shown}");
    }
    status
}

async fn a_stack_that_is_down_says_so(stack: &Stack) {
    let output = stack.xtask(&["status"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("cargo xtask up"), "{output:?}");
    let status = stack.status().await;
    assert_eq!((status.state.as_str(), status.services.len()), ("down", 0));
    let output = stack.down().await;
    succeeded("xtask down", &output);
    assert!(text(&output.stderr).contains("nothing was running"), "{output:?}");
}

async fn a_second_up_is_refused(stack: &Stack) {
    for arguments in [&["up"][..], &["up", "--detach"], &["up", "--fresh"]] {
        let refused: Output = stack.xtask(arguments).await;
        let said = text(&refused.stderr);
        assert!(!refused.status.success(), "{arguments:?}");
        assert!(said.contains("running already") && said.contains("cargo xtask down"), "{said}");
    }
    assert!(stack.status().await.is_in_order(), "the first one is not disturbed");
}

async fn the_json_has_the_contracts_names(stack: &Stack) {
    let output = stack.xtask(&["status", "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&succeeded("xtask status", &output)).expect("JSON");
    for (name, start) in [
        ("api", "http://"),
        ("schemaRegistry", "http://"),
        ("postgres", "postgres://"),
        ("kafka", "127.0.0.1:"),
        ("rabbitmq", "amqp://"),
    ] {
        assert!(json[name].as_str().is_some_and(|value| value.starts_with(start)), "{name}: {json}");
    }
    assert!(json.get("redis").is_some_and(serde_json::Value::is_null), "{json}");
    for name in ["globalAdmin", "orgAdmin", "user", "producer"] {
        let token = json["tokens"][name].as_str().expect("a token");
        assert_eq!(token.split('.').count(), 3, "{name} is a JWT");
    }
    let services = json["services"].as_array().expect("services");
    let names: Vec<_> = services.iter().map(|service| service["name"].as_str().unwrap_or_default()).collect();
    for name in [
        "postgres",
        "kafka",
        "schema-registry",
        "rabbitmq",
        "audit-ingestor",
        "audit-api",
        "audit-projector",
        "audit-rabbitmq-bridge",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    for service in services {
        assert!(service["pid"].is_i64() && service["state"] == "running", "{service}");
    }
}

fn places(status: &Status) -> [&str; 4] {
    [status.api(), status.kafka(), status.postgres(), status.registry()]
}

async fn schema_id(status: &Status) -> serde_json::Value {
    let url = format!("{}/subjects/audit.events-value/versions/latest", status.registry());
    let answer: serde_json::Value =
        reqwest::get(url).await.expect("the registry answers").json().await.expect("JSON");
    answer["id"].clone()
}

/// Produces the event of this version.
async fn produce(stack: &Stack, version: i64) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("event.jsonl");
    std::fs::write(&file, crate::tour::json_line(canonical_event("order-1", version).build()) + "\n")
        .expect("a file");
    succeeded("trailctl produce", &stack.trailctl(&["produce".as_ref(), file.as_os_str()]).await);
}

async fn wait_stored(status: &Status, events: i64) {
    let client = account::connect(status.postgres()).await;
    wait_until(&format!("{events} events are stored"), Duration::from_mins(1), || async {
        let produced = "select count(*) from audit.events where aggregate_type <> 'AuditAccess'";
        let count: i64 = client.query_one(produced, &[]).await.expect("a count").get(0);
        assert!(count <= events, "{count} events are stored, {events} were sent");
        (count == events).then_some(())
    })
    .await;
}
