//! `cargo xtask servers`, `cargo xtask bench servers`: servers alone, for a person or a tool that runs tests or
//! measurements by hand.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::console::Console;
use crate::lock::{self, Attempt, Lock};
use crate::servers::{self, PORTS, SECRETS};
use crate::stack::{Kind, Stack};
use crate::supervisor::Supervisor;
use crate::{bench_command, detach, dist, languages, prometheus, status};

/// The command's options.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Return once everything is ready; the servers go on in the background.
    #[arg(long)]
    detach: bool,
    /// Be the supervisor in the background.
    #[arg(long, hide = true)]
    in_background: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Stops the servers; their data stays.
    Down,
}

/// Which servers, as their messages name them, and the command that is about them.
fn words(kind: Kind) -> (&'static str, &'static [&'static str]) {
    match kind {
        Kind::Up => ("servers", &["up"]),
        Kind::Test => ("test servers", &["servers"]),
        Kind::Bench => ("servers to measure", &["bench", "servers"]),
    }
}

/// Runs the command for the servers of this kind.
pub(crate) fn run(options: &Options, kind: Kind, console: Console) -> Result<ExitCode> {
    let stack = Stack::locate(kind);
    let (servers, command) = words(kind);
    if matches!(options.action, Some(Action::Down)) {
        console.step(&if detach::stop(&stack, &console)? {
            format!("the {servers} are stopped")
        } else {
            format!("no {servers} were running")
        });
        return Ok(ExitCode::SUCCESS);
    }
    if options.in_background {
        detach::leave_terminal()?;
        return foreground(kind, console);
    }
    if options.detach {
        if let Some(pid) = lock::holder(&stack.lock())? {
            console.step(&format!("the {servers} are running already (supervisor's pid {pid})"));
        } else {
            // Here, not in the background: sudo may have to ask for a password.
            let mut stack = stack;
            servers::prepare(&mut stack, &console)?;
            detach::start(&stack, command)?;
        }
        print_environment(&servers::read_environment(&Stack::locate(kind))?);
        return Ok(ExitCode::SUCCESS);
    }
    foreground(kind, console)
}

fn foreground(kind: Kind, console: Console) -> Result<ExitCode> {
    let mut stack = Stack::locate(kind);
    let java = servers::prepare(&mut stack, &console)?;
    let _lock = take(&stack)?;
    let mut supervisor = Supervisor::new(&stack, console)?;
    let outcome = start(&stack, &java, &mut supervisor, console).and_then(|environment| {
        print_environment(&environment);
        supervisor.declare_ready()?;
        supervisor.run_until_asked_to_stop()
    });
    supervisor.stop_all()?;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Starts the servers and gives back the variables that lead to them.
pub(crate) fn start(
    stack: &Stack,
    java: &dist::Java,
    supervisor: &mut Supervisor,
    console: Console,
) -> Result<Vec<(String, String)>> {
    let kept = servers::keep(stack, &PORTS, &SECRETS, &console)?;
    let servers = servers::start(stack, &kept, java, supervisor, &console)?;
    let mut environment = servers::environment(&servers);
    match stack.kind {
        Kind::Bench => environment.extend(bench_command::folders(stack, java)?),
        Kind::Test => {
            environment.extend(languages::provision(&stack.dist, &console)?);
            environment.extend(prometheus::provision(&stack.dist, &console));
        }
        Kind::Up => {}
    }
    servers::write_environment(stack, &environment)?;
    Ok(environment)
}

/// Does this with the test servers: those that run already, else ones that are started for it and stopped after it.
pub(crate) fn with_test_servers<T>(
    console: Console,
    work: impl FnOnce(&Stack, &[(String, String)], &mut Supervisor) -> Result<T>,
) -> Result<T> {
    let mut stack = Stack::locate(Kind::Test);
    if let Some(pid) = lock::holder(&stack.lock())? {
        console.step(&format!("using the test servers that run already (supervisor's pid {pid})"));
        let environment = servers::read_environment(&stack)?;
        return work(&stack, &environment, &mut Supervisor::without_processes(&stack, console)?);
    }
    let java = servers::prepare(&mut stack, &console)?;
    let _lock = take(&stack)?;
    let mut supervisor = Supervisor::new(&stack, console)?;
    // What earlier runs left behind slows the servers down and proves nothing.
    stack.wipe()?;
    let outcome = start(&stack, &java, &mut supervisor, console).and_then(|environment| {
        supervisor.declare_ready()?;
        work(&stack, &environment, &mut supervisor)
    });
    supervisor.stop_all()?;
    outcome
}

/// Takes the stack, or says who has it.
pub(crate) fn take(stack: &Stack) -> Result<Lock> {
    match lock::try_take(&stack.lock())? {
        Attempt::Taken(lock) => Ok(lock),
        Attempt::HeldBy(pid) => {
            let (servers, command) = words(stack.kind);
            bail!(
                "the {servers} are running already (supervisor's pid {pid}): cargo xtask {} down stops them",
                command.join(" ")
            )
        }
    }
}

fn print_environment(environment: &[(String, String)]) {
    let pairs: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    status::print(&format!("export {}\n", pairs.join(" ")));
}
