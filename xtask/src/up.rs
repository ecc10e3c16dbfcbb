//! `cargo xtask up` and `down`: the whole product on this machine.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::console::Console;
use crate::lock::{self, Attempt, Lock};
use crate::programs::{self, Profile};
use crate::servers::{self, Servers};
use crate::services::{self, PROGRAMS, Trailctl};
use crate::settings::{self, DATABASE, Settings};
use crate::stack::{Stack, write_private};
use crate::status::{self, Status};
use crate::supervisor::Supervisor;
use crate::{demo, detach, dist};

const SERVICES_READY_WITHIN: Duration = Duration::from_mins(1);

/// The command's options.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Return once everything is ready; the stack goes on in the background.
    #[arg(long)]
    detach: bool,
    /// Start from nothing: forget all data, ports and keys of the stack (not the downloads).
    #[arg(long)]
    fresh: bool,
    /// Also feed a sample shop: two thousand events of half an hour, with attacks among them.
    #[arg(long)]
    demo: bool,
    /// Be the supervisor in the background.
    #[arg(long, hide = true)]
    in_background: bool,
}

/// Runs `up`.
pub(crate) fn run(options: &Options, console: Console) -> Result<ExitCode> {
    let stack = Stack::chosen()?;
    if let Some(pid) = lock::holder(&stack.lock())? {
        bail!("{}", already_running(pid));
    }
    if options.detach {
        let fresh = options.fresh.then_some("--fresh");
        let demo = options.demo.then_some("--demo");
        let arguments: Vec<&str> = ["up"].into_iter().chain(fresh).chain(demo).collect();
        // Here, not in the background: sudo may have to ask for a password.
        let mut stack = stack;
        servers::prepare(&mut stack, &console)?;
        detach::start(&stack, &arguments)?;
        announce(&stack, "cargo xtask down stops it and keeps the data.")?;
        return Ok(ExitCode::SUCCESS);
    }
    if options.in_background {
        detach::leave_terminal()?;
    }
    foreground(options, console)
}

/// Runs `down`.
pub(crate) fn down(console: Console) -> Result<ExitCode> {
    let was_running = detach::stop(&Stack::chosen()?, &console)?;
    console.step(if was_running { "everything is stopped; the data stays" } else { "nothing was running" });
    Ok(ExitCode::SUCCESS)
}

fn already_running(pid: i32) -> String {
    format!(
        "the local stack is running already (supervisor's pid {pid}): cargo xtask status shows it, cargo xtask down stops it"
    )
}

fn foreground(options: &Options, console: Console) -> Result<ExitCode> {
    let mut stack = Stack::chosen()?;
    let java = servers::prepare(&mut stack, &console)?;
    let _lock = take(&stack)?;
    let status_file = stack.dir.join("status.json");
    forget(&status_file)?;
    let mut supervisor = Supervisor::new(&stack, console)?;
    let outcome = live(options, &stack, &java, &mut supervisor, console);
    supervisor.stop_all()?;
    forget(&status_file)?;
    match outcome {
        Ok(()) => {
            console.step("stopped; the data stays");
            Ok(ExitCode::SUCCESS)
        }
        // 130: what shells give for a program ended by Ctrl-C.
        Err(_) if supervisor.is_asked_to_stop() => {
            console.step("stopped before everything was ready");
            Ok(ExitCode::from(130))
        }
        Err(error) => Err(error),
    }
}

/// Where things are is known while they are there; a supervisor that was killed could not take its word back.
fn forget(status_file: &Path) -> Result<()> {
    match fs::remove_file(status_file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", status_file.display()))
        }
        _ => Ok(()),
    }
}

fn take(stack: &Stack) -> Result<Lock> {
    match lock::try_take(&stack.lock())? {
        Attempt::Taken(lock) => Ok(lock),
        Attempt::HeldBy(pid) => bail!("{}", already_running(pid)),
    }
}

fn live(
    options: &Options,
    stack: &Stack,
    java: &dist::Java,
    supervisor: &mut Supervisor,
    console: Console,
) -> Result<()> {
    if options.fresh {
        console.step("forgetting the data, ports and keys of earlier runs");
        stack.wipe()?;
    }
    let built = if let Some(folder) = programs::built_already() {
        folder
    } else {
        let profile = Profile::chosen()?;
        console.step("building the programs (the first time takes minutes)");
        let demo = options.demo.then_some(demo::PROGRAM);
        let programs: Vec<&str> = PROGRAMS.into_iter().chain(demo).collect();
        programs::build(&stack.project, profile, &programs, supervisor)?;
        programs::folder(profile)?
    };
    let mut ports: Vec<_> = servers::PORTS.into_iter().chain(services::PORTS).collect();
    if !stack.is_the_usual_one() {
        // The well-known ports are for the stack that a person uses.
        for port in &mut ports {
            port.preferred = None;
        }
    }
    let secrets: Vec<_> = servers::SECRETS.into_iter().chain(settings::SECRETS).collect();
    let kept = servers::keep(stack, &ports, &secrets, &console)?;
    let servers = servers::start(stack, &kept, java, supervisor, &console)?;
    let settings = Settings::new(&servers, &kept)?;
    write_private(&stack.dir.join("audit.toml"), &settings.toml())?;

    let trailctl = Trailctl { program: &built.join("trailctl"), variables: settings.variables(), stack };
    trailctl.prepare(servers.postgres.url(DATABASE), supervisor, &console)?;

    console.step("starting the ingestor, the API, the projector and the RabbitMQ bridge");
    let bin = stack.dir.join("bin");
    let ingestor = programs::install(&built.join("ingestor"), &bin)?;
    supervisor.start(services::ingestor(stack, ingestor, &settings, &kept.ports)?)?;
    let api = programs::install(&built.join("audit-api"), &bin)?;
    supervisor.start(services::api(stack, api, &settings, &kept.ports)?)?;
    let projector = programs::install(&built.join("projector"), &bin)?;
    supervisor.start(services::projector(stack, projector, &settings, &kept.ports)?)?;
    let bridge = programs::install(&built.join("rabbitmq-bridge"), &bin)?;
    supervisor.start(services::bridge(stack, bridge, &settings, &kept.ports)?)?;
    supervisor.wait_ready(SERVICES_READY_WITHIN)?;
    if options.demo {
        demo::feed(&built.join(demo::PROGRAM), &settings.variables(), stack, supervisor, &console)?;
    }

    let status = Status { tokens: Some(trailctl.tokens(supervisor)?), ..status_of(&servers, &kept.ports) };
    write_private(&stack.dir.join("status.json"), &(serde_json::to_string_pretty(&status)? + "\n"))?;
    supervisor.declare_ready()?;
    if !options.in_background {
        announce(stack, "Ctrl-C stops everything and keeps the data.")?;
    }
    supervisor.run_until_asked_to_stop()
}

fn status_of(servers: &Servers, ports: &crate::ports::Ports) -> Status {
    let url = |name: &str| Some(format!("http://127.0.0.1:{}", ports[name]));
    Status {
        api: url("api"),
        kafka: Some(servers.kafka.clone()),
        schema_registry: Some(servers.registry.clone()),
        postgres: Some(servers.postgres.url(DATABASE)),
        rabbitmq: servers.rabbitmq.clone(),
        ingestor_metrics: url("ingestorMetrics"),
        api_metrics: url("apiMetrics"),
        projector_metrics: url("projectorMetrics"),
        bridge_metrics: url("bridgeMetrics"),
        ..Status::down()
    }
}

/// Where everything is, and a first request to try.
fn announce(stack: &Stack, ending: &str) -> Result<()> {
    let status = status::read(stack)?;
    let tokens = status.tokens.as_ref().context("a ready stack has tokens")?;
    let api = status.api.as_deref().unwrap_or_default();
    let text = format!(
        "\n{}\nTokens (HS256, for local use; the last three belong to organisation demo):\n  \
         globalAdmin  {}\n  orgAdmin     {}\n  user         {}\n  producer     {}\n\n\
         Try:\n  TOKEN=$(cargo xtask status --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"tokens\"][\"globalAdmin\"])')\n  \
         curl -H \"Authorization: Bearer $TOKEN\" '{api}/v1/events?limit=5'\n  \
         {api}/swagger-ui/ in a browser\n\nLogs: {}\n{ending}\n",
        status::describe(&status),
        tokens.global_admin,
        tokens.org_admin,
        tokens.user,
        tokens.producer,
        stack.logs().display(),
    );
    status::print(&text);
    Ok(())
}
