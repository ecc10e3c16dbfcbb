//! The schema registry, by Confluent's API: schemas by id or GUID, registration, compatibility.

mod fetch;
mod lookup;

use std::time::Duration;

use credentials::{ClientTls, Secret, refusal};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use schema_registry_converter::{
    async_impl::schema_registry::{SrSettings, post_schema},
    error::SRCError,
    schema_registry_common::{RawError, SchemaType, SuppliedReference, SuppliedSchema},
};
use secrecy::ExposeSecret;
use serde_json::json;
use service::config::{ConfigError, RegistrySettings};

/// The setting that says whom we trust.
const AUTHORITIES: &str = "registry.ca_file";

/// A schema with what it refers to, ready to be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredSchema {
    /// The schema's text.
    pub text: String,
    /// The texts of the schemas it refers to, each after those that it refers to itself.
    pub references: Vec<String>,
}

/// Why a schema cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A healthy registry says that there is none.
    #[error("the schema registry knows no such schema: {0}")]
    Unknown(String),
    /// No answer, or one that says nothing about the schema; worth another attempt.
    #[error("the schema registry is unavailable: {0}")]
    Unavailable(String),
    /// A 404 without a code of the registry's own: a wrong URL, or something in between; worth another attempt.
    #[error("the schema registry is unavailable: nothing at {0}; is registry.url right?")]
    NoSuchAddress(String),
    /// The schema is there and cannot be used: not Avro, over 1 MiB, too many references.
    #[error("the schema cannot be used: {0}")]
    Unusable(String),
    /// The registry refuses what was asked, such as an incompatible schema.
    #[error("the schema registry refuses: {0}")]
    Refused(String),
    /// A setting is missing or wrong.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
}

/// The levels of compatibility that Confluent's API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compatibility {
    /// No check.
    None,
    /// New readers read the last writer's data.
    Backward,
    /// New readers read every earlier writer's data.
    BackwardTransitive,
    /// The last readers read new writers' data.
    Forward,
    /// Every earlier reader reads new writers' data.
    ForwardTransitive,
    /// Both ways with the last.
    Full,
    /// Both ways with every earlier one: what the canonical envelope keeps.
    FullTransitive,
}

impl RegistryError {
    /// Whether another attempt may end otherwise, so that a record must wait instead of being refused.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::NoSuchAddress(_) | Self::Configuration(_))
    }
}

impl Compatibility {
    /// The registry's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Backward => "BACKWARD",
            Self::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Self::Forward => "FORWARD",
            Self::ForwardTransitive => "FORWARD_TRANSITIVE",
            Self::Full => "FULL",
            Self::FullTransitive => "FULL_TRANSITIVE",
        }
    }
}

/// A schema that another one refers to, as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The full name by which the schema refers to it.
    pub name: String,
    /// The subject it is registered under.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// What it refers to itself.
    pub references: Vec<Reference>,
}

/// A client of one schema registry; cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    base: String,
    client: Client,
    tls: rustls::ClientConfig,
    username: Option<String>,
    password: Option<Secret>,
    timeout: Duration,
}

impl Registry {
    /// Makes the client; does not connect yet.
    pub fn new(settings: &RegistrySettings) -> Result<Self, RegistryError> {
        let tls = ClientTls::new("registry").trusting(settings.ca_file.as_deref()).config();
        let tls = tls.map_err(|error| ConfigError::key("registry.ca_file", error.to_string()))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .connect_timeout(settings.timeout.min(Duration::from_secs(5)))
            .timeout(settings.timeout)
            .build()
            .map_err(|error| ConfigError::key("registry", format!("no HTTP client can be made: {error}")))?;
        Ok(Self {
            base: settings.url()?.to_owned(),
            client,
            tls,
            username: settings.username.clone(),
            password: settings.password.clone(),
            timeout: settings.timeout,
        })
    }

    /// What scopes schema copies: ids of another registry are other schemas.
    pub fn key(&self) -> &str {
        &self.base
    }

    /// Registers an Avro schema under a subject; the id, the same when it was there already.
    pub async fn register(
        &self,
        subject: &str,
        text: &str,
        references: &[Reference],
    ) -> Result<u32, RegistryError> {
        let schema = SuppliedSchema::new(None, SchemaType::Avro, text.to_owned())
            .with_references(references.iter().map(supplied).collect());
        let registered = post_schema(&self.converter_settings()?, encoded(subject), schema).await;
        registered.map(|schema| schema.id).map_err(|error| refused_registration(&error))
    }

    /// Sets how new schemas of a subject must relate to its earlier ones.
    pub async fn set_compatibility(&self, subject: &str, level: Compatibility) -> Result<(), RegistryError> {
        let path = format!("/config/{}", encoded(subject));
        let request = self.request(Method::PUT, &path).json(&json!({ "compatibility": level.as_str() }));
        let answer = request.send().await.map_err(|error| unavailable(&error))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(RegistryError::Unavailable(format!("answered {status}")))
            }
            status => {
                Err(RegistryError::Refused(format!("answered {status} for the compatibility of {subject}")))
            }
        }
    }

    /// With the password as its file has it now: a registry is asked seldom.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .header("accept", "application/vnd.schemaregistry.v1+json, application/json");
        match &self.username {
            Some(user) => {
                let password = self.password.as_ref().map(Secret::latest);
                request.basic_auth(user, password.as_ref().map(ExposeSecret::expose_secret))
            }
            None => request,
        }
    }

    fn converter_settings(&self) -> Result<SrSettings, RegistryError> {
        let mut builder = SrSettings::new_builder(self.base.clone());
        builder.set_timeout(self.timeout);
        if let Some(user) = &self.username {
            let password = self.password.as_ref().map(Secret::latest);
            builder.set_basic_authorization(user, password.as_ref().map(ExposeSecret::expose_secret));
        }
        let client = Client::builder().tls_backend_preconfigured(self.tls.clone());
        builder.build_with(client).map_err(|error| {
            ConfigError::key("registry.url", format!("no client can be made: {error}")).into()
        })
    }
}

fn supplied(reference: &Reference) -> SuppliedReference {
    SuppliedReference::new(reference.name.clone(), reference.subject.clone(), reference.text.clone())
        .with_references(reference.references.iter().map(supplied).collect())
}

/// Only an answer of the registry itself, with a code of its own below 500, is a refusal.
fn refused_registration(error: &SRCError) -> RegistryError {
    if let Some(reason) = refusal(error, AUTHORITIES) {
        return RegistryError::Unavailable(reason);
    }
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(answer) = inner.downcast_ref::<RawError>() {
            // 409 and 42201, but 500 and 50001: Confluent's codes begin with the status.
            let refused = answer.error_code.to_string().starts_with('4');
            return if refused {
                RegistryError::Refused(answer.message.clone())
            } else {
                RegistryError::Unavailable(answer.message.clone())
            };
        }
        cause = inner.source();
    }
    RegistryError::Unavailable(error.error.clone())
}

/// Without the address: it may hold a password.
fn unavailable(error: &reqwest::Error) -> RegistryError {
    if let Some(reason) = refusal(error, AUTHORITIES) {
        return RegistryError::Unavailable(reason);
    }
    let kind = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the answer broke off"
    };
    RegistryError::Unavailable(kind.to_owned())
}

/// A path segment, percent-encoded.
fn encoded(segment: &str) -> String {
    use std::fmt::Write;
    segment.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes everything");
        }
        out
    })
}
