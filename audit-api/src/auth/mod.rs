//! Who asks: a bearer token becomes a [`Caller`] (semantics.md 12).
//!
//! The algorithm is fixed by configuration and never read from the token; only the `Authorization` header counts,
//! and only when there is exactly one. Every refusal looks the same to the caller; the reason goes to the log.

mod bearer;
mod caller;
mod claims;
mod jwks;

use std::sync::Arc;

use axum::http::HeaderMap;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::ExposeSecret as _;
use service::config::{Algorithm as Configured, AuthSettings, ConfigError};
use shared::clock::Clock;

pub use caller::{Caller, Forbidden, LedgerAccess, Roles, Writes};
pub use jwks::Jwks;

/// Why there is no [`Caller`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No credentials at all.
    #[error("no bearer token")]
    Missing,
    /// Credentials that do not hold; the text is for the log only.
    #[error("{0}")]
    Invalid(&'static str),
    /// The public keys were never fetched, so nothing can be said about any token.
    #[error("the public keys are not known yet")]
    KeysUnavailable,
}

/// Checks tokens.
pub struct Authenticator {
    keys: Keys,
    algorithm: Algorithm,
    validation: Validation,
    claims: claims::Rules,
}

enum Keys {
    Secret(DecodingKey),
    Public(Arc<Jwks>),
}

impl Authenticator {
    /// Takes the settings; for public keys also where they come from.
    pub fn new(settings: &AuthSettings, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let (algorithm, keys) = match settings.algorithm {
            Configured::HS256 => {
                let secret = settings.secret()?.expose_secret().as_bytes();
                (Algorithm::HS256, Keys::Secret(DecodingKey::from_secret(secret)))
            }
            Configured::RS256 => (Algorithm::RS256, public(settings, Algorithm::RS256)?),
            Configured::ES256 => (Algorithm::ES256, public(settings, Algorithm::ES256)?),
            Configured::EdDSA => (Algorithm::EdDSA, public(settings, Algorithm::EdDSA)?),
        };
        Ok(Self {
            keys,
            algorithm,
            validation: signature_only(algorithm),
            claims: claims::Rules::new(settings, clock)?,
        })
    }

    /// The public keys, for the task that keeps them fresh; `None` with a shared secret.
    pub fn jwks(&self) -> Option<&Arc<Jwks>> {
        match &self.keys {
            Keys::Secret(_) => None,
            Keys::Public(jwks) => Some(jwks),
        }
    }

    /// Who sent a request with these headers.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, AuthError> {
        let token = bearer::token(headers)?;
        let header = bearer::header(token, self.algorithm)?;
        let claims = match &self.keys {
            Keys::Secret(key) => self.verify(token, key)?,
            Keys::Public(jwks) => self.verify(token, &*jwks.key(header.kid.as_deref()).await?)?,
        };
        self.claims.caller(&claims)
    }

    fn verify(&self, token: &str, key: &DecodingKey) -> Result<claims::Claims, AuthError> {
        jsonwebtoken::decode::<claims::Claims>(token, key, &self.validation)
            .map(|data| data.claims)
            .map_err(|_| AuthError::Invalid("the signature does not hold, or the claims are not an object"))
    }
}

fn public(settings: &AuthSettings, algorithm: Algorithm) -> Result<Keys, ConfigError> {
    Ok(Keys::Public(Arc::new(Jwks::new(settings.jwks_url()?, settings.jwks_ca_file.as_deref(), algorithm)?)))
}

/// The library checks the signature under the one algorithm; the claims are ours to check, against our clock.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
