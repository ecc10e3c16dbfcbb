//! The only crate that speaks SQL: migrations, the append transaction, queries, streams.
//!
//! - [`migrate`] makes roles, tables and guards; [`schema`] refuses a database whose schema this build does not know.
//! - [`Writer::append`] stores one batch in one transaction (semantics.md 3, 4): rows, ids, account and batch root.
//! - [`Reader`] reads pages, histories and recorded order, always within a [`shared::scope::Scope`].
//! - [`indexes`] knows the two sets of indexes, and changes one into the other beside writers and readers.
//! - [`verify`] recomputes the account and every root from the rows.

pub mod api_writer;
pub mod append;
pub mod batch;
mod bootstrap;
pub mod connect;
mod copy;
pub mod dead_letters;
pub mod error;
pub mod indexes;
pub mod inspect;
pub mod ledger;
pub mod logs;
pub mod migrate;
pub mod projections;
pub mod reader;
pub mod redrives;
pub mod replays;
pub mod row;
pub mod schema;
pub mod schemas;
mod sql_types;
pub mod submissions;
pub mod upkeep;
pub mod url;
pub mod verify;

pub use api_writer::ApiWriter;
pub use append::{AppendError, Appended, AppendedSpan, RecentIds, Writer};
pub use batch::{
    AsRecord, Batch, Candidate, Entry, InvalidBatch, RawRecord, RecordRef, Rejected, Span, SpanBuilder,
    SpareChunks, Stage,
};
pub use connect::connect;
pub use error::StoreError;
pub use logs::{LastRecord, Log};
pub use reader::{
    AggregateKey, Ahead, ChunkLimits, DeadLetterPage, DeadLetterRequest, HistoryKey, HistoryRange, Integrity,
    Page, PageRequest, ProducedRecord, Reader, RecordAddress, RecordFate, RecordState, RecordedChunk,
    RecordedCursor, Whereabouts,
};
pub use row::{EventRow, WholeRow};
pub use tokio_postgres::Client;
pub use url::DatabaseUrl;
