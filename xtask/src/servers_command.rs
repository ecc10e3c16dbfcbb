//! `cargo xtask servers`: the test servers alone, for a person or a tool that runs tests by hand.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::console::Console;
use crate::lock::{self, Attempt, Lock};
use crate::servers::{self, PORTS, SECRETS};
use crate::stack::{Kind, Stack};
use crate::supervisor::Supervisor;
use crate::{detach, dist, status};

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
    /// Stops the test servers; their data stays.
    Down,
}

/// Runs the command.
pub(crate) fn run(options: &Options, console: Console) -> Result<ExitCode> {
    let stack = Stack::locate(Kind::Test);
    if matches!(options.action, Some(Action::Down)) {
        let was_running = detach::stop(&stack, &console)?;
        console.step(if was_running {
            "the test servers are stopped"
        } else {
            "no test servers were running"
        });
        return Ok(ExitCode::SUCCESS);
    }
    if options.in_background {
        detach::leave_terminal()?;
        return foreground(console);
    }
    if options.detach {
        if let Some(pid) = lock::holder(&stack.lock())? {
            console.step(&format!("the test servers are running already (supervisor's pid {pid})"));
        } else {
            // Here, not in the background: sudo may have to ask for a password.
            let mut stack = stack;
            servers::prepare(&mut stack, &console)?;
            detach::start(&stack, &["servers"])?;
        }
        print_environment(&servers::read_environment(&Stack::locate(Kind::Test))?);
        return Ok(ExitCode::SUCCESS);
    }
    foreground(console)
}

fn foreground(console: Console) -> Result<ExitCode> {
    let mut stack = Stack::locate(Kind::Test);
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

/// Starts the test servers and gives back the variables that lead to them.
pub(crate) fn start(
    stack: &Stack,
    java: &dist::Java,
    supervisor: &mut Supervisor,
    console: Console,
) -> Result<Vec<(String, String)>> {
    let kept = servers::keep(stack, &PORTS, &SECRETS, &console)?;
    let servers = servers::start(stack, &kept, java, supervisor, &console)?;
    let environment = servers::test_environment(&servers);
    servers::write_environment(stack, &environment)?;
    Ok(environment)
}

/// Takes the stack, or says who has it.
fn take(stack: &Stack) -> Result<Lock> {
    match lock::try_take(&stack.lock())? {
        Attempt::Taken(lock) => Ok(lock),
        Attempt::HeldBy(pid) => bail!(
            "the test servers are running already (supervisor's pid {pid}): cargo xtask servers down stops them"
        ),
    }
}

fn print_environment(environment: &[(String, String)]) {
    let pairs: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    status::print(&format!("export {}\n", pairs.join(" ")));
}
