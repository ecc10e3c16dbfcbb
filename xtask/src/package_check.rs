//! `cargo xtask package-check`: the tools that judge what others install. Those that are not here are skipped, visibly.

mod checks;
mod tools;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::console::Console;

/// The command's options.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// First fetch the tools that are missing into .stack/tools (go, python3 and apt-get are used where they are).
    #[arg(long)]
    install: bool,
    /// A tool that is missing is a failure: for a CI that has installed all of them.
    #[arg(long)]
    strict: bool,
    /// Write the rendered chart anew instead of comparing with it (also UPDATE_GOLDEN=1).
    #[arg(long)]
    update_golden: bool,
}

/// What became of one check.
pub(crate) enum Outcome {
    /// The tool had nothing to say against it.
    Passed,
    /// What the tool said.
    Failed(String),
    /// The tool that is not here, and how to get it.
    Skipped(&'static str),
}

/// How many checks passed, failed, were skipped.
#[derive(Default)]
pub(crate) struct Sum {
    passed: usize,
    /// Zero when all is well.
    pub(crate) failed: usize,
    skipped: usize,
}

/// Runs the command.
pub(crate) fn run(options: &Options, project: &Path, console: Console) -> Result<ExitCode> {
    if options.install {
        tools::install(project, &console)?;
    }
    let update = options.update_golden || std::env::var_os("UPDATE_GOLDEN").is_some();
    let sum = check(project, update, console)?;
    let failed = sum.failed + if options.strict { sum.skipped } else { 0 };
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs every check and says how each ended.
pub(crate) fn check(project: &Path, update_golden: bool, console: Console) -> Result<Sum> {
    let mut sum = Sum::default();
    for (name, check) in checks::all(update_golden) {
        match check(&tools::Toolbox::new(project))? {
            Outcome::Passed => {
                sum.passed += 1;
                console.step(&format!("package: {name}: ok"));
            }
            Outcome::Failed(said) => {
                sum.failed += 1;
                console.step(&format!("package: {name}: FAILED\n{}", said.trim_end()));
            }
            Outcome::Skipped(tool) => {
                sum.skipped += 1;
                console.step(&format!("package: {name}: skipped, {tool} is not here"));
            }
        }
    }
    let Sum { passed, failed, skipped } = &sum;
    console.step(&format!(
        "package: {passed} checks passed, {failed} failed, {skipped} skipped{}",
        if *skipped > 0 { " (cargo xtask package-check --install fetches the tools)" } else { "" }
    ));
    Ok(sum)
}
