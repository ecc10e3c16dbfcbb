//! A writer's schema, parsed and made ready for reading events.

use std::panic::{AssertUnwindSafe, catch_unwind};

use apache_avro::Schema;

use super::envelope::Layout;
use super::plan::Plan;
use super::reduce::reduce;
use crate::envelope::{BorrowedEnvelope, Envelope};
use crate::refusal::{Reason, Refusal};

/// The most bytes of a schema with all that it refers to.
const MAX_TEXT: usize = 1024 * 1024;

/// The schema cannot be used to read events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Over a limit.
    #[error("the schema is too large: {0}")]
    TooLarge(&'static str),
    /// Not an Avro schema, or none of a record.
    #[error("not a usable Avro schema: {0}")]
    Invalid(String),
    /// A field of the envelope is not in the record.
    #[error("the schema's record has no field {0}")]
    MissingField(&'static str),
    /// A field of the envelope has a type that it cannot be read from.
    #[error("the schema gives the field {0} a type that it cannot have")]
    FieldType(&'static str),
}

impl From<SchemaError> for Refusal {
    /// What a record is refused with, whose schema this is.
    fn from(error: SchemaError) -> Self {
        let (reason, pointer) = match &error {
            SchemaError::TooLarge(_) => (Reason::LimitExceeded, String::new()),
            SchemaError::Invalid(_) => (Reason::Undecodable, String::new()),
            SchemaError::MissingField(name) | SchemaError::FieldType(name) => {
                (Reason::EnvelopeInvalid, format!("/{name}"))
            }
        };
        Self::new(reason, pointer, error.to_string())
    }
}

/// A parsed writer schema: the canonical envelope, or a producer's typed one (semantics.md 1).
#[derive(Debug, Clone)]
pub struct WriterSchema {
    plan: Plan,
    layout: Layout,
}

impl WriterSchema {
    /// Parses a schema with the schemas that it refers to by name; bounded in size and depth, since anyone who may
    /// register can send one.
    pub fn parse(text: &str, references: &[String]) -> Result<Self, SchemaError> {
        let size = references.iter().map(String::len).fold(text.len(), usize::saturating_add);
        if size > MAX_TEXT {
            return Err(SchemaError::TooLarge("over 1 MiB with its references"));
        }
        let text = reduce(text)?;
        let references =
            references.iter().map(|reference| reduce(reference)).collect::<Result<Vec<_>, _>>()?;
        // The parser has `expect`s on what references may hold; a schema must not end the process.
        let parsed = catch_unwind(AssertUnwindSafe(|| Schema::parse_str_with_list(&text, &references)))
            .map_err(|_| SchemaError::Invalid("its references contradict each other".to_owned()))?;
        let (schema, references) = parsed.map_err(|error| invalid(&error))?;
        let plan = Plan::new(&schema, &references)?;
        let layout = Layout::new(&plan)?;
        Ok(Self { plan, layout })
    }

    /// Reads one event. The bytes are not trusted: nothing is allocated that they only claim, and depth, number of
    /// values and rendered size are bounded.
    ///
    /// Refused with [`Reason::Undecodable`] when the bytes are no datum of this schema or more than one;
    /// [`Reason::LimitExceeded`] over a limit; [`Reason::EnvelopeInvalid`] or [`Reason::PayloadInvalid`], with the
    /// pointer, when a field is null or holds what cannot be shown. What the values may be, [`crate::envelope::accept`]
    /// checks.
    pub fn decode(&self, datum: &[u8]) -> Result<Envelope, Refusal> {
        self.read(datum).map(BorrowedEnvelope::into_owned)
    }

    /// The same, its texts borrowed from the datum where they stand in it as they are.
    pub fn read<'a>(&'a self, datum: &'a [u8]) -> Result<BorrowedEnvelope<'a>, Refusal> {
        self.layout.read(&self.plan, datum)
    }
}

/// The parser's words, cut: they may repeat the schema, and go with every record that is refused for it.
pub(super) fn invalid(error: &impl std::fmt::Display) -> SchemaError {
    const MAX_CHARACTERS: usize = 300;
    SchemaError::Invalid(error.to_string().chars().take(MAX_CHARACTERS).collect())
}
