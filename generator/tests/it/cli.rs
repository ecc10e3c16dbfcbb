//! The surface: help, usage errors, and what needs no server.

use std::process::{Command, Output};

use audit_generator::cli::Cli;
use clap::CommandFactory as _;

fn run(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder without a configuration");
    Command::new(env!("CARGO_BIN_EXE_audit-generator"))
        .args(arguments)
        .current_dir(folder.path())
        .env_remove("AUDIT_CONFIG")
        .output()
        .expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn the_help_is_the_golden_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/help.txt");
    let rendered = Cli::command().term_width(110).render_long_help().to_string();
    let lines: Vec<&str> = rendered.lines().map(str::trim_end).collect();
    let help = lines.join("\n") + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &help).expect("written");
    }
    let golden = std::fs::read_to_string(path).expect("the golden file");
    assert!(golden == help, "the help changed: look at it, then run again with UPDATE_GOLDEN=1");
}

#[test]
fn two_processes_with_one_seed_print_the_same_bytes() {
    let arguments =
        ["--seed", "7", "--start", "2026-01-01T00:00:00Z", "--events", "300", "--at-once", "--to", "stdout"];
    let (one, other) = (run(&arguments), run(&arguments));
    assert!(one.status.success(), "{}", text(&one.stderr));
    assert_eq!(text(&one.stdout).lines().count(), 300);
    assert_eq!(one.stdout, other.stdout);
    assert_eq!(text(&one.stderr), "300 events generated\n");
}

#[test]
fn what_does_not_go_together_is_exit_code_2_and_names_the_remedy() {
    let cases: [(&[&str], &str); 6] = [
        (&["--attack", "mass-download", "--events", "10"], "give --events at least that many"),
        (&["--logins", "0", "--accesses", "0", "--orders", "0"], "give at least one of them a weight"),
        (&["--at-once"], "--events"),
        (&["--start", "yesterday"], "RFC 3339"),
        (&["--start", "2999-01-01T00:00:00Z", "--events", "1"], "give an earlier --start"),
        (&["--events", "1"], "kafka.bootstrap_servers"),
    ];
    for (arguments, remedy) in cases {
        let ended = run(arguments);
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
        assert!(text(&ended.stderr).contains(remedy), "{arguments:?}: {}", text(&ended.stderr));
    }
}
