//! How a record says which schema wrote it (contract.md, "Kafka").

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::refusal::{Reason, Refusal};

/// The record header that carries the writer schema's GUID, in place of the prefix.
pub const VALUE_SCHEMA_HEADER: &str = "__value_schema_id";

const MAGIC_ID: u8 = 0;
const MAGIC_GUID: u8 = 1;

/// Which schema wrote a record; printed `id:7` or `guid:0194fdc2-…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SchemaReference {
    /// The registry's number, from the value's prefix.
    Id(u32),
    /// The registry's GUID, from the header.
    Guid(Uuid),
}

/// The text is not a schema reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a schema reference: it has the form id:<number> or guid:<uuid>")]
pub struct InvalidSchemaReference;

impl fmt::Display for SchemaReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "id:{id}"),
            Self::Guid(guid) => write!(f, "guid:{guid}"),
        }
    }
}

impl FromStr for SchemaReference {
    type Err = InvalidSchemaReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("id", id)) => id.parse().map(Self::Id).map_err(|_| InvalidSchemaReference),
            Some(("guid", guid)) => Uuid::try_parse(guid).map(Self::Guid).map_err(|_| InvalidSchemaReference),
            _ => Err(InvalidSchemaReference),
        }
    }
}

/// Takes a record apart: the reference, and the datum.
///
/// With the header [`VALUE_SCHEMA_HEADER`] (byte 1, 16 bytes of GUID) the whole value is the datum; without it the value
/// begins with byte 0 and the schema id in 4 bytes, big-endian. Anything else, and a record without a value, is
/// [`Reason::MalformedFraming`].
pub fn unframe<'a>(
    value: Option<&'a [u8]>,
    guid_header: Option<&[u8]>,
) -> Result<(SchemaReference, &'a [u8]), Refusal> {
    let malformed = |detail| Refusal::new(Reason::MalformedFraming, "", detail);
    let value = value.ok_or_else(|| malformed("the record has no value"))?;
    if let Some(header) = guid_header {
        return match header.split_first() {
            Some((&MAGIC_GUID, guid)) => match Uuid::from_slice(guid) {
                Ok(guid) => Ok((SchemaReference::Guid(guid), value)),
                Err(_) => Err(malformed("the schema header must hold 16 bytes after its first")),
            },
            _ => Err(malformed("the schema header must begin with the byte 1")),
        };
    }
    match value.split_first_chunk::<5>() {
        Some(([MAGIC_ID, id @ ..], datum)) => Ok((SchemaReference::Id(u32::from_be_bytes(*id)), datum)),
        _ => Err(malformed("the value must begin with the byte 0 and a schema id of 4 bytes")),
    }
}

/// Puts the schema id in front of a datum.
pub fn frame(schema_id: u32, datum: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(5 + datum.len());
    value.push(MAGIC_ID);
    value.extend_from_slice(&schema_id.to_be_bytes());
    value.extend_from_slice(datum);
    value
}
