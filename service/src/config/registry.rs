//! `[registry]`: the schema registry.

use std::{path::PathBuf, time::Duration};

use credentials::Secret;
use serde::Deserialize;

use super::ConfigError;

/// How the Confluent-compatible schema registry is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrySettings {
    /// The base URL of the Confluent API, for Apicurio `http://host:port/apis/ccompat/v7`.
    pub url: Option<String>,
    /// For HTTP basic authentication.
    pub username: Option<String>,
    /// For HTTP basic authentication.
    pub password: Option<Secret>,
    /// A PEM file with the authorities that `https://` is checked against, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// How long one request may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for RegistrySettings {
    fn default() -> Self {
        Self { url: None, username: None, password: None, ca_file: None, timeout: Duration::from_secs(10) }
    }
}

impl RegistrySettings {
    /// The base URL without a slash at its end; an error that names the key when it is absent.
    pub fn url(&self) -> Result<&str, ConfigError> {
        self.url
            .as_deref()
            .map(|url| url.trim_end_matches('/'))
            .ok_or_else(|| ConfigError::missing("registry.url"))
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if let Some(url) = &self.url
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return Err(ConfigError::key("registry.url", "give a URL that starts with http:// or https://"));
        }
        if self.password.is_some() && self.username.is_none() {
            return Err(ConfigError::key(
                "registry.username",
                "is missing beside registry.password: give both or neither",
            ));
        }
        if self.timeout.is_zero() {
            return Err(ConfigError::key("registry.timeout", "is zero: give a time such as \"10s\""));
        }
        Ok(())
    }
}
