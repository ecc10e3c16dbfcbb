//! cargo xtask: the local stack, the tests, the benchmarks.

mod account;
mod console;
mod detach;
mod dist;
mod kafka;
mod lock;
mod ports;
mod postgres;
mod probe;
mod process;
mod provision;
mod registry;
mod secrets;
mod servers;
mod servers_command;
mod signals;
mod stack;
mod state;
mod supervisor;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::console::Console;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "The local stack, the tests, the benchmarks."
)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Starts only the servers that the tests use, and prints the variables that lead to them.
    Servers(servers_command::Options),
}

fn main() -> ExitCode {
    // Folders are for the servers' account to enter; what holds a secret is made private one by one.
    nix::sys::stat::umask(nix::sys::stat::Mode::S_IWGRP | nix::sys::stat::Mode::S_IWOTH);
    let console = Console::start();
    let outcome = match Arguments::parse().command {
        Task::Servers(options) => servers_command::run(&options, console),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            console.step(&format!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
