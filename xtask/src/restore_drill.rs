//! `cargo xtask restore-drill`: a store is backed up, lost, restored and proved equal, in front of the operator.

use std::process::ExitCode;

use anyhow::Result;
use nix::sys::signal::Signal;

use crate::console::Console;
use crate::process::command_as;
use crate::programs::{self, Profile};
use crate::{lines, servers_command};

/// What the drill runs, and itself: packages.
const PROGRAMS: [&str; 3] = ["ingestor", "trailctl", "end-to-end"];

/// The command's options.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Events of the drill, at least.
    #[arg(long, default_value_t = 3_000)]
    events: u32,
    /// Alter a row of the copy before the proof, to see it fail.
    #[arg(long)]
    alter: bool,
}

impl Options {
    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![format!("--events={}", self.events)];
        arguments.extend(self.alter.then(|| "--alter".to_owned()));
        arguments
    }
}

/// Runs the command: exit code 1 when the copy is not equal.
pub(crate) fn run(options: &Options, console: Console) -> Result<ExitCode> {
    servers_command::with_test_servers(console, |stack, environment, supervisor| {
        console.step("building the ingestor, trailctl and the drill");
        programs::build(&stack.project, Profile::Dev, &PROGRAMS, supervisor)?;
        let programs = programs::folder(Profile::Dev)?;
        let mut drill = command_as(None, Some(Signal::SIGTERM), &programs.join("restore-drill"));
        drill.args(options.arguments()).envs(environment.iter().map(|(name, value)| (name, value)));
        drill.env("AUDIT_TEST_BIN", &programs);
        let status = lines::run("restore-drill", &mut drill, supervisor, |line| console.step(line))?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_passed_on() {
        assert_eq!(Options { events: 3_000, alter: false }.arguments(), ["--events=3000"]);
        assert_eq!(Options { events: 9, alter: true }.arguments(), ["--events=9", "--alter"]);
    }
}
