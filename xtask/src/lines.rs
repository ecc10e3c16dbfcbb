//! A command whose output is told line by line as it comes.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

use crate::supervisor::Supervisor;

/// Runs the command to its end while the supervisor looks after its processes.
pub(crate) fn run(
    what: &str,
    command: &mut Command,
    supervisor: &mut Supervisor,
    mut tell: impl FnMut(&str) + Send,
) -> Result<ExitStatus> {
    // A group of its own, so that all of it can be ended.
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .with_context(|| format!("starting {what}"))?;
    let output = child.stdout.take().with_context(|| format!("the output of {what}"))?;
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            for line in BufReader::new(output).split(b'\n') {
                let Ok(line) = line else { break };
                tell(&String::from_utf8_lossy(&line));
            }
        });
        let status = supervisor.wait_for_child(what, child)?;
        reader.join().ok().with_context(|| format!("reading the output of {what}"))?;
        Ok(status)
    })
}
