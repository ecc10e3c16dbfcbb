//! `[database]`: one connection URL per role, and the set of indexes.

use credentials::Secret;
use serde::Deserialize;
use shared::index_set::IndexSet;

use super::ConfigError;

/// Connection URLs, `postgres://user:password@host:port/audit?sslmode=…`; a binary needs only its own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSettings {
    /// Role `audit_ingestor`: the ingestor.
    pub ingestor_url: Option<Secret>,
    /// Role `audit_api`: the HTTP API.
    pub api_url: Option<Secret>,
    /// Role `audit_api` on a streaming standby: the HTTP API sends reads there. One server, not several behind one address.
    pub replica_url: Option<Secret>,
    /// Role `audit_projector`: the projector.
    pub projector_url: Option<Secret>,
    /// Role `audit_migrator`: `trailctl migrate`.
    pub migrator_url: Option<Secret>,
    /// Role `audit_operator`: the other commands of `trailctl`.
    pub operator_url: Option<Secret>,
    /// Role `audit_retention`: retention and erasure commands of `trailctl`.
    pub retention_url: Option<Secret>,
    /// A superuser: `trailctl migrate --bootstrap` only, which makes the roles.
    pub superuser_url: Option<Secret>,
    /// The indexes of a new database; `trailctl index` changes those of one with events (semantics.md 11).
    pub indexes: IndexSet,
}

impl DatabaseSettings {
    /// The ingestor's URL; an error that names the key when it is absent.
    pub fn ingestor_url(&self) -> Result<&Secret, ConfigError> {
        required(self.ingestor_url.as_ref(), "ingestor_url")
    }

    /// The API's URL.
    pub fn api_url(&self) -> Result<&Secret, ConfigError> {
        required(self.api_url.as_ref(), "api_url")
    }

    /// The projector's URL.
    pub fn projector_url(&self) -> Result<&Secret, ConfigError> {
        required(self.projector_url.as_ref(), "projector_url")
    }

    /// The migrator's URL.
    pub fn migrator_url(&self) -> Result<&Secret, ConfigError> {
        required(self.migrator_url.as_ref(), "migrator_url")
    }

    /// The operator's URL.
    pub fn operator_url(&self) -> Result<&Secret, ConfigError> {
        required(self.operator_url.as_ref(), "operator_url")
    }

    /// The retention role's URL.
    pub fn retention_url(&self) -> Result<&Secret, ConfigError> {
        required(self.retention_url.as_ref(), "retention_url")
    }

    /// The superuser's URL.
    pub fn superuser_url(&self) -> Result<&Secret, ConfigError> {
        required(self.superuser_url.as_ref(), "superuser_url")
    }
}

fn required<'a>(url: Option<&'a Secret>, name: &str) -> Result<&'a Secret, ConfigError> {
    url.ok_or_else(|| ConfigError::missing(format!("database.{name}")))
}
