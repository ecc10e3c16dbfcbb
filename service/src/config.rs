//! The one configuration: `audit.toml` and `AUDIT_…` variables, nested by `__`, one root for every binary.
//!
//! Unknown keys are refused, every error names the key and the remedy, secrets never print.

mod accesses;
mod aliases;
mod api;
mod auth;
mod database;
mod dead_letters;
mod exports;
mod ingestor;
mod kafka;
mod lists;
mod projector;
mod rabbitmq;
mod registry;
mod replays;
mod secret_files;
mod source;
mod submissions;
mod telemetry;

use serde::Deserialize;
use shared::retention::RetentionRules;

pub use accesses::AccessSettings;
pub use api::ApiSettings;
pub use auth::{Algorithm, AuthSettings};
pub use database::DatabaseSettings;
pub use dead_letters::DeadLetterSettings;
pub use exports::ExportSettings;
pub use ingestor::{GapPolicy, IngestorSettings};
pub use kafka::KafkaSettings;
pub use projector::ProjectorSettings;
pub use rabbitmq::{DeclarePolicy, RabbitMqSettings};
pub use registry::RegistrySettings;
pub use replays::ReplaySettings;
pub use source::{Loaded, config_file, load, load_from};
pub use submissions::SubmissionSettings;
pub use telemetry::{LogFormat, TelemetrySettings};

/// Everything that can be configured; every section has defaults.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// `[database]`: one connection URL per role, and the set of indexes.
    pub database: DatabaseSettings,
    /// `[kafka]`: the cluster.
    pub kafka: KafkaSettings,
    /// `[registry]`: the schema registry.
    pub registry: RegistrySettings,
    /// `[ingestor]`: what is consumed, and how.
    pub ingestor: IngestorSettings,
    /// `[rabbitmq]`: the broker of the older services, and what is taken from it.
    pub rabbitmq: RabbitMqSettings,
    /// `[dead_letters]`: where refused records go.
    pub dead_letters: DeadLetterSettings,
    /// `[retention]`: how long which events are kept.
    pub retention: RetentionRules,
    /// `[api]`: the HTTP API.
    pub api: ApiSettings,
    /// `[accesses]`: the record of who looked.
    pub accesses: AccessSettings,
    /// `[projector]`: the projections.
    pub projector: ProjectorSettings,
    /// `[submissions]`: events that come in by HTTP.
    pub submissions: SubmissionSettings,
    /// `[replays]`: replays to topics.
    pub replays: ReplaySettings,
    /// `[exports]`: where export files go.
    pub exports: ExportSettings,
    /// `[auth]`: which tokens the API accepts.
    pub auth: AuthSettings,
    /// `[telemetry]`: logs, traces, metrics and health.
    pub telemetry: TelemetrySettings,
}

/// The configuration cannot be used; the text names the key and the remedy, and never holds a value that may be secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read, or is not TOML.
    #[error("configuration file {path}: {detail}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// A key is unknown, has the wrong type, or a value that cannot work.
    #[error("configuration key `{key}`: {detail}")]
    Key {
        /// The dotted key, such as `ingestor.topics`.
        key: String,
        /// What is wrong and what would be right.
        detail: String,
    },
    /// A key that this binary needs is absent.
    #[error("configuration key `{key}` is missing: {remedy}")]
    Missing {
        /// The dotted key.
        key: String,
        /// How to set it.
        remedy: String,
    },
}

impl ConfigError {
    /// A value that cannot work.
    pub fn key(key: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Key { key: key.into(), detail: detail.into() }
    }

    /// A key that is needed and absent; the remedy names the file's key and the variable.
    pub fn missing(key: impl Into<String>) -> Self {
        let key = key.into();
        let remedy = format!("set it in audit.toml, or as the variable {}", source::variable_of(&key));
        Self::Missing { key, remedy }
    }
}

impl AuditConfig {
    /// Checks what no single section can see, and each section by itself.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.kafka.validate()?;
        self.registry.validate()?;
        self.ingestor.validate(&self.dead_letters)?;
        self.rabbitmq.validate()?;
        self.dead_letters.validate()?;
        self.api.validate()?;
        self.accesses.validate(self)?;
        self.projector.validate()?;
        self.submissions.validate(&self.api, &self.dead_letters)?;
        self.replays.validate(&self.submissions)?;
        self.exports.validate()?;
        self.auth.validate()?;
        self.telemetry.validate()
    }
}
