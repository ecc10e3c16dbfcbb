//! What an operator decides about a log: a gap that may be passed over, a new life of a partition (semantics.md 4). And the
//! root of the ledger, by which two databases are compared.

use shared::leaf::{AppendEntry, RootBuilder};
use shared::position::LogName;
use tokio_postgres::{Client, Row};

use crate::error::StoreError;
use crate::sql_types::Micros;

const ACCEPT_GAP: &str = include_str!("../sql/accept_gap.sql");
const NEW_INCARNATION: &str = include_str!("../sql/new_incarnation.sql");
const HEAD: &str = include_str!("../sql/head.sql");
const ENTRIES: &str = include_str!("../sql/ledger_entries.sql");

/// Entries read at once.
const ENTRIES_AT_ONCE: i64 = 10_000;

/// The ledger up to an append: the RFC 6962 root over the entries of appends 1 to `size` (semantics.md 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerRoot {
    /// The last append that is in it.
    pub size: i64,
    /// The root of the tree.
    pub root: [u8; 32],
    /// Events that these appends stored.
    pub events: i64,
    /// Offsets that they account for.
    pub offsets: i64,
}

/// The root over the appends up to `at` (the newest when `None`), from the table of appends alone: that the rows agree with it is
/// what [`verify`](crate::verify) shows. It ends earlier where an append is missing.
pub async fn root(client: &Client, at: Option<i64>) -> Result<LedgerRoot, StoreError> {
    let head: i64 = client.query_one(HEAD, &[]).await?.try_get(0)?;
    let until = at.map_or(head, |at| at.min(head));
    let mut ledger = LedgerRoot { size: 0, root: RootBuilder::new().finish(), events: 0, offsets: 0 };
    let mut tree = RootBuilder::new();
    loop {
        let rows = client.query(ENTRIES, &[&ledger.size, &until, &ENTRIES_AT_ONCE]).await?;
        for row in &rows {
            let log = LogName {
                cluster: row.try_get(1)?,
                topic: row.try_get(2)?,
                partition: row.try_get(3)?,
                incarnation: row.try_get(4)?,
            };
            let entry = entry(row, &log)?;
            if entry.append_no != ledger.size + 1 {
                ledger.root = tree.finish();
                return Ok(ledger);
            }
            tree.push(entry.leaf_hash());
            ledger.size = entry.append_no;
            ledger.events += entry.stored;
            ledger.offsets += entry.next_offset - entry.from_offset;
        }
        if rows.is_empty() {
            ledger.root = tree.finish();
            return Ok(ledger);
        }
    }
}

fn entry<'a>(row: &Row, log: &'a LogName) -> Result<AppendEntry<'a>, StoreError> {
    let number = |at: usize| row.try_get::<_, i32>(at).map(i64::from);
    let root: &[u8] = row.try_get(11)?;
    let root = root.try_into();
    let root = root.map_err(|_| StoreError::corrupt("appends", "batch_root", "is not 32 bytes"))?;
    let Micros(recorded_at) = row.try_get(12)?;
    Ok(AppendEntry {
        append_no: row.try_get(0)?,
        log,
        from_offset: row.try_get(5)?,
        next_offset: row.try_get(6)?,
        stored: number(7)?,
        duplicate: number(8)?,
        dead_lettered: number(9)?,
        skipped: row.try_get(10)?,
        root,
        recorded_at,
    })
}

/// Accepts that the offsets of the partition below `to` (exclusive) may be gone: where gaps stop a partition, it goes
/// on from there and records them as `gap`. Answers the log's id.
pub async fn accept_gap(
    client: &Client,
    cluster: &str,
    topic: &str,
    partition: i32,
    to: i64,
) -> Result<i32, StoreError> {
    Ok(client.query_one(ACCEPT_GAP, &[&cluster, &topic, &partition, &to]).await?.try_get(0)?)
}

/// Closes the newest incarnation of the partition and opens the next at position 0, for a topic that was made anew.
/// Answers the new log's id and incarnation.
pub async fn new_incarnation(
    client: &Client,
    cluster: &str,
    topic: &str,
    partition: i32,
) -> Result<(i32, i32), StoreError> {
    let row = client.query_one(NEW_INCARNATION, &[&cluster, &topic, &partition]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
