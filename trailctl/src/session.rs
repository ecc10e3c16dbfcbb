//! What every command has: the global options, the terminal, the configuration, the clock.

use std::path::PathBuf;

use service::config::AuditConfig;
use shared::clock::SystemClock;

use crate::{
    cli::Global,
    local_stack::{self, LocalStack},
    outcome,
    output::{OutputFormat, Terminal},
};

/// One run of trailctl.
#[derive(Debug)]
pub struct Session {
    global: Global,
    /// What the standard streams lead to.
    pub terminal: Terminal,
    /// The one clock.
    pub clock: SystemClock,
}

impl Session {
    /// A run with these options.
    pub fn new(global: Global) -> Self {
        Self { global, terminal: Terminal::detect(), clock: SystemClock }
    }

    /// The format the caller chose, if any.
    pub fn output(&self) -> Option<OutputFormat> {
        self.global.output
    }

    /// No progress and no summaries.
    pub fn quiet(&self) -> bool {
        self.global.quiet
    }

    /// The stack that `cargo xtask up` started in this checkout.
    pub fn local_stack(&self) -> Option<LocalStack> {
        local_stack::find(&std::env::current_dir().ok()?)
    }

    /// The configuration: the file named by `--config`, else `audit.toml` here, else that of the local stack, and
    /// `AUDIT_…` variables above it.
    pub fn config(&self) -> anyhow::Result<AuditConfig> {
        let path = self.config_path();
        let loaded = service::config::load(path).map_err(|error| outcome::usage(error.to_string()))?;
        Ok(loaded.config)
    }

    /// The file that [`Session::config`] reads; `None` = variables alone.
    pub fn config_path(&self) -> Option<PathBuf> {
        let here = || Some(PathBuf::from("audit.toml")).filter(|path| path.is_file());
        let stack = || self.local_stack().and_then(|stack| stack.config);
        self.global.config.clone().or_else(here).or_else(stack)
    }

    /// Says something on standard error, unless quiet.
    pub fn say(&self, text: &str) {
        if !self.global.quiet {
            eprintln!("{}", crate::output::escape::for_terminal(text));
        }
    }
}
