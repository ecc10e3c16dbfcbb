//! Recomputes the account from the rows: every leaf, every batch root, every number (semantics.md 4, 8).

use tokio_postgres::Client;

use crate::error::StoreError;

/// How far a verification is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Appends whose roots have been recomputed.
    pub appends: u64,
    /// Appends up to the head at the start.
    pub appends_total: u64,
    /// Offsets accounted for so far.
    pub offsets: u64,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The table it shows in.
    pub table: &'static str,
    /// The row, in words: `log 3 (audit.events/0/1) offset 17`, `append 12`.
    pub row: String,
    /// What is wrong.
    pub problem: String,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// The head at the start: everything up to here was looked at.
    pub head: i64,
    /// What was looked at.
    pub progress: Progress,
    /// Stored events that were recomputed.
    pub events: u64,
    /// The first wrong rows, at most 100; empty = clean.
    pub findings: Vec<Finding>,
}

/// Verifies everything up to the head at its start, in constant memory, beside ingest. `client` must be able to read
/// every table (`audit_operator`).
pub async fn verify(
    client: &Client,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Verification, StoreError> {
    let _ = client;
    progress(Progress::default());
    Err(StoreError::Refused("verify is not built yet".to_owned()))
}
