//! cargo xtask: the local stack, the tests, the benchmarks.

mod account;
mod bench_command;
mod console;
mod demo;
mod detach;
mod dist;
mod kafka;
mod languages;
mod leftovers;
mod lines;
mod lock;
mod package_check;
mod ports;
mod postgres;
mod probe;
mod process;
mod programs;
mod prometheus;
mod provision;
mod rabbitmq;
mod registry;
mod restore_drill;
mod secrets;
mod servers;
mod servers_command;
mod services;
mod settings;
mod signals;
mod stack;
mod state;
mod status;
mod supervised;
mod supervisor;
mod tally;
mod tests_command;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::console::Console;
use crate::stack::{Kind, Stack};

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
    /// Starts the whole product here: servers, ingestor, API. Ctrl-C stops it and keeps the data.
    Up(up::Options),
    /// Shows what runs, and where.
    Status(status::Options),
    /// Stops what `up` started, and nothing else.
    Down,
    /// Runs every test, against real servers.
    Test(tests_command::Options),
    /// Installs the packages that are missing and downloads the servers: what the other commands do first.
    Provision,
    /// Starts only the servers that the tests use, and prints the variables that lead to them.
    Servers(servers_command::Options),
    /// Runs the tools that judge the image, the chart, Terraform, workflows, alerts; skips those that are not here.
    PackageCheck(package_check::Options),
    /// Backs a store up, loses it, restores it to a moment, and proves the copy equal: exit code 1 when it is not.
    RestoreDrill(restore_drill::Options),
    /// Measures the product on servers of its own: every bar, its limits, its peer.
    Bench(bench_command::Options),
}

fn main() -> ExitCode {
    // Folders are for the servers' account to enter; what holds a secret is made private one by one.
    nix::sys::stat::umask(nix::sys::stat::Mode::S_IWGRP | nix::sys::stat::Mode::S_IWOTH);
    let console = Console::start();
    let outcome = match Arguments::parse().command {
        Task::Up(options) => up::run(&options, console),
        Task::Status(options) => status::run(&options),
        Task::Down => up::down(console),
        Task::Test(options) => tests_command::run(&options, console),
        Task::Provision => {
            let mut stack = Stack::locate(Kind::Test);
            servers::prepare(&mut stack, &console)
                .and_then(|_| languages::provision(&stack.dist, &console))
                .map(|_| prometheus::provision(&stack.dist, &console))
                .map(|_| ExitCode::SUCCESS)
        }
        Task::Servers(options) => servers_command::run(&options, Kind::Test, console),
        Task::PackageCheck(options) => {
            package_check::run(&options, &Stack::locate(Kind::Test).project, console)
        }
        Task::RestoreDrill(options) => restore_drill::run(&options, console),
        Task::Bench(options) => bench_command::run(&options, console),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            console.step(&format!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
