//! What is printed: tables for people, JSON for programs, nothing that a terminal would obey.

pub mod escape;
pub mod leaves;
pub mod listing;
pub mod table;

use std::io::IsTerminal as _;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// Aligned columns, for people
    Table,
    /// One JSON document
    Json,
    /// One JSON document a line
    Ndjson,
    /// Comma-separated values with a header line (`events` and `stats` alone)
    Csv,
}

/// What standard output and standard error lead to.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Standard input is a terminal: questions can be asked.
    pub stdin: bool,
    /// Standard output is a terminal: control characters from data are escaped.
    pub stdout: bool,
    /// Standard error is a terminal: progress may be shown.
    pub stderr: bool,
    /// Colours are welcome on standard output.
    pub color: bool,
}

impl Terminal {
    /// What this process has.
    pub fn detect() -> Self {
        let stdout = std::io::stdout().is_terminal();
        // https://no-color.org: present and not empty, whatever its value.
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self {
            stdin: std::io::stdin().is_terminal(),
            stdout,
            stderr: std::io::stderr().is_terminal(),
            color: stdout && !no_color && !dumb,
        }
    }

    /// The format of a list, where the caller did not choose.
    pub fn list_format(self, chosen: Option<OutputFormat>) -> OutputFormat {
        chosen.unwrap_or(if self.stdout { OutputFormat::Table } else { OutputFormat::Ndjson })
    }

    /// The format of a single thing, where the caller did not choose.
    pub fn single_format(self, chosen: Option<OutputFormat>) -> OutputFormat {
        chosen.unwrap_or(if self.stdout { OutputFormat::Table } else { OutputFormat::Json })
    }
}
