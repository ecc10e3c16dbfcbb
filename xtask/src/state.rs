//! What a supervisor tells the other commands, in one small file.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Where a stack is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// Not everything is ready yet.
    Starting,
    /// Everything was ready at least once.
    Ready,
    /// Being stopped.
    Stopping,
}

/// What one process is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProcessState {
    /// Started, not yet ready.
    Starting,
    /// Ready.
    Running,
    /// Died, or was started again and is not yet ready.
    Restarting,
    /// Died many times in a row; still tried, at the longest interval.
    Failed,
}

/// One process, as `status` shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProcessReport {
    /// Its name.
    pub(crate) name: String,
    /// Its pid; null while it is not there.
    pub(crate) pid: Option<i32>,
    /// When that process started, in clock ticks since boot.
    pub(crate) started: Option<u64>,
    /// What it is doing.
    pub(crate) state: ProcessState,
    /// How often it was started again since the stack came up.
    pub(crate) restarts: u32,
}

/// The whole stack.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    /// Where the stack is in its life.
    pub(crate) phase: Phase,
    /// The supervised processes, in the order of their start.
    pub(crate) services: Vec<ProcessReport>,
}

impl State {
    /// The last state written to `path`; `None` when there is none.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
    }

    /// Writes the state so that a reader sees the old one or the new one, never half.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let draft = path.with_extension("new");
        fs::write(&draft, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("writing {}", draft.display()))?;
        fs::rename(&draft, path).with_context(|| format!("writing {}", path.display()))
    }
}
