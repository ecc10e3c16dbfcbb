//! Schemas by id or GUID with all that they refer to, within limits.

use std::collections::HashSet;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use shared::avro::SchemaReference;

use super::{RegisteredSchema, Registry, RegistryError, encoded, unavailable};

/// A larger answer is refused: no honest schema comes near it.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// How deep references may refer to others.
const MAX_DEPTH: usize = 16;

/// How many schemas one schema may bring along.
const MAX_REFERENCES: usize = 64;

/// Confluent's codes for "there is none": subject, version, schema.
const NOT_FOUND_CODES: [u32; 3] = [40401, 40402, 40403];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    schema: String,
    schema_type: Option<String>,
    #[serde(default)]
    references: Option<Vec<AnsweredReference>>,
}

#[derive(Debug, Deserialize)]
struct AnsweredReference {
    subject: String,
    version: i64,
}

#[derive(Debug, Deserialize)]
struct AnsweredError {
    error_code: Option<u32>,
}

impl Registry {
    /// The schema that a record names.
    pub async fn fetch(&self, reference: SchemaReference) -> Result<RegisteredSchema, RegistryError> {
        match reference {
            SchemaReference::Id(id) => self.fetch_from(&format!("/schemas/ids/{id}")).await,
            SchemaReference::Guid(guid) => {
                let fetched = self.fetch_from(&format!("/schemas/guids/{guid}")).await;
                match fetched {
                    // An older registry, or Apicurio, has no GUIDs at all, so it will never know this one.
                    Err(RegistryError::NoSuchAddress(path)) if self.is_healthy().await => {
                        Err(RegistryError::Unknown(format!("{path}: this registry has no GUIDs")))
                    }
                    fetched => fetched,
                }
            }
        }
    }

    /// Whether the registry itself answers, rather than something in between.
    async fn is_healthy(&self) -> bool {
        let Ok(response) = self.request(Method::GET, "/schemas/types").send().await else { return false };
        response.status().is_success() && response.json::<Vec<String>>().await.is_ok()
    }

    async fn fetch_from(&self, path: &str) -> Result<RegisteredSchema, RegistryError> {
        let answer = self.answer(path).await?;
        require_avro(&answer)?;
        let mut gathered = Gathered::default();
        Box::pin(self.gather(answer.references.unwrap_or_default(), &mut gathered, 1)).await?;
        Ok(RegisteredSchema { text: answer.schema, references: gathered.texts })
    }

    async fn gather(
        &self,
        references: Vec<AnsweredReference>,
        gathered: &mut Gathered,
        depth: usize,
    ) -> Result<(), RegistryError> {
        if depth > MAX_DEPTH && !references.is_empty() {
            return Err(RegistryError::Unusable(format!("references are nested over {MAX_DEPTH} deep")));
        }
        for reference in references {
            if !gathered.seen.insert((reference.subject.clone(), reference.version)) {
                continue;
            }
            if gathered.seen.len() > MAX_REFERENCES {
                return Err(RegistryError::Unusable(format!("it refers to over {MAX_REFERENCES} schemas")));
            }
            let path = format!("/subjects/{}/versions/{}", encoded(&reference.subject), reference.version);
            let answer = self.answer(&path).await?;
            require_avro(&answer)?;
            Box::pin(self.gather(answer.references.unwrap_or_default(), gathered, depth + 1)).await?;
            gathered.texts.push(answer.schema);
        }
        Ok(())
    }

    async fn answer(&self, path: &str) -> Result<Answer, RegistryError> {
        let mut response =
            self.request(Method::GET, path).send().await.map_err(|error| unavailable(&error))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unavailable(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                return Err(RegistryError::Unusable(format!("the answer is over {MAX_ANSWER_BYTES} bytes")));
            }
        }
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| {
                RegistryError::Unavailable(format!("answered something else than a schema: {error}"))
            });
        }
        Err(refusal(status, &body, path))
    }
}

#[derive(Default)]
struct Gathered {
    seen: HashSet<(String, i64)>,
    texts: Vec<String>,
}

fn require_avro(answer: &Answer) -> Result<(), RegistryError> {
    match answer.schema_type.as_deref() {
        None | Some("AVRO") => Ok(()),
        Some(other) => Err(RegistryError::Unusable(format!("it is {other}, not Avro"))),
    }
}

/// Only Confluent's own codes say that there is none: any proxy in between can answer a bare 404.
fn refusal(status: StatusCode, body: &[u8], path: &str) -> RegistryError {
    let code = serde_json::from_slice::<AnsweredError>(body).ok().and_then(|error| error.error_code);
    match code {
        Some(code) if status == StatusCode::NOT_FOUND && NOT_FOUND_CODES.contains(&code) => {
            RegistryError::Unknown(format!("{path} ({code})"))
        }
        None if status == StatusCode::NOT_FOUND => RegistryError::NoSuchAddress(path.to_owned()),
        _ => RegistryError::Unavailable(format!("answered {status} for {path}")),
    }
}
