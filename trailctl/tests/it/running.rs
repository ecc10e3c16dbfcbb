//! Runs trailctl with a configuration of its own.

use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use shared::envelope::Envelope;
use tempfile::TempDir;
use test_support::DaemonConfig;

/// trailctl, in a folder of its own with an `audit.toml`.
pub(crate) struct Trailctl {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// How one run ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Panics with everything said unless the exit code is this one.
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "standard output:\n{}\nstandard error:\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as one JSON value a line.
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it was not killed"),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

impl Trailctl {
    /// With this configuration.
    pub(crate) fn new(config: &DaemonConfig) -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        Self::with_text(&config.toml(nowhere, nowhere))
    }

    /// With this text as `audit.toml`.
    pub(crate) fn with_text(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("audit.toml"), text).expect("written");
        Self { folder, variables: Vec::new() }
    }

    /// With a variable of the process.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The command, not yet run: piped, and without what this process's own environment would add.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trailctl"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["AUDIT_TOKEN", "AUDIT_API_URL", "AUDIT_CONFIG"] {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().expect("trailctl runs").into()
    }

    /// Runs it with this standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("trailctl runs");
        let mut stdin = child.stdin.take().expect("piped");
        // A run that ends early closes its end: then the rest is not wanted.
        let _ = stdin.write_all(input);
        drop(stdin);
        child.wait_with_output().expect("it ends").into()
    }

    /// Writes a file into its folder.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    }
}

/// An envelope as a line of JSON Lines, newline included.
pub(crate) fn line(envelope: &Envelope) -> String {
    let payload: Box<serde_json::value::RawValue> =
        serde_json::value::RawValue::from_string(envelope.payload.clone()).expect("JSON");
    let event = serde_json::json!({
        "eventId": envelope.event_id,
        "eventType": envelope.event_type,
        "aggregateId": envelope.aggregate_id,
        "aggregateType": envelope.aggregate_type,
        "timestamp": envelope.timestamp.to_string(),
        "version": envelope.version,
        "metadata": envelope.metadata,
    });
    let head = event.to_string();
    format!("{},\"payload\":{payload}}}\n", head.strip_suffix('}').expect("an object"))
}

/// Events of several aggregates, interleaved, as JSON Lines.
pub(crate) fn lines(aggregates: &[String], versions: i64) -> String {
    let mut text = String::new();
    for version in 1..=versions {
        for aggregate in aggregates {
            text.push_str(&line(&test_support::canonical_event(aggregate, version).build()));
        }
    }
    text
}
