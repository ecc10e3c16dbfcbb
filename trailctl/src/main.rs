//! trailctl, the operators' command line.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    trailctl::run(trailctl::cli::Cli::parse())
}
