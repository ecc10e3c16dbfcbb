//! `cargo xtask test`: every test there is, against real servers, with one honest line at the end.

use std::process::ExitCode;

use anyhow::Result;

use crate::console::Console;
use crate::programs::{self, Profile};
use crate::stack::Stack;
use crate::supervisor::Supervisor;
use crate::tally::Tally;
use crate::{dist, languages, lines, package_check, prometheus, servers_command, status};

/// The command's options.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The long schedules of faults too.
    #[arg(long)]
    long: bool,
    /// Passed on to `cargo test`, such as `-p store` or a test's name.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(options: &Options, console: Console) -> Result<ExitCode> {
    let tally = servers_command::with_test_servers(console, |stack, environment, supervisor| {
        test(options, stack, environment, supervisor, console)
    })?;
    Ok(conclude(&tally))
}

/// The last lines, after all that stopping servers has to say.
fn conclude(tally: &Tally) -> ExitCode {
    for name in tally.failures() {
        status::print(&format!("FAILED: {name}\n"));
    }
    status::print(&format!("{tally}\n"));
    if tally.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn test(
    options: &Options,
    stack: &Stack,
    environment: &[(String, String)],
    supervisor: &mut Supervisor,
    console: Console,
) -> Result<Tally> {
    console.step("building the programs and the tests");
    let built = build(options, stack, supervisor)?;
    let mut tally = Tally::default();
    // Before the package checks: promtool comes with it.
    let prometheus = prometheus::provision(&stack.dist, &console);
    let packages = package_check(options, stack, console)?;
    let succeeded = if built {
        let jars = ("AUDIT_TEST_KAFKA_JARS".to_owned(), dist::kafka_dir(&stack.dist).display().to_string());
        let environment =
            [environment, &languages::provision(&stack.dist, &console)?, &prometheus, &[jars]].concat();
        console.step("running the tests");
        run_tests(options, stack, &environment, supervisor, &mut tally)?
    } else {
        false
    };
    if !packages {
        tally.something_else_failed();
        console.step("package checks did not succeed; what failed is above");
    }
    if !succeeded {
        tally.something_else_failed();
        let what = if built { "the tests" } else { "the build" };
        console.step(&format!("{what} did not succeed; what failed is above"));
    }
    Ok(tally)
}

/// With the tools that this machine has; not when only some tests are asked for.
fn package_check(options: &Options, stack: &Stack, console: Console) -> Result<bool> {
    if !options.arguments.is_empty() {
        return Ok(true);
    }
    console.step("checking what others install");
    Ok(package_check::check(&stack.project, false, console)?.failed == 0)
}

/// The end-to-end tests start the services' binaries, which `cargo test` alone builds only for their own packages.
fn build(options: &Options, stack: &Stack, supervisor: &mut Supervisor) -> Result<bool> {
    let mut cargo = programs::cargo(&stack.project);
    cargo.args(["build", "--workspace", "--bins"]).stdout(std::io::stderr());
    if !supervisor.run("cargo build", &mut cargo)?.success() {
        return Ok(false);
    }
    let mut cargo = programs::cargo(&stack.project);
    cargo.args(["test", "--no-run"]).args(scope(&options.arguments)).stdout(std::io::stderr());
    Ok(supervisor.run("cargo test --no-run", &mut cargo)?.success())
}

fn run_tests(
    options: &Options,
    stack: &Stack,
    environment: &[(String, String)],
    supervisor: &mut Supervisor,
    tally: &mut Tally,
) -> Result<bool> {
    let mut cargo = programs::cargo(&stack.project);
    cargo.args(["test", "--no-fail-fast"]).args(scope(&options.arguments)).args(&options.arguments);
    cargo.envs(environment.iter().map(|(name, value)| (name, value)));
    cargo.env("AUDIT_TEST_BIN", programs::folder(Profile::Dev)?);
    if options.long {
        cargo.env("AUDIT_TEST_LONG", "1");
    }
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        cargo.env("RUST_TEST_THREADS", test_threads().to_string());
    }
    let status = lines::run("cargo test", &mut cargo, supervisor, |line| {
        tally.read(line);
        status::print(&format!("{line}\n"));
    })?;
    Ok(status.success())
}

/// Which packages: what the caller names, else all.
fn scope(arguments: &[String]) -> Vec<String> {
    let mut scope = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "-p" || argument == "--package" {
            scope.push("--package".to_owned());
            scope.extend(rest.next().cloned());
        } else if let Some(package) = argument.strip_prefix("--package=") {
            scope.extend(["--package".to_owned(), package.to_owned()]);
        }
    }
    if scope.is_empty() {
        scope.push("--workspace".to_owned());
    }
    scope
}

/// Tests wait for servers more than they compute, and share them: a thread a core, within bounds.
fn test_threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_packages_unless_some_are_named() {
        let scope_of =
            |arguments: &[&str]| scope(&arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
        assert_eq!(scope_of(&[]), ["--workspace"]);
        assert_eq!(scope_of(&["some_test"]), ["--workspace"]);
        assert_eq!(
            scope_of(&["-p", "store", "--package=bus", "name"]),
            ["--package", "store", "--package", "bus"]
        );
    }
}
