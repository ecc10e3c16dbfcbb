//! `[auth]`: which tokens the API accepts (semantics.md 12).

use std::{path::PathBuf, time::Duration};

use credentials::Secret;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::ConfigError;

/// How JWT bearer tokens are checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// The one algorithm that is accepted; the token's own header never chooses.
    pub algorithm: Algorithm,
    /// The shared secret of HS256, at least 32 bytes.
    pub secret: Option<Secret>,
    /// Where the public keys of the other algorithms are.
    pub jwks_url: Option<String>,
    /// A PEM file with the authorities that an `https://` address is checked against, in place of the system's.
    pub jwks_ca_file: Option<PathBuf>,
    /// The only `iss` that is accepted.
    pub issuer: Option<String>,
    /// The `aud` that a token must name.
    pub audience: Option<String>,
    /// JSON Pointer to the roles in the claims; Keycloak: `/realm_access/roles`.
    pub roles_claim: String,
    /// JSON Pointer to the organisation.
    pub organization_claim: String,
    /// JSON Pointer to the subject.
    pub subject_claim: String,
    /// Clocks may differ by this much.
    #[serde(with = "humantime_serde")]
    pub leeway: Duration,
    /// How long fetched keys are used before they are fetched again.
    #[serde(with = "humantime_serde")]
    pub jwks_refresh: Duration,
}

/// The accepted signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// HMAC with a shared secret.
    HS256,
    /// RSA PKCS #1 v1.5, by JWKS.
    RS256,
    /// ECDSA on P-256, by JWKS.
    ES256,
    /// Ed25519, by JWKS.
    #[serde(alias = "EDDSA")]
    EdDSA,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::HS256,
            secret: None,
            jwks_url: None,
            jwks_ca_file: None,
            issuer: None,
            audience: None,
            roles_claim: "/roles".to_owned(),
            organization_claim: "/org".to_owned(),
            subject_claim: "/sub".to_owned(),
            leeway: Duration::from_secs(5),
            jwks_refresh: Duration::from_mins(5),
        }
    }
}

/// RFC 7518, 3.2: a key of the size of the hash output or larger.
const LEAST_SECRET_BYTES: usize = 32;

impl AuthSettings {
    /// What a token must name as its issuer; an error that names the key when it is absent.
    pub fn issuer(&self) -> Result<&str, ConfigError> {
        self.issuer.as_deref().ok_or_else(|| ConfigError::missing("auth.issuer"))
    }

    /// What a token must name as its audience.
    pub fn audience(&self) -> Result<&str, ConfigError> {
        self.audience.as_deref().ok_or_else(|| ConfigError::missing("auth.audience"))
    }

    /// The shared secret of HS256.
    pub fn secret(&self) -> Result<&Secret, ConfigError> {
        self.secret.as_ref().ok_or_else(|| ConfigError::missing("auth.secret"))
    }

    /// The address of the public keys.
    pub fn jwks_url(&self) -> Result<&str, ConfigError> {
        self.jwks_url.as_deref().ok_or_else(|| ConfigError::missing("auth.jwks_url"))
    }

    /// What the API needs besides [`AuthSettings::validate`]: issuer, audience, and a secret or the keys' address.
    pub fn require(&self) -> Result<(), ConfigError> {
        self.issuer()?;
        self.audience()?;
        match self.algorithm {
            Algorithm::HS256 => self.secret().map(|_| ()),
            Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => self.jwks_url().map(|_| ()),
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if let Some(secret) = &self.secret
            && secret.expose_secret().len() < LEAST_SECRET_BYTES
        {
            return Err(ConfigError::key(
                "auth.secret",
                format!(
                    "is shorter than {LEAST_SECRET_BYTES} bytes, so HS256 could be guessed: `openssl rand -hex 32` makes one"
                ),
            ));
        }
        if self.algorithm == Algorithm::HS256 && self.jwks_url.is_some() {
            return Err(ConfigError::key(
                "auth.jwks_url",
                "is set beside HS256: public keys must never verify it; remove one, or choose RS256, ES256 or EdDSA",
            ));
        }
        if let Some(url) = &self.jwks_url
            && !["https://", "http://", "file:///"].iter().any(|scheme| url.starts_with(scheme))
        {
            return Err(ConfigError::key(
                "auth.jwks_url",
                "give a URL that starts with https:// (or http://, or file:/// for a file)",
            ));
        }
        let pointers = [
            ("roles_claim", &self.roles_claim),
            ("organization_claim", &self.organization_claim),
            ("subject_claim", &self.subject_claim),
        ];
        if let Some((name, _)) = pointers.into_iter().find(|(_, pointer)| !pointer.starts_with('/')) {
            return Err(ConfigError::key(
                format!("auth.{name}"),
                "is not a JSON Pointer: it starts with /, such as /realm_access/roles",
            ));
        }
        if self.leeway > Duration::from_mins(5) {
            return Err(ConfigError::key("auth.leeway", "is over 5 minutes: expired tokens would live on"));
        }
        if self.jwks_refresh < Duration::from_secs(1) {
            return Err(ConfigError::key(
                "auth.jwks_refresh",
                "is under a second: give a time such as \"5m\"",
            ));
        }
        Ok(())
    }
}
