//! Tokens for tests of the API: HS256 with a known secret.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};

use crate::unique;

/// The shared secret that [`crate::DaemonConfig`] gives the API.
pub const SECRET: &str = "a secret for tests only, and longer than 32 bytes";

/// The issuer that tests use.
pub const ISSUER: &str = "audit-test";

/// The audience that tests use.
pub const AUDIENCE: &str = "audit";

/// A token to be made: valid for an hour, with every claim that the API wants.
#[derive(Debug, Clone)]
pub struct Token {
    claims: Map<String, Value>,
    secret: String,
    algorithm: Algorithm,
}

impl Token {
    /// A token with these roles, such as `audit:admin`.
    pub fn with_roles(roles: &[&str]) -> Self {
        let now = unique::seconds_now();
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "tester", "roles": roles,
            "iat": now, "nbf": now.saturating_sub(1), "exp": now + 3600,
        });
        let Value::Object(claims) = claims else { unreachable!("an object was written") };
        Self { claims, secret: SECRET.to_owned(), algorithm: Algorithm::HS256 }
    }

    /// Sees everything.
    pub fn admin() -> Self {
        Self::with_roles(&["audit:admin"])
    }

    /// Sees one organisation.
    pub fn org_admin(organization: &str) -> Self {
        Self::with_roles(&["audit:org-admin"]).claim("org", organization)
    }

    /// Sets a claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Valid until so many seconds from now (negative: expired).
    pub fn expires_in(self, seconds: i64) -> Self {
        let now = i64::try_from(unique::seconds_now()).unwrap_or(i64::MAX);
        self.claim("exp", now.saturating_add(seconds))
    }

    /// Signed with another secret.
    pub fn signed_with(mut self, secret: &str) -> Self {
        secret.clone_into(&mut self.secret);
        self
    }

    /// With another HMAC algorithm.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// The signed token.
    pub fn sign(&self) -> String {
        let key = EncodingKey::from_secret(self.secret.as_bytes());
        jsonwebtoken::encode(&Header::new(self.algorithm), &self.claims, &key).expect("a token can be signed")
    }

    /// The value of the `Authorization` header.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.sign())
    }
}
