//! Copies of every writer schema that was met, so that stored ids stay decodable without the registry (semantics.md 5).

use tokio_postgres::Client;

use crate::error::StoreError;

/// A writer schema with the schemas it refers to, in the order in which they must be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSchema {
    /// The schema's text.
    pub text: String,
    /// The texts of what it refers to.
    pub references: Vec<String>,
}

const LOAD: &str = include_str!("../sql/load_schema.sql");
const KEEP: &str = include_str!("../sql/keep_schema.sql");

/// The copy of a schema. `registry` is what scopes ids (its URL or configured name), `reference` is `id:<n>` or
/// `guid:<uuid>`.
pub async fn load_schema(
    client: &Client,
    registry: &str,
    reference: &str,
) -> Result<Option<StoredSchema>, StoreError> {
    let Some(row) = client.query_opt(LOAD, &[&registry, &reference]).await? else { return Ok(None) };
    Ok(Some(StoredSchema { text: row.try_get(0)?, references: row.try_get(1)? }))
}

/// Keeps a copy. An id never changes its schema: another text under the same reference is [`StoreError::Refused`].
pub async fn keep_schema(
    client: &Client,
    registry: &str,
    reference: &str,
    schema: &StoredSchema,
) -> Result<(), StoreError> {
    client.execute(KEEP, &[&registry, &reference, &schema.text, &schema.references]).await?;
    match load_schema(client, registry, reference).await? {
        Some(kept) if kept == *schema => Ok(()),
        _ => Err(StoreError::Refused(format!(
            "the registry now gives another schema for {reference} than the copy that is kept: is it the same registry?"
        ))),
    }
}
