//! `cargo xtask up --demo`: a sample shop, made up by the generator.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use nix::sys::signal::Signal;

use crate::console::Console;
use crate::process::{command_as, tail};
use crate::stack::Stack;
use crate::supervisor::Supervisor;

/// The program that `--demo` runs.
pub(crate) const PROGRAM: &str = "audit-generator";

/// Half an hour of a shop, ending now, with everything in it that should be noticed.
const ARGUMENTS: [&str; 13] = [
    "--events=2000",
    "--rate=1",
    "--at-once",
    "--attack=failed-logins",
    "--attack=mass-download",
    "--attack=night-access",
    "--attack=mass-deletion",
    "--users=60",
    "--articles=25",
    "--logins=5",
    "--accesses=2",
    "--orders=4",
    "--organization=demo",
];

/// Feeds the sample; `variables` lead to the stack's Kafka and registry.
pub(crate) fn feed(
    program: &Path,
    variables: &[(String, String)],
    stack: &Stack,
    supervisor: &mut Supervisor,
    console: &Console,
) -> Result<()> {
    console.step("feeding a sample shop (audit-generator)");
    let log = stack.log(PROGRAM);
    let output = fs::File::create(&log)?;
    let mut command = command_as(None, Some(Signal::SIGTERM), program);
    command.arg("--config").arg(stack.dir.join("audit.toml")).args(ARGUMENTS);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.current_dir(&stack.project).stdout(output.try_clone()?).stderr(output);
    let status = supervisor.run(PROGRAM, &mut command)?;
    if !status.success() {
        bail!("{PROGRAM} failed ({status}); the end of {}:\n{}", log.display(), tail(&log, 20));
    }
    Ok(())
}
