//! The life of a daemon as a process: start, health, metrics, the two steps of stopping, exit codes, last traces.

#![expect(clippy::unwrap_used, reason = "tests: the helpers too")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn binary() -> PathBuf {
    // target/debug/deps/<this test>; cargo builds examples before it runs tests.
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples/idle_daemon")
}

struct Idle {
    child: Option<Child>,
    address: SocketAddr,
}

impl Idle {
    fn start(variables: &[(&str, &str)]) -> Self {
        let address = free_address();
        let child = Command::new(binary())
            .current_dir(std::env::temp_dir())
            .env("AUDIT_TELEMETRY__LISTEN", address.to_string())
            .env("AUDIT_DATABASE__INGESTOR_URL", "postgres://nobody@127.0.0.1:1/none")
            .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
            .env_remove("AUDIT_CONFIG")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child: Some(child), address }
    }

    /// Status and body, or `None` while nothing listens.
    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }

    fn wait_for(&self, path: &str, status: u16) -> String {
        let started = Instant::now();
        loop {
            match self.get(path) {
                Some((found, body)) if found == status => return body,
                other => {
                    assert!(started.elapsed() < Duration::from_secs(20), "{path}: {other:?}, not {status}");
                }
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([format!("-{name}"), pid]).status().unwrap().success());
    }

    fn output(mut self) -> Output {
        self.child.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_daemon_is_live_then_ready_measured_and_stops_with_success() {
    let idle = Idle::start(&[]);
    let body = idle.wait_for("/health/ready", 503);
    let readiness: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(readiness["status"], "not-ready");
    assert_eq!(readiness["unmet"]["database"], "starting");
    assert_eq!(idle.get("/health/live").unwrap().0, 200);
    idle.wait_for("/health/ready", 200);
    let metrics = idle.wait_for("/metrics", 200);
    for name in [
        "idle_ready_total 1",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "process_open_fds ",
        "process_start_time_seconds ",
    ] {
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{name} is not in\n{metrics}");
    }
    idle.signal("TERM");
    let output = idle.output();
    assert!(output.status.success(), "{output:?}");
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).expect("every line is JSON");
        assert!(
            line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn a_daemon_that_drains_is_not_ready_and_is_given_its_time() {
    let idle = Idle::start(&[("IDLE_DRAIN_MS", "1500")]);
    idle.wait_for("/health/ready", 200);
    let asked = Instant::now();
    idle.signal("INT");
    let body = idle.wait_for("/health/ready", 503);
    assert!(body.contains("stopping"), "{body}");
    assert!(idle.output().status.success());
    assert!(asked.elapsed() >= Duration::from_millis(1400), "{:?}", asked.elapsed());
}

#[test]
fn a_second_signal_ends_the_drain_at_once() {
    let idle = Idle::start(&[("IDLE_DRAIN_MS", "60000")]);
    idle.wait_for("/health/ready", 200);
    idle.signal("TERM");
    idle.wait_for("/health/ready", 503);
    let asked = Instant::now();
    idle.signal("TERM");
    assert_eq!(idle.output().status.code(), Some(1));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

#[test]
fn a_drain_ends_with_its_deadline() {
    let idle = Idle::start(&[("IDLE_DRAIN_MS", "60000"), ("AUDIT_INGESTOR__SHUTDOWN_DEADLINE", "500ms")]);
    idle.wait_for("/health/ready", 200);
    let asked = Instant::now();
    idle.signal("TERM");
    assert_eq!(idle.output().status.code(), Some(1));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

#[test]
fn a_bad_configuration_ends_with_2_and_names_the_key() {
    for (variable, value, key) in [
        ("AUDIT_INGESTOR__WRITERS", "many", "ingestor.writers"),
        ("AUDIT_DEAD_LETTERS__TOPIC", "audit.events.dlq", "ingestor.topic_patterns[0]"),
        ("AUDIT_TELEMETRY__LISTEN", "192.0.2.1:9", "telemetry.listen"),
    ] {
        let output = Idle::start(&[(variable, value)]).output();
        assert_eq!(output.status.code(), Some(2), "{variable}: {output:?}");
        let said = [output.stdout, output.stderr].concat();
        assert!(String::from_utf8(said).unwrap().contains(key), "{key}");
    }
}

#[test]
fn a_failed_daemon_ends_with_1_and_its_last_traces_still_go_out() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let received = thread::spawn(move || {
        let (mut stream, _) = collector.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut request = Vec::new();
        let mut chunk = [0; 4096];
        // The spans' own bytes tell that the body is here.
        while !request.windows(8).any(|part| part == b"starting") {
            let read = stream.read(&mut chunk).unwrap();
            assert!(read > 0, "the request ended early: {:?}", String::from_utf8_lossy(&request));
            request.extend_from_slice(&chunk[..read]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        request
    });
    let output = Idle::start(&[("IDLE_FAILS", "1"), ("AUDIT_TELEMETRY__OTLP_ENDPOINT", &endpoint)]).output();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let log = String::from_utf8(output.stdout).unwrap();
    assert!(log.contains("failed on purpose"), "{log}");
    let in_span = log.lines().find(|line| line.contains("in a span")).expect("the line in the span");
    let line: Value = serde_json::from_str(in_span).unwrap();
    assert_eq!(line["trace_id"].as_str().unwrap().len(), 32, "{line}");
    let request = received.join().unwrap();
    assert!(request.starts_with(b"POST /v1/traces "), "{:?}", String::from_utf8_lossy(&request));
    assert!(request.windows(10).any(|part| part == b"audit-idle"), "service.name is the daemon's");
}
