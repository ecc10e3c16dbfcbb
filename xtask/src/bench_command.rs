//! `cargo xtask bench`: the servers to measure, the programs as they are shipped, and `audit-bench` with the arguments that were given.

use std::ffi::OsString;
use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::console::Console;
use crate::dist::Java;
use crate::process::command_as;
use crate::programs::{self, Profile};
use crate::stack::{Kind, Stack};
use crate::supervisor::Supervisor;
use crate::{lock, servers, servers_command};

/// What is measured and what measures: packages, built as they are shipped.
const PROGRAMS: [&str; 4] = ["ingestor", "audit-api", "trailctl", "bench"];

/// The command's options.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    other: Option<Other>,
    /// Passed on: ingest, query, replay, latency, peer, scale or all, then --json, --events N, --ids v7|v4, --rounds N
    /// (`cargo xtask bench -- --help` says more).
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

#[derive(clap::Subcommand)]
enum Other {
    /// Starts only the servers, which the next measurements then use.
    Servers(servers_command::Options),
}

/// Runs the command.
pub(crate) fn run(options: &Options, console: Console) -> Result<ExitCode> {
    if let Some(Other::Servers(servers)) = &options.other {
        return servers_command::run(servers, Kind::Bench, console);
    }
    let mut stack = Stack::locate(Kind::Bench);
    if let Some(pid) = lock::holder(&stack.lock())? {
        console.step(&format!("using the servers to measure that run already (supervisor's pid {pid})"));
        let environment = servers::read_environment(&stack)?;
        let mut supervisor = Supervisor::without_processes(&stack, console)?;
        build(&stack, &mut supervisor, console)?;
        return measure(options, &stack, &environment, &mut supervisor);
    }
    let java = servers::prepare(&mut stack, &console)?;
    let _lock = servers_command::take(&stack)?;
    let mut supervisor = Supervisor::new(&stack, console)?;
    // Before the servers, which a build would only disturb.
    build(&stack, &mut supervisor, console)?;
    let outcome = servers_command::start(&stack, &java, &mut supervisor, console).and_then(|environment| {
        supervisor.declare_ready()?;
        measure(options, &stack, &environment, &mut supervisor)
    });
    supervisor.stop_all()?;
    outcome
}

/// Where the benchmark keeps what it makes and finds what was downloaded.
pub(crate) fn folders(stack: &Stack, java: &Java) -> Result<Vec<(String, String)>> {
    let work = stack.dir.join("work");
    fs::create_dir_all(&work).with_context(|| format!("making {}", work.display()))?;
    let folders =
        [("AUDIT_BENCH_DIR", &work), ("AUDIT_BENCH_DIST", &stack.dist), ("AUDIT_BENCH_JAVA", &java.program)];
    Ok(folders.into_iter().map(|(name, path)| (name.to_owned(), path.display().to_string())).collect())
}

fn build(stack: &Stack, supervisor: &mut Supervisor, console: Console) -> Result<()> {
    console.step("building the programs as they are shipped");
    programs::build(&stack.project, Profile::Dist, &PROGRAMS, supervisor)
}

fn measure(
    options: &Options,
    stack: &Stack,
    environment: &[(String, String)],
    supervisor: &mut Supervisor,
) -> Result<ExitCode> {
    let programs = programs::folder(Profile::Dist)?;
    let mut command = command_as(None, Some(Signal::SIGTERM), &programs.join("audit-bench"));
    command
        .args(&options.arguments)
        .current_dir(&stack.project)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env("AUDIT_TEST_BIN", &programs);
    let status = supervisor.run("audit-bench", &mut command)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
