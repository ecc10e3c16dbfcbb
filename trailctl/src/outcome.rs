//! How a command ends, and the exit codes that say so.

use std::{error::Error, fmt, io, process::ExitCode};

/// A command that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well: exit code 0.
    Done,
    /// The command did its work and found something wrong, and said what: exit code 1.
    Finding,
}

/// Something about the call or the configuration is wrong: exit code 2.
#[derive(Debug)]
pub struct UsageError(pub String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for UsageError {}

/// An error for a wrong call.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(UsageError(message.into()))
}

/// Prints the error, if any, and gives the exit code.
pub fn report(result: &anyhow::Result<Outcome>) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Finding) => ExitCode::from(1),
        // Whoever reads our output has seen enough (`trailctl replay | head`).
        Err(error) if is_broken_pipe(error) => ExitCode::SUCCESS,
        Err(error) => {
            let text = describe(error.as_ref());
            let lines: Vec<_> = text.lines().map(crate::output::escape::for_terminal).collect();
            eprintln!("trailctl: {}", lines.join("\n"));
            ExitCode::from(if error.chain().any(<dyn Error>::is::<UsageError>) { 2 } else { 3 })
        }
    }
}

/// The error and its causes in one sentence; many errors repeat their cause in their own text, which is said once.
pub fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let own = error.to_string();
        if !text.contains(&own) {
            text.push_str(": ");
            text.push_str(&own);
        }
        cause = error.source();
    }
    text
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
        && error.chain().any(<dyn Error>::is::<StandardOutputClosed>)
}

/// Marks an error of standard output, so that a broken pipe elsewhere (a socket) stays a failure.
#[derive(Debug)]
pub struct StandardOutputClosed(pub io::Error);

impl fmt::Display for StandardOutputClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot write to standard output")
    }
}

impl Error for StandardOutputClosed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl From<io::Error> for StandardOutputClosed {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> io::Error {
        io::Error::from(io::ErrorKind::BrokenPipe)
    }

    #[test]
    fn a_cause_that_the_error_repeats_is_said_once() {
        let error = anyhow::Error::new(broken()).context("cannot send: broken pipe").context("first");
        assert_eq!(describe(error.as_ref()), "first: cannot send: broken pipe");
        let error = anyhow::Error::new(UsageError("the root".to_owned())).context("on top");
        assert_eq!(describe(error.as_ref()), "on top: the root");
    }

    #[test]
    fn only_a_closed_standard_output_counts_as_seen_enough() {
        assert!(is_broken_pipe(&anyhow::Error::new(StandardOutputClosed(broken()))));
        assert!(!is_broken_pipe(&anyhow::Error::new(broken()).context("the API closed the connection")));
    }
}
