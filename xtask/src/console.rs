//! What the person at the terminal sees: one line a step, with the time since the start.

use std::time::Instant;

/// Prints progress with the time since the command began.
#[derive(Clone, Copy)]
pub(crate) struct Console {
    began: Instant,
}

impl Console {
    /// A console whose clock starts now.
    pub(crate) fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// One line of progress. Goes to standard error, so that a command's result alone is on standard output.
    #[expect(clippy::print_stderr, reason = "this is the one place that talks to the terminal")]
    pub(crate) fn step(&self, line: &str) {
        eprintln!("[{:6.1} s] {line}", self.began.elapsed().as_secs_f64());
    }
}
