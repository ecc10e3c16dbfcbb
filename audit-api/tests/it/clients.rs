//! Clients that the usual generators make of the committed document, run as docs/clients.md shows them.

use std::path::Path;

use serde_json::json;
use test_support::{
    Token, canonical_event,
    languages::{block, provisioned},
};
use tokio::process::Command;

use crate::server::Server;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

/// What both programs print: times differ in their form alone.
const PRINTED: [&str; 9] = [
    "event OrderCreated o/1",
    "event OrderUpdated o/1",
    "event OrderUpdated o/1",
    "event OrderUpdated other",
    "history 1 user-1 1",
    "history 2 user-1 2",
    "history 4 user-1 4",
    "gaps [[3,3]]",
    "state 2 2 2",
];

/// A server with an order whose id wants escaping, and another event.
async fn filled() -> Server {
    let server = Server::start().await;
    let order = [1, 2, 4].map(|version| canonical_event("o/1", version));
    let others = [
        canonical_event("other", 7),
        canonical_event("o/1", 9).event_type("Payment").aggregate_type("Payment"),
        canonical_event("old", 1).at("2025-12-31T23:59:59Z"),
    ];
    server.feeder().await.append(order.into_iter().chain(others)).await;
    server
}

/// Runs a step that must succeed, and gives what it printed and what it warned of.
async fn run(command: &mut Command) -> (String, String) {
    let output = command.kill_on_drop(true).output().await.expect("it can be started");
    let [printed, warned] = [output.stdout, output.stderr].map(|said| String::from_utf8(said).expect("text"));
    assert!(output.status.success(), "{command:?}\n{printed}\n{warned}");
    (printed, warned)
}

/// Runs the program, and compares what it found.
async fn finds_everything(program: &mut Command, server: &Server, time: &str) {
    program.arg("o/1").env("API", server.url("")).env("TOKEN", Token::admin().sign());
    let (printed, _) = run(program).await;
    let lines: Vec<String> = printed
        .lines()
        .map(|line| match line.split_once(" 2026-01-15T12:00:0") {
            Some((kind, rest)) => {
                let (digits, words) = rest.split_once(' ').expect("more than a time");
                assert!(digits.ends_with(time), "{line}");
                format!("{kind} {words}")
            }
            None => line.replace(", ", ","),
        })
        .collect();
    assert_eq!(lines, PRINTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_python_client_lists_reads_a_history_and_a_state() {
    let Some(python) = provisioned("AUDIT_TEST_PYTHON") else { return };
    let server = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    let package = folder.path().join("audit_trail");
    // The generator tidies what it wrote with ruff, which it looks for on the path.
    let tools = python.parent().expect("a folder of programs").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(tools).chain(std::env::split_paths(&path)));
    let (_, warned) = run(Command::new(&python)
        .args(["-m", "openapi_python_client", "generate", "--meta", "none", "--path", DOCUMENT])
        .arg("--output-path")
        .arg(&package)
        .env("PATH", path.expect("a path")))
    .await;
    // It leaves out one thing, and says so: JSON lines as the body of a request.
    let left_out: Vec<&str> = warned.lines().filter(|line| line.starts_with("WARNING")).collect();
    assert_eq!(left_out, ["WARNING parsing POST /v1/events within events."], "{warned}");
    let program = block("docs/clients.md", "python");
    let mut command = Command::new(&python);
    finds_everything(command.args(["-c", &program]).current_dir(folder.path()), &server, "+00:00").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_typescript_client_is_typed_and_lists_reads_a_history_and_a_state() {
    let Some(modules) = provisioned("AUDIT_TEST_NODE_MODULES") else { return };
    let server = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    let here = |name: &str| folder.path().join(name);
    std::os::unix::fs::symlink(&modules, here("node_modules")).expect("linked");
    std::fs::write(here("main.ts"), block("docs/clients.md", "ts")).expect("written");
    std::fs::write(here("package.json"), json!({ "type": "module" }).to_string()).expect("written");
    let node = |script: &str| {
        let mut command = Command::new("node");
        command.arg(modules.join(script)).current_dir(folder.path());
        command
    };
    let generator = node("openapi-typescript/bin/cli.js");
    run({ generator }.args([DOCUMENT, "--output", "audit-trail.d.ts"])).await;
    let compiler = node("typescript/bin/tsc");
    let options = ["--strict", "--target", "es2022", "--module", "nodenext", "--types", "node"];
    run({ compiler }.args(options).args(["--noEmitOnError", "--outDir", "out", "main.ts"])).await;
    // What is not in the document is an error: the types are the document's, not "anything".
    let wrong = block("docs/clients.md", "ts").replace("event.eventType", "event.eventTipe");
    std::fs::write(here("wrong.ts"), wrong).expect("written");
    let mut compiler = node("typescript/bin/tsc");
    let refused = compiler
        .args(options)
        .args(["--skipLibCheck", "--noEmit", "wrong.ts"])
        .output()
        .await
        .expect("it runs");
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(!refused.status.success() && said.contains("eventTipe"), "{said}");
    let mut command = Command::new("node");
    let compiled = Path::new("out").join("main.js");
    finds_everything(command.arg(compiled).current_dir(folder.path()), &server, "Z").await;
}
