//! The id of a schema that somebody else has registered.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{Registry, RegistryError, encoded, unavailable};

#[derive(Debug, Deserialize)]
struct Found {
    id: u32,
}

#[derive(Debug, Deserialize)]
struct Refused {
    error_code: Option<u32>,
}

impl Registry {
    /// The id under which this very schema is registered for a subject; registers nothing.
    ///
    /// [`RegistryError::Unknown`] when the registry itself says that it is not.
    pub async fn id_of(&self, subject: &str, text: &str) -> Result<u32, RegistryError> {
        let path = format!("/subjects/{}", encoded(subject));
        let request = self.request(Method::POST, &path).json(&json!({ "schema": text }));
        let answer = request.send().await.map_err(|error| unavailable(&error))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| unavailable(&error))?;
        if status.is_success() {
            return serde_json::from_slice::<Found>(&body).map(|found| found.id).map_err(|error| {
                RegistryError::Unavailable(format!("answered something else than an id: {error}"))
            });
        }
        let code = serde_json::from_slice::<Refused>(&body).ok().and_then(|refused| refused.error_code);
        match code {
            Some(40401 | 40403) if status == StatusCode::NOT_FOUND => {
                Err(RegistryError::Unknown(format!("subject {subject} does not have it")))
            }
            None if status == StatusCode::NOT_FOUND => Err(RegistryError::NoSuchAddress(path)),
            _ => Err(RegistryError::Unavailable(format!("answered {status} for {path}"))),
        }
    }
}
