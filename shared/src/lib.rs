//! The vocabulary of the audit trail: events and their checks, the one renderer, digests, leaves, positions, filters.
//!
//! Pure: no network, no database, no clock of its own. What is stored, hashed, compared, replayed and returned is
//! decided here, once. Formats are pinned by golden files under `schemas/golden`.

pub mod access;
pub mod account;
pub mod avro;
pub mod causation;
pub mod clock;
pub mod csv;
pub mod cursor;
pub mod digest;
pub mod envelope;
pub mod event;
pub mod filter;
pub mod index_set;
mod jcs;
pub mod json;
pub mod leaf;
pub mod payload_query;
pub mod position;
pub mod problem;
pub mod protected;
pub mod record;
pub mod refusal;
pub mod retention;
pub mod scope;
mod sha256;
pub mod state;
pub mod text_query;
pub mod time_bucket;
pub mod timestamp;
pub mod view;
pub mod vocabulary;
