//! The end of a server's log, for tests that fail.

use std::path::Path;

const LINES: usize = 30;

/// The last lines of the file `log` in the folder; empty when there is none.
pub(crate) fn log_end(folder: &Path) -> String {
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
