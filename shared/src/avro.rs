//! Avro: framing, writer schemas, and the decoder that renders a datum's payload as it reads it.
//!
//! `apache-avro` parses the schemas. The datums are read here, in one pass over bytes that are never trusted: its
//! decoder recurses without bound and allocates what a length claims (a 401-byte record ends the process, 5 bytes take
//! 440 MB), holds maps in random order, and has no way to render without a tree of values in between. Property tests
//! hold the two against each other.

mod container;
mod encode;
mod envelope;
mod framing;
mod input;
mod logical;
mod plan;
mod read;
mod reduce;
mod scalar;
mod schema;

pub use container::{ContainerWriter, END_LENGTH, SyncMarker, is_end};
pub use encode::{encode_canonical, push_canonical};
pub use framing::{SchemaReference, VALUE_SCHEMA_HEADER, frame, unframe};
pub use schema::{SchemaError, WriterSchema};

use crate::json::{self, ProtectedMarker};

/// The canonical envelope's schema, subject `audit.events-value`.
pub const CANONICAL_SCHEMA: &str = include_str!("../../schemas/audit_event/v1.avsc");

/// The schema of stored events in container files: the canonical envelope's, and two fields more.
pub const STORED_SCHEMA: &str = include_str!("../../schemas/audit_event/stored.avsc");

/// The canonical schema without whitespace: the text to register, since registries compare texts.
pub fn canonical_schema_compact() -> String {
    json::compact(CANONICAL_SCHEMA.to_owned(), ProtectedMarker::Allowed)
        .expect("the built-in schema is a JSON object")
}
