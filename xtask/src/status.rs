//! `cargo xtask status`: what runs, on which ports (contract.md, Commands).

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::lock;
use crate::stack::Stack;
use crate::state::{Phase, ProcessReport, ProcessState, State};

/// The command's options.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// JWTs for local use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tokens {
    /// Role `audit:admin`: everything.
    pub(crate) global_admin: String,
    /// Role `audit:org-admin` of organisation `demo`.
    pub(crate) org_admin: String,
    /// A user of organisation `demo` without any right here: everything is answered 403.
    pub(crate) user: String,
    /// Role `audit:producer` of organisation `demo`.
    pub(crate) producer: String,
}

/// Where everything is; also kept in the stack's `status.json`, where `trailctl` finds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    /// The API's base URL.
    pub(crate) api: Option<String>,
    /// Kafka's host and port.
    pub(crate) kafka: Option<String>,
    /// The base URL of the registry's Confluent-compatible API.
    pub(crate) schema_registry: Option<String>,
    /// The local superuser's connection URL.
    pub(crate) postgres: Option<String>,
    /// RabbitMQ's connection URL; the virtual host is `/`.
    pub(crate) rabbitmq: Option<String>,
    /// Null until something uses it.
    pub(crate) redis: Option<String>,
    /// The ingestor's metrics and health.
    pub(crate) ingestor_metrics: Option<String>,
    /// The API's metrics and health.
    pub(crate) api_metrics: Option<String>,
    /// The projector's metrics and health.
    pub(crate) projector_metrics: Option<String>,
    /// The RabbitMQ bridge's metrics and health.
    pub(crate) bridge_metrics: Option<String>,
    /// JWTs for local use; null while nothing runs.
    pub(crate) tokens: Option<Tokens>,
    /// Whether the stack is starting, ready or stopping; `down` when nothing runs.
    pub(crate) state: String,
    /// The supervised processes.
    pub(crate) services: Vec<ServiceStatus>,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceStatus {
    /// Its name.
    pub(crate) name: String,
    /// Its pid; null while it waits for its next start.
    pub(crate) pid: Option<i32>,
    /// What it is doing.
    pub(crate) state: ProcessState,
    /// How often it was started again since the stack came up.
    pub(crate) restarts: u32,
    /// How long the present process has run.
    pub(crate) uptime_seconds: Option<u64>,
}

impl Status {
    /// Nothing runs.
    pub(crate) fn down() -> Self {
        Self {
            api: None,
            kafka: None,
            schema_registry: None,
            postgres: None,
            rabbitmq: None,
            redis: None,
            ingestor_metrics: None,
            api_metrics: None,
            projector_metrics: None,
            bridge_metrics: None,
            tokens: None,
            state: "down".to_owned(),
            services: Vec::new(),
        }
    }

    /// This, with the processes as they are in `state`; `ticks_now` is the present in clock ticks since boot.
    fn with(mut self, state: &State, ticks_now: Option<u64>) -> Self {
        let phase = match state.phase {
            Phase::Starting => "starting",
            Phase::Ready => "ready",
            Phase::Stopping => "stopping",
        };
        phase.clone_into(&mut self.state);
        self.services = state.services.iter().map(|service| service_status(service, ticks_now)).collect();
        self
    }
}

fn service_status(report: &ProcessReport, ticks_now: Option<u64>) -> ServiceStatus {
    let ticks = ticks_now.zip(report.started).map(|(now, started)| now.saturating_sub(started));
    ServiceStatus {
        name: report.name.clone(),
        pid: report.pid,
        state: report.state,
        restarts: report.restarts,
        uptime_seconds: ticks.map(|ticks| ticks / TICKS_A_SECOND),
    }
}

/// The unit of `/proc`'s times: fixed at 100 in Linux's interface to programs on every architecture in use here.
const TICKS_A_SECOND: u64 = 100;

/// Now, in clock ticks since boot.
fn ticks_now() -> Option<u64> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, rest) = uptime.split_whitespace().next()?.split_once('.')?;
    Some(seconds.parse::<u64>().ok()? * TICKS_A_SECOND + rest.parse::<u64>().ok()?)
}

/// Runs the command: 0 when everything runs, 1 when nothing does or something is not in order.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let status = read(&Stack::chosen()?)?;
    let text = if options.json { serde_json::to_string_pretty(&status)? + "\n" } else { describe(&status) };
    print(&text);
    let in_order = status.state == "ready"
        && status.services.iter().all(|service| service.state == ProcessState::Running);
    Ok(if in_order { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The status of a stack as it is now.
pub(crate) fn read(stack: &Stack) -> Result<Status> {
    let Some(supervisor) = lock::holder(&stack.lock())? else {
        return Ok(Status::down());
    };
    let starting = Status { state: "starting".to_owned(), ..Status::down() };
    let Some(state) = State::of(supervisor, &stack.state()) else {
        return Ok(starting);
    };
    let path = stack.dir.join("status.json");
    let known = match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?,
        Err(_) => starting,
    };
    Ok(known.with(&state, ticks_now()))
}

#[expect(clippy::print_stdout, reason = "the command's result")]
pub(crate) fn print(text: &str) {
    print!("{text}");
}

/// The status for a person.
pub(crate) fn describe(status: &Status) -> String {
    use std::fmt::Write as _;
    let mut text = format!("The local stack is {}.\n", status.state);
    if status.state == "down" {
        text.push_str("Start it with: cargo xtask up\n");
        return text;
    }
    let places = [
        ("API", &status.api),
        ("Kafka", &status.kafka),
        ("Schema registry", &status.schema_registry),
        ("PostgreSQL (superuser)", &status.postgres),
        ("RabbitMQ", &status.rabbitmq),
        ("Ingestor metrics, health", &status.ingestor_metrics),
        ("API metrics, health", &status.api_metrics),
        ("Projector metrics, health", &status.projector_metrics),
        ("Bridge metrics, health", &status.bridge_metrics),
    ];
    // Writing to a String cannot fail.
    for (name, place) in places {
        if let Some(place) = place {
            let _ = writeln!(text, "  {name:<26} {place}");
        }
    }
    if !status.services.is_empty() {
        let _ = writeln!(
            text,
            "\n  {:<22} {:>8}  {:<11} {:>8}  {:>9}",
            "service", "pid", "state", "restarts", "uptime"
        );
    }
    for service in &status.services {
        let pid = service.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let state = format!("{:?}", service.state).to_lowercase();
        let uptime = service.uptime_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds} s"));
        let _ = writeln!(
            text,
            "  {:<22} {pid:>8}  {state:<11} {:>8}  {uptime:>9}",
            service.name, service.restarts
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens {
            global_admin: "a".to_owned(),
            org_admin: "b".to_owned(),
            user: "c".to_owned(),
            producer: "d".to_owned(),
        }
    }

    #[test]
    fn the_json_has_the_contracts_names() {
        let report = ProcessReport {
            name: "kafka".to_owned(),
            pid: Some(7),
            started: Some(1000),
            state: ProcessState::Running,
            restarts: 2,
        };
        let state = State { supervisor: 1, phase: Phase::Ready, services: vec![report] };
        let known = Status {
            api: Some("http://127.0.0.1:8080".to_owned()),
            kafka: Some("127.0.0.1:9092".to_owned()),
            schema_registry: Some("http://127.0.0.1:8081/apis/ccompat/v7".to_owned()),
            postgres: Some("postgres://postgres:p@127.0.0.1:5432/audit".to_owned()),
            rabbitmq: Some("amqp://audit:p@127.0.0.1:5672/%2f".to_owned()),
            tokens: Some(tokens()),
            ..Status::down()
        };
        let json = serde_json::to_value(known.with(&state, Some(3500))).unwrap();
        assert_eq!(json["schemaRegistry"], "http://127.0.0.1:8081/apis/ccompat/v7");
        assert_eq!(
            json["tokens"],
            serde_json::json!({"globalAdmin": "a", "orgAdmin": "b", "user": "c", "producer": "d"})
        );
        assert_eq!(json["rabbitmq"], "amqp://audit:p@127.0.0.1:5672/%2f");
        assert!(json["redis"].is_null() && json.get("redis").is_some());
        assert_eq!(json["state"], "ready");
        assert_eq!(
            json["services"],
            serde_json::json!([{"name": "kafka", "pid": 7, "state": "running", "restarts": 2, "uptimeSeconds": 25}])
        );
    }

    #[test]
    fn a_stack_that_is_down_says_how_to_start_it() {
        assert!(describe(&Status::down()).contains("cargo xtask up"));
        let json = serde_json::to_value(Status::down()).unwrap();
        assert_eq!(json["services"], serde_json::json!([]));
        assert!(json["api"].is_null() && json["tokens"].is_null());
    }

    #[test]
    fn the_clock_since_boot_runs() {
        assert!(ticks_now().unwrap() > crate::process::started_at(1).unwrap());
    }
}
