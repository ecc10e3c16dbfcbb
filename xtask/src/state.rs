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
    /// The pid of the supervisor that wrote this.
    pub(crate) supervisor: i32,
    /// Where the stack is in its life.
    pub(crate) phase: Phase,
    /// The supervised processes, in the order of their start.
    pub(crate) services: Vec<ProcessReport>,
}

impl State {
    /// The state that the supervisor with this pid wrote to `path`; `None` when it has not written any yet. One that was
    /// killed leaves its last word there, which says nothing about its successor.
    pub(crate) fn of(supervisor: i32, path: &Path) -> Option<Self> {
        Self::read(path).filter(|state| state.supervisor == supervisor)
    }

    /// The last state written to `path`, by whomever; `None` when there is none.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_an_earlier_supervisor_is_not_its_successors() {
        let path = std::env::temp_dir().join(format!("xtask-state-{}.json", std::process::id()));
        let state = State { supervisor: 7, phase: Phase::Ready, services: Vec::new() };
        state.write(&path).unwrap();
        assert_eq!(State::of(7, &path), Some(state.clone()));
        assert_eq!(State::of(8, &path), None);
        assert_eq!(State::read(&path), Some(state));
        fs::remove_file(path).unwrap();
    }
}
