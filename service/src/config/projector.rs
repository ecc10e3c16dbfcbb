//! `[projector]`: the projections.

use std::time::Duration;

use serde::Deserialize;

use super::{ConfigError, ingestor::within};

/// How the projector follows the events.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectorSettings {
    /// Events folded in one transaction, about: appends are taken whole.
    pub batch_max_events: usize,
    /// Time between two looks for new appends.
    #[serde(with = "humantime_serde")]
    pub poll: Duration,
    /// How long a graceful stop may take.
    #[serde(with = "humantime_serde")]
    pub shutdown_deadline: Duration,
}

impl Default for ProjectorSettings {
    fn default() -> Self {
        Self {
            batch_max_events: 20_000,
            poll: Duration::from_millis(250),
            shutdown_deadline: Duration::from_secs(20),
        }
    }
}

impl ProjectorSettings {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        within("projector.batch_max_events", self.batch_max_events, 1, 1_000_000)?;
        for (name, time) in [("poll", self.poll), ("shutdown_deadline", self.shutdown_deadline)] {
            if time.is_zero() {
                let remedy = "is zero: give a time such as \"250ms\"";
                return Err(ConfigError::key(format!("projector.{name}"), remedy));
            }
        }
        Ok(())
    }
}
