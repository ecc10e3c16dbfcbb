//! The sum over the test binaries, read from what they print.

use std::fmt;

/// How many tests there were.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
    failures: Vec<String>,
}

impl Tally {
    /// Adds one line of output, when it is a binary's own sum:
    /// `test result: ok. 24 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures.push(name.to_owned());
        }
        let Some((_, counts)) =
            line.trim_start().strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split(';') {
            let Some((number, what)) = part.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// Something failed that printed no sum: a build, a crash. It counts as one failure, so that none is never shown.
    pub(crate) fn something_else_failed(&mut self) {
        self.failed = self.failed.max(1);
    }

    /// The names of the tests that failed.
    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// How many failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failed
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_add_up_over_binaries() {
        let mut tally = Tally::default();
        tally.read("running 3 tests");
        tally.read("test store::append::twice ... FAILED");
        tally.read("test store::append::once ... ok");
        tally.read(
            "test result: ok. 24 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s",
        );
        tally.read("test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s");
        assert_eq!(tally.to_string(), "26 passed, 5 failed, 1 skipped");
        assert_eq!(tally.failures(), ["store::append::twice"]);
    }

    #[test]
    fn a_failure_without_a_sum_is_never_shown_as_none() {
        let mut tally = Tally::default();
        tally.read(
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        );
        tally.something_else_failed();
        assert_eq!(tally.to_string(), "2 passed, 1 failed, 0 skipped");
    }
}
