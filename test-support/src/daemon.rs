//! The workspace's binaries as processes that a test starts, watches, stops, stalls and kills.

mod settings;

use std::{
    collections::BTreeMap,
    fs::File,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

pub use settings::DaemonConfig;

use crate::{log_end::log_end, wait_until};

/// A daemon of ours as a process of its own; killed with this value.
#[derive(Debug)]
pub struct Daemon {
    binary: &'static str,
    child: Child,
    telemetry: SocketAddr,
    api: Option<SocketAddr>,
    folder: TempDir,
}

const READY: Duration = Duration::from_mins(1);

impl Daemon {
    /// Starts the ingestor; returns at once, see [`Daemon::ready`].
    pub fn ingestor(config: &DaemonConfig) -> Self {
        Self::start("ingestor", config)
    }

    /// Starts the HTTP API.
    pub fn audit_api(config: &DaemonConfig) -> Self {
        Self::start("audit-api", config)
    }

    /// Starts the projector.
    pub fn projector(config: &DaemonConfig) -> Self {
        Self::start("projector", config)
    }

    /// Starts the RabbitMQ bridge.
    pub fn rabbitmq_bridge(config: &DaemonConfig) -> Self {
        Self::start("rabbitmq-bridge", config)
    }

    fn start(binary: &'static str, config: &DaemonConfig) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the configuration and the log");
        let (telemetry, listen) = (free_address(), free_address());
        let file = folder.path().join("audit.toml");
        std::fs::write(&file, config.toml(telemetry, listen)).expect("the configuration is written");
        let log = File::create(folder.path().join("log")).expect("the log is made");
        let errors = log.try_clone().expect("one log for both");
        let child = Command::new(binary_path(binary))
            .arg("--config")
            .arg(&file)
            .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
            .envs(config.variables())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{binary} cannot be started: {error}"));
        Self { binary, child, telemetry, api: (binary == "audit-api").then_some(listen), folder }
    }

    /// Waits until `/health/ready` answers 200; panics with the end of the log when it does not.
    pub async fn ready(mut self) -> Self {
        let url = self.telemetry_url("/health/ready");
        let started = std::time::Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the process can be asked") {
                panic!("{} ended with {status} before it was ready:\n{}", self.binary, self.log_end());
            }
            let answer = reqwest::get(&url).await;
            if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
                return self;
            }
            if started.elapsed() > READY {
                let unmet = match answer {
                    Ok(answer) => answer.text().await.unwrap_or_default(),
                    Err(error) => error.to_string(),
                };
                panic!("{} was not ready within {READY:?}: {unmet}\n{}", self.binary, self.log_end());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// An address under the API, such as `/v1/events`.
    pub fn url(&self, path: &str) -> String {
        let api = self.api.expect("only audit-api has an API");
        format!("http://{api}{path}")
    }

    /// The API's address, for tests that speak TCP themselves.
    pub fn api_address(&self) -> SocketAddr {
        self.api.expect("only audit-api has an API")
    }

    /// An address under the health listener, such as `/metrics`.
    pub fn telemetry_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.telemetry)
    }

    /// What is unmet at `/health/ready`, by condition; empty when it is ready.
    pub async fn unmet(&self) -> BTreeMap<String, String> {
        let answer = reqwest::get(self.telemetry_url("/health/ready")).await.expect("the daemon answers");
        let text = answer.text().await.expect("an answer");
        let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        serde_json::from_value(answer["unmet"].clone()).expect("conditions and reasons")
    }

    /// Waits until this condition is unmet for a reason that has this in it, and gives the reason.
    pub async fn says(&self, condition: &str, part: &str) -> String {
        wait_until(&format!("{} says {condition}: {part}", self.binary), READY, || async {
            self.unmet().await.remove(condition).filter(|reason| reason.contains(part))
        })
        .await
    }

    /// The sum of a metric over its labels; 0 when it is not there yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let answer = reqwest::get(self.telemetry_url("/metrics")).await.expect("the daemon answers");
        let text = answer.text().await.expect("the metrics are text");
        sum_of(&text, name)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(path).expect("the process runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("a running process has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB") * 1024
    }

    /// kill -9, and waits for the end.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().expect("a killed process ends");
    }

    /// SIGSTOP: it stands still with everything it holds.
    pub fn stall(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        let name = self.binary;
        let child = &mut self.child;
        let mut ended = || child.try_wait().expect("the process can be asked");
        wait_until(&format!("{name} has stopped"), Duration::from_mins(1), || std::future::ready(ended()))
            .await
    }

    /// Whether the process has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the process can be asked")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn log_end(&self) -> String {
        log_end(self.folder.path())
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("a process id"));
        // It may have ended by itself: then there is nothing to do.
        let _ = kill(pid, signal);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A child that was waited for is not signalled again: Child knows.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the end of the log of {}:\n{}", self.binary, self.log_end());
        }
    }
}

/// Runs `trailctl` with this configuration and waits for its end.
pub async fn trailctl(config: &DaemonConfig, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder for the configuration");
    let file = folder.path().join("audit.toml");
    std::fs::write(&file, config.toml(free_address(), free_address())).expect("the configuration is written");
    let mut command = tokio::process::Command::new(binary_path("trailctl"));
    command.env("AUDIT_CONFIG", &file).envs(config.variables()).args(arguments).stdin(Stdio::null());
    command.kill_on_drop(true).output().await.expect("trailctl can be started")
}

/// An address on loopback that was free a moment ago.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound listener has an address")
}

/// A binary of this workspace: in the folder `AUDIT_TEST_BIN` when it is set, else in the one that this test was built
/// into.
pub fn binary_path(name: &str) -> PathBuf {
    let folder = std::env::var_os("AUDIT_TEST_BIN").map_or_else(own_folder, PathBuf::from);
    let binary = folder.join(name);
    assert!(
        binary.is_file(),
        "{} is not built: run `cargo build --workspace` first (`cargo xtask test` does)",
        binary.display()
    );
    binary
}

fn own_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    // target/debug/deps/<test>: the binaries are one above.
    test.ancestors().nth(2).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

fn sum_of(exposition: &str, name: &str) -> f64 {
    let values = exposition.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        if !rest.starts_with(['{', ' ']) {
            return None;
        }
        rest.rsplit(' ').next()?.parse::<f64>().ok()
    });
    values.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels_and_not_over_its_namesakes() {
        let text = "# TYPE a_total counter\na_total{x=\"1\"} 2\na_total{x=\"2\"} 3\na_total_more 7\nb 1\n";
        assert!((sum_of(text, "a_total") - 5.0).abs() < f64::EPSILON);
        assert!((sum_of(text, "b") - 1.0).abs() < f64::EPSILON);
        assert!(sum_of(text, "c").abs() < f64::EPSILON);
    }
}
