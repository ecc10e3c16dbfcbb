//! The surface: help, usage errors, what needs no server.

use clap::CommandFactory as _;
use serde_json::Value;

use crate::running::Trailctl;

const CONFIG: &str =
    "[auth]\nsecret = \"0123456789abcdef0123456789abcdef\"\nissuer = \"i\"\naudience = \"a\"\n";

/// Every command's long help, in one text.
fn help() -> String {
    let mut text = String::new();
    let mut command = trailctl::cli::Cli::command().term_width(110);
    command.build();
    gather(&mut command, &mut text);
    text
}

fn gather(command: &mut clap::Command, text: &mut String) {
    text.push_str("===== ");
    text.push_str(command.get_bin_name().unwrap_or("trailctl"));
    text.push('\n');
    let rendered = command.render_long_help().to_string();
    for line in rendered.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
        gather(sub, text);
    }
}

#[test]
fn the_help_is_the_golden_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/help.txt");
    // A variable set for this run must not show up in the text.
    let help = help();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &help).expect("written");
    }
    let golden = std::fs::read_to_string(path).expect("the golden file");
    assert!(golden == help, "the help changed: look at it, then run again with UPDATE_GOLDEN=1");
}

#[test]
fn every_command_has_examples() {
    fn check(command: &clap::Command, missing: &mut Vec<String>) {
        let leaf = command.get_subcommands().next().is_none();
        let examples = command.get_after_help().is_some_and(|text| text.to_string().contains("Examples:"));
        if leaf && !examples {
            missing.push(command.get_name().to_owned());
        }
        command.get_subcommands().for_each(|sub| check(sub, missing));
    }
    let mut missing = Vec::new();
    check(&trailctl::cli::Cli::command(), &mut missing);
    assert!(missing.is_empty(), "without examples: {missing:?}");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let trailctl = Trailctl::with_text(CONFIG);
    trailctl.run(&["nonsense"]).ends_with(2);
    trailctl.run(&["token", "--role", "root"]).ends_with(2);
    trailctl.run(&["record", "audit.events", "x", "1"]).ends_with(2);
    trailctl.run(&["produce", "no-such-file.jsonl"]).ends_with(2);
    let no_token = trailctl.run(&["events"]).ends_with(2);
    assert!(no_token.stderr.contains("AUDIT_TOKEN"), "{}", no_token.stderr);
    let no_database = trailctl.run(&["verify"]).ends_with(2);
    assert!(no_database.stderr.contains("database.operator_url"), "{}", no_database.stderr);
}

#[test]
fn a_bad_configuration_is_exit_code_2_and_names_the_key() {
    let ran = Trailctl::with_text("[kafka]\nbootstrap = \"x\"\n").run(&["topics", "apply"]).ends_with(2);
    assert!(ran.stderr.contains("bootstrap"), "{}", ran.stderr);
}

#[test]
fn an_api_that_is_not_there_is_exit_code_3() {
    let trailctl = Trailctl::with_text(CONFIG).variable("AUDIT_TOKEN", "t");
    let ran = trailctl.run(&["events", "--api", "http://127.0.0.1:1"]).ends_with(3);
    assert!(ran.stderr.contains("cannot reach the API at http://127.0.0.1:1"), "{}", ran.stderr);
    trailctl.run(&["tail", "--api", "http://127.0.0.1:1"]).ends_with(3);
}

#[test]
fn the_token_is_all_that_is_printed() {
    let ran = Trailctl::with_text(CONFIG).run(&["token", "--role", "admin"]).ends_with(0);
    let parts: Vec<&str> = ran.stdout.trim_end().split('.').collect();
    assert_eq!((parts.len(), ran.stdout.lines().count(), ran.stderr.as_str()), (3, 1, ""));
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = Trailctl::with_text("").run(&["completions", shell]).ends_with(0);
        assert!(ran.stdout.contains("new-incarnation"), "{shell}");
    }
}

#[test]
fn a_dry_run_checks_without_any_server() {
    let trailctl = Trailctl::with_text("");
    let good = crate::running::lines(&["a".to_owned()], 3);
    let ran = trailctl.run_with_input(&["produce", "--dry-run", "-"], good.as_bytes()).ends_with(0);
    assert!(ran.stderr.starts_with("3 events checked"), "{}", ran.stderr);
    let bad = format!("{good}{}", good.replace("\"version\":2", "\"version\":-2"));
    let ran = trailctl.run_with_input(&["produce", "--dry-run", "-"], bad.as_bytes()).ends_with(1);
    assert!(ran.stderr.contains("<stdin>:5: envelope-invalid at \"/version\""), "{}", ran.stderr);
}

#[test]
fn doctor_reports_what_is_not_there() {
    let text = "[kafka]\nbootstrap_servers = \"127.0.0.1:1\"\n[registry]\nurl = \"http://127.0.0.1:1\"\n\
        [database]\noperator_url = \"postgres://audit_operator:x@127.0.0.1:1/audit\"\n";
    let ran = Trailctl::with_text(text).run(&["doctor", "--output", "json"]).ends_with(1);
    let checks: Vec<Value> = serde_json::from_str(&ran.stdout).expect("one JSON document");
    let level = |name: &str| {
        let check = checks.iter().find(|check| check["check"] == name);
        check.unwrap_or_else(|| panic!("no check {name}: {}", ran.stdout))["level"].clone()
    };
    assert_eq!(level("configuration"), "ok");
    assert_eq!(level("database as audit_operator"), "fail");
    assert_eq!(level("database as audit_api"), "warn");
    assert_eq!(level("kafka"), "fail");
    assert_eq!(level("schema registry"), "fail");
    for unseen in ["server", "upkeep", "positions", "certificates of kafka"] {
        assert_eq!(level(unseen), "skip", "{unseen}");
    }
    assert!(!ran.stdout.contains(":x@"), "a password never shows");
}
