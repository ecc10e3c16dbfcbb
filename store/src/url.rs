//! The address of a database, with its password: a secret.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::error::StoreError;

/// A connection URL (`postgres://role:password@host:port/database?sslmode=…`). `Debug` and errors never show it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(SecretString);

impl DatabaseUrl {
    /// Takes a URL, or a `key=value` string, as PostgreSQL's own tools do.
    pub fn new(url: impl Into<String>) -> Self {
        Self(SecretString::from(url.into()))
    }

    /// The parsed form. Errors name the rule, not the text, which may hold a password.
    pub(crate) fn config(&self) -> Result<tokio_postgres::Config, StoreError> {
        tokio_postgres::Config::from_str(self.0.expose_secret())
            .map_err(|_| StoreError::Refused("the database URL cannot be read; it has the form postgres://role:password@host:port/database".to_owned()))
    }

    /// The password that it holds: what `trailctl migrate --bootstrap` gives the role of this URL.
    pub fn password(&self) -> Option<SecretString> {
        let config = self.config().ok()?;
        std::str::from_utf8(config.get_password()?).ok().map(SecretString::from)
    }

    /// The text itself, for handing it to another program.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(redacted)")
    }
}
