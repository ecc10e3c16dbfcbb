//! trailctl, the operators' command line: produce, read, replay, verify and look after an audit trail.
//!
//! Exit codes: 0 done, 1 a finding (bad input, a wrong row, a failed check), 2 wrong usage or configuration, 3 failure.
//! Results go to standard output, everything else to standard error.

pub mod api;
pub mod cli;
pub mod commands;
pub mod confirm;
pub mod doctor;
pub mod local_stack;
pub mod outcome;
pub mod output;
pub mod produce;
pub mod progress;
pub mod session;
pub mod signals;

use std::process::ExitCode;

use crate::{cli::Cli, outcome::Outcome, session::Session};

/// Runs one command to its end and says how it went.
pub fn run(cli: Cli) -> ExitCode {
    let session = Session::new(cli.global);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return outcome::report(&Err(anyhow::Error::new(error).context("cannot start"))),
    };
    let result: anyhow::Result<Outcome> = runtime.block_on(commands::run(cli.command, &session));
    // A reader of standard input may still be blocked in the system; it holds nothing worth waiting for.
    runtime.shutdown_background();
    outcome::report(&result)
}
