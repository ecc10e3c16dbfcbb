//! What the projector goes by, taken from the configuration once.

use std::time::Duration;

use service::config::{AuditConfig, ConfigError};
use store::DatabaseUrl;

/// The projector's part of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Role `audit_projector`.
    pub database_url: DatabaseUrl,
    /// Events folded in one transaction, about: appends are taken whole.
    pub batch_max_events: usize,
    /// Time between two looks for new appends.
    pub poll: Duration,
}

impl Settings {
    /// Takes what the projector needs; an error names the key that is missing.
    pub fn from_config(config: &AuditConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            database_url: DatabaseUrl::from(config.database.projector_url()?),
            batch_max_events: config.projector.batch_max_events,
            poll: config.projector.poll,
        })
    }
}
