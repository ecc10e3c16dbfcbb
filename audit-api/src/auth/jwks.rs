//! Public keys by JWKS: fetched, kept, and fetched again when a key id is not known, at most once in 30 s.
//!
//! While the source is down the keys that are known stay in use. Keys come from the configured address alone.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use credentials::{ClientTls, refusal};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde_json::Value;
use service::config::ConfigError;
use tokio::{sync::Mutex, time::Instant};

use super::AuthError;

/// The setting that says whom we trust.
const AUTHORITIES: &str = "auth.jwks_ca_file";
/// The least time between two fetches that unknown key ids ask for.
const BETWEEN_FETCHES: Duration = Duration::from_secs(30);
/// A source that takes longer counts as down.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// A larger document is refused, in bytes.
const LARGEST: usize = 1024 * 1024;
/// Keys taken of one document.
const MOST_KEYS: usize = 100;
/// The least RSA modulus, in bytes (RFC 7518, 3.3).
const LEAST_RSA_BYTES: usize = 256;

/// The keys of one issuer.
pub struct Jwks {
    source: Source,
    algorithm: Algorithm,
    http: reqwest::Client,
    keys: ArcSwapOption<Vec<NamedKey>>,
    /// When the last fetch for an unknown key id began; held while any runs, so that there is only one.
    last_fetch: Mutex<Option<Instant>>,
}

#[derive(Debug)]
enum Source {
    Url(String),
    File(PathBuf),
}

#[derive(Clone)]
struct NamedKey {
    id: Option<String>,
    key: Arc<DecodingKey>,
}

/// The keys could not be fetched; the ones before stay.
#[derive(Debug, thiserror::Error)]
pub(super) enum JwksError {
    /// The file cannot be read.
    #[error("the key file cannot be read: {0}")]
    File(#[from] std::io::Error),
    /// TLS failed; the text says why, and what to do.
    #[error("the keys cannot be fetched: {0}")]
    Handshake(String),
    /// No answer, or not a good one.
    #[error("the keys cannot be fetched: {0}")]
    Fetch(reqwest::Error),
    /// Over a mebibyte.
    #[error("the document is larger than {LARGEST} bytes")]
    TooLarge,
    /// Not a key set.
    #[error("the document is not a JSON Web Key Set")]
    Malformed,
    /// A key set without a key for the configured algorithm.
    #[error("the document holds no signature key for the configured algorithm")]
    NoKeys,
}

impl From<reqwest::Error> for JwksError {
    fn from(error: reqwest::Error) -> Self {
        refusal(&error, AUTHORITIES).map_or(Self::Fetch(error), Self::Handshake)
    }
}

impl Jwks {
    /// Keys from `https://…`, `http://…` or `file:///…`; nothing is fetched yet.
    pub fn new(source: &str, authorities: Option<&Path>, algorithm: Algorithm) -> Result<Self, ConfigError> {
        let source = match source.strip_prefix("file://") {
            Some(path) => Source::File(PathBuf::from(path)),
            None => Source::Url(source.to_owned()),
        };
        let tls = ClientTls::new("jwks").trusting(authorities).config();
        let tls = tls.map_err(|error| ConfigError::key(AUTHORITIES, error.to_string()))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .timeout(FETCH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ConfigError::key("auth.jwks_url", format!("no HTTP client: {error}")))?;
        Ok(Self { source, algorithm, http, keys: ArcSwapOption::empty(), last_fetch: Mutex::new(None) })
    }

    /// The key of this id; without an id, the only key there is.
    pub async fn key(&self, id: Option<&str>) -> Result<Arc<DecodingKey>, AuthError> {
        if let Some(key) = self.known(id) {
            return Ok(key);
        }
        self.fetch_unless_recent().await;
        match self.known(id) {
            Some(key) => Ok(key),
            None if self.keys.load().is_none() => Err(AuthError::KeysUnavailable),
            None => Err(AuthError::Invalid("no key of this id")),
        }
    }

    fn known(&self, id: Option<&str>) -> Option<Arc<DecodingKey>> {
        let keys = self.keys.load_full()?;
        let found = match (id, keys.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        found.map(|key| Arc::clone(&key.key))
    }

    async fn fetch_unless_recent(&self) {
        let mut last = self.last_fetch.lock().await;
        if last.is_some_and(|at| at.elapsed() < BETWEEN_FETCHES) {
            return;
        }
        *last = Some(Instant::now());
        // Said already; whether the key is known now is what counts.
        let _ = self.fetch_and_tell().await;
    }

    /// Fetches now, as a schedule wants it; the reason when no keys are known at all.
    pub async fn refresh(&self) -> Result<(), String> {
        let _one_at_a_time = self.last_fetch.lock().await;
        let fetched = self.fetch_and_tell().await;
        if self.keys.load().is_some() { Ok(()) } else { fetched.map_err(|error| error.to_string()) }
    }

    async fn fetch_and_tell(&self) -> Result<(), JwksError> {
        match self.fetch().await {
            Ok(keys) => {
                self.keys.store(Some(Arc::new(keys)));
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "the public keys could not be refreshed; the known ones stay in use");
                Err(error)
            }
        }
    }

    async fn fetch(&self) -> Result<Vec<NamedKey>, JwksError> {
        let text = match &self.source {
            Source::File(path) => tokio::fs::read(path).await?,
            Source::Url(url) => self.download(url).await?,
        };
        if text.len() > LARGEST {
            return Err(JwksError::TooLarge);
        }
        usable(&text, self.algorithm)
    }

    async fn download(&self, url: &str) -> Result<Vec<u8>, JwksError> {
        let mut response = self.http.get(url).send().await?.error_for_status()?;
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if text.len() + chunk.len() > LARGEST {
                return Err(JwksError::TooLarge);
            }
            text.extend_from_slice(&chunk);
        }
        Ok(text)
    }
}

/// The keys of a document that may verify the algorithm; of a doubled id the first. Keys that we cannot read are
/// passed over one by one: a provider may add kinds that we do not know.
fn usable(document: &[u8], algorithm: Algorithm) -> Result<Vec<NamedKey>, JwksError> {
    let document: Value = serde_json::from_slice(document).map_err(|_| JwksError::Malformed)?;
    let entries = document.get("keys").and_then(Value::as_array).ok_or(JwksError::Malformed)?;
    let mut keys: Vec<NamedKey> = Vec::new();
    for entry in entries.iter().take(MOST_KEYS) {
        let Ok(jwk) = serde_json::from_value::<Jwk>(entry.clone()) else { continue };
        let id = jwk.common.key_id.clone();
        if !suits(&jwk, algorithm) || keys.iter().any(|key| key.id == id) {
            continue;
        }
        if let Ok(key) = DecodingKey::from_jwk(&jwk) {
            keys.push(NamedKey { id, key: Arc::new(key) });
        }
    }
    if keys.is_empty() { Err(JwksError::NoKeys) } else { Ok(keys) }
}

/// Whether a key may check signatures (`use` is optional, RFC 7517, 4.2: only another use speaks against it), and is
/// bound to the algorithm by its own word and its kind.
fn suits(jwk: &Jwk, algorithm: Algorithm) -> bool {
    let for_signatures =
        jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let (named, kind) = match (algorithm, &jwk.algorithm) {
        (Algorithm::RS256, AlgorithmParameters::RSA(rsa)) => {
            (KeyAlgorithm::RS256, rsa.n.len() * 3 / 4 >= LEAST_RSA_BYTES)
        }
        (Algorithm::ES256, AlgorithmParameters::EllipticCurve(ec)) => {
            (KeyAlgorithm::ES256, ec.curve == EllipticCurve::P256)
        }
        (Algorithm::EdDSA, AlgorithmParameters::OctetKeyPair(okp)) => {
            (KeyAlgorithm::EdDSA, okp.curve == EllipticCurve::Ed25519)
        }
        _ => return false,
    };
    for_signatures && kind && jwk.common.key_algorithm.as_ref().is_none_or(|said| *said == named)
}
