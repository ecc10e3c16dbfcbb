//! A private stack of a test's own: `cargo xtask up` with other data, other ports and another lock than a person's.

use std::{
    ffi::OsStr,
    fs::File,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use test_support::daemon::binary_path;
use tokio::process::{Child, Command};

use crate::{
    Status,
    processes::{self, Process},
};

/// How long the first start of a stack may take on a busy machine.
const START: Duration = Duration::from_mins(4);
/// How long an orderly stop may take.
const STOP: Duration = Duration::from_mins(2);

/// A stack that this test starts, torments and stops; stopped with this value, and its data removed unless the test
/// has failed.
pub struct Stack {
    name: &'static str,
    dir: PathBuf,
    xtask: PathBuf,
    foreground: Option<Child>,
}

impl Stack {
    /// The stack of this name, from nothing: what an earlier run left is stopped and removed. Starts nothing.
    pub async fn fresh(name: &'static str) -> Self {
        let project =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
        let stacks = project.join(".stack");
        let stacks = stacks.canonicalize().unwrap_or(stacks);
        let xtask = binary_path("xtask");
        let stack = Self { name, dir: stacks.join(name), xtask, foreground: None };
        stack.down().await;
        remove(&stack.dir);
        stack
    }

    /// `cargo xtask up` in the foreground, until everything is ready. It ends with this test process, whatever ends
    /// that.
    pub async fn up(&mut self) -> Status {
        let log = File::create(self.console()).or_else(|_| {
            std::fs::create_dir_all(&self.dir)?;
            File::create(self.console())
        });
        let log = log.expect("a file for what up says");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig=TERM", "--"]).arg(&self.xtask).arg("up");
        self.for_this_stack(&mut command);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("one log for both")).stderr(log);
        let mut child = command.spawn().expect("xtask can be started");
        let started = Instant::now();
        loop {
            let status = self.status().await;
            if status.is_in_order() {
                self.foreground = Some(child);
                return status;
            }
            let ended = child.try_wait().expect("the child can be asked");
            assert!(
                ended.is_none() && started.elapsed() < START,
                "`xtask up` gave no ready stack ({ended:?}):\n{}",
                std::fs::read_to_string(self.console()).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Ctrl-C on the `up` in the foreground, and what it ends with.
    pub async fn interrupt(&mut self) -> std::process::ExitStatus {
        let mut child = self.foreground.take().expect("up runs in the foreground");
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).expect("it still runs");
        processes::send(pid, Signal::SIGINT);
        tokio::time::timeout(STOP, child.wait())
            .await
            .expect("up ends after Ctrl-C")
            .expect("it can be waited for")
    }

    /// `cargo xtask <arguments>` for this stack, to its end.
    pub async fn xtask(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.xtask);
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        self.for_this_stack(&mut command);
        let run = tokio::time::timeout(START + STOP, command.output());
        run.await
            .unwrap_or_else(|_| panic!("xtask {arguments:?} does not end"))
            .expect("xtask can be started")
    }

    fn for_this_stack(&self, command: &mut Command) {
        let built = self.xtask.parent().expect("a binary lies in a folder").to_path_buf();
        command.env("XTASK_STACK", self.name).env("XTASK_PROGRAMS", built);
    }

    /// `status --json`, whatever its exit code.
    pub async fn status(&self) -> Status {
        let output = self.xtask(&["status", "--json"]).await;
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("status --json is not JSON: {error}\n{}{}", text(&output.stdout), text(&output.stderr))
        })
    }

    /// Waits until every process runs.
    pub async fn in_order(&self, within: Duration) -> Status {
        test_support::wait_until("every process of the stack runs", within, || async {
            Some(self.status().await).filter(Status::is_in_order)
        })
        .await
    }

    /// `cargo xtask down`.
    pub async fn down(&self) -> Output {
        self.xtask(&["down"]).await
    }

    /// The pid of who supervises this stack, as its lock file says.
    pub fn supervisor(&self) -> i32 {
        let text =
            std::fs::read_to_string(self.dir.join("lock")).expect("a stack that was up has a lock file");
        text.trim().parse().expect("the lock file holds a pid")
    }

    /// The processes that were started for this stack and still live.
    pub fn processes(&self) -> Vec<Process> {
        processes::of_stack(self.name, &self.dir)
    }

    /// Waits until no process of this stack is left.
    pub async fn gone(&self, within: Duration) {
        let started = Instant::now();
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(started.elapsed() < within, "left over after {within:?}: {left:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// `trailctl` as a person would use it with this stack.
    pub async fn trailctl<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Output {
        let status = self.status().await;
        let mut command = Command::new(binary_path("trailctl"));
        command
            .args(arguments)
            .env("AUDIT_CONFIG", self.dir.join("audit.toml"))
            .env("AUDIT_API_URL", status.api())
            .env("AUDIT_TOKEN", &status.tokens().global_admin)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command.output().await.expect("trailctl can be started")
    }

    /// The end of a process's log.
    pub fn log_end(&self, name: &str, lines: usize) -> String {
        let log = std::fs::read(self.dir.join("logs").join(format!("{name}.log"))).unwrap_or_default();
        let log = text(&log);
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    fn console(&self) -> PathBuf {
        self.dir.join("console.log")
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut down = std::process::Command::new(&self.xtask);
        down.arg("down").env("XTASK_STACK", self.name).stdin(Stdio::null()).stdout(Stdio::null());
        let stopped = down.stderr(Stdio::null()).status();
        if std::thread::panicking() {
            for name in
                ["audit-ingestor", "audit-api", "audit-projector", "audit-rabbitmq-bridge", "supervisor"]
            {
                eprintln!("--- the end of {name}'s log:\n{}", self.log_end(name, 10));
            }
            eprintln!("--- everything of this stack is kept in {}", self.dir.display());
        } else if stopped.is_ok_and(|status| status.success()) {
            remove(&self.dir);
        }
    }
}

fn remove(dir: &Path) {
    // Gone is gone; what cannot be removed is said by whoever needs it removed.
    let _ = std::fs::remove_dir_all(dir);
}

/// What a program printed.
pub fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// Asserts that a program succeeded, and gives what it printed.
pub fn succeeded(what: &str, output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{what} ended with {}:\n{out}\n{err}", output.status);
    out
}
