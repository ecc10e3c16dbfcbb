//! Recomputes the account from the rows: every leaf, every batch root, every number (semantics.md 4, 8).
//!
//! Three passes, each in constant memory: the append numbers (`numbers`), the rows of each log against the roots
//! (`roots`), and what belongs to no append (`strays`). Rows are immutable, so ingest goes on beside it: everything up
//! to the head at its start is looked at.

mod account;
mod numbers;
mod roots;
mod strays;

use shared::position::LogName;
use tokio_postgres::Client;

use crate::error::StoreError;

/// Findings after which a verification ends: what is wrong is clear by then.
const MOST_FINDINGS: usize = 100;

const HEAD: &str = include_str!("../../sql/append_head.sql");
const LOGS: &str = include_str!("../../sql/all_logs.sql");

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
    /// The row, in words: `audit.events/0/1 offset 17`, `append 12`.
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
    /// Stored events whose leaves were recomputed.
    pub events: u64,
    /// The first wrong rows, at most 100; empty = clean.
    pub findings: Vec<Finding>,
}

impl Verification {
    /// Whether everything is as it was written.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    fn is_full(&self) -> bool {
        self.findings.len() >= MOST_FINDINGS
    }

    fn find(&mut self, table: &'static str, row: impl Into<String>, problem: impl Into<String>) {
        if !self.is_full() {
            self.findings.push(Finding { table, row: row.into(), problem: problem.into() });
        }
    }
}

/// A log as verification needs it.
struct VerifiedLog {
    log_id: i32,
    name: LogName,
}

impl VerifiedLog {
    /// A record of it, in words.
    fn record(&self, offset: i64) -> String {
        let LogName { topic, partition, incarnation, .. } = &self.name;
        format!("{topic}/{partition}/{incarnation} offset {offset}")
    }
}

/// Verifies everything up to the head at its start, in constant memory, beside ingest. `client` must be able to read
/// every table (`audit_operator`); `progress` is called every few thousand rows.
pub async fn verify(
    client: &Client,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Verification, StoreError> {
    let head: i64 = match client.query_opt(HEAD, &[]).await? {
        Some(row) => row.try_get(0)?,
        None => return Err(StoreError::corrupt("append_head", "last", "the row is gone")),
    };
    let mut found = Verification { head, ..Verification::default() };
    found.progress.appends_total = head.unsigned_abs();
    progress(found.progress);
    numbers::verify(client, &mut found).await?;
    for log in all_logs(client).await? {
        roots::verify(client, &log, &mut found, &mut progress).await?;
    }
    if !found.is_full() {
        strays::verify(client, &mut found).await?;
    }
    progress(found.progress);
    Ok(found)
}

async fn all_logs(client: &Client) -> Result<Vec<VerifiedLog>, StoreError> {
    let rows = client.query(LOGS, &[]).await?;
    rows.iter()
        .map(|row| {
            let name = LogName {
                cluster: row.try_get(1)?,
                topic: row.try_get(2)?,
                partition: row.try_get(3)?,
                incarnation: row.try_get(4)?,
            };
            Ok(VerifiedLog { log_id: row.try_get(0)?, name })
        })
        .collect()
}
