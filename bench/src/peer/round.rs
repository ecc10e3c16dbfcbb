//! One round of the peer: a fresh table, Kafka Connect from the topic's beginning, and what the table says afterwards.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use test_support::{Role, TestDatabase};
use tokio_postgres::Client;

use super::connect::Connect;
use crate::preload::Topic;
use crate::process::Backends;
use crate::wal::WalPosition;

/// As seldom as the product is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Nothing comes any more. A JVM needs some seconds before the first row.
const STALLED: Duration = Duration::from_mins(1);

/// What one round took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    /// Rows a second from the first commit to the last, so without the JVM's start; the first commit's rows, which
    /// took no time in this reckoning, are not counted.
    pub(super) rate: f64,
    /// The same over the second half of the rows, when the JVM is warm.
    pub(super) warm_rate: f64,
    /// Rows a commit.
    pub(super) rows_per_commit: f64,
    /// The JVM's CPU a row once rows came, in microseconds.
    pub(super) jvm_micros: f64,
    /// The CPU of its backends a row, in microseconds.
    pub(super) backend_micros: f64,
    /// The most memory that the JVM had resident, in bytes.
    pub(super) peak_resident: u64,
    /// Write-ahead log, in bytes a row.
    pub(super) wal_bytes: f64,
    /// All indexes, in bytes a row.
    pub(super) index_bytes: f64,
}

/// Drains the topic, whose records are all different and valid, by way of Kafka Connect.
pub(super) async fn drain(jars: &Path, folder: &Path, topic: &Topic) -> Result<Round> {
    let database = TestDatabase::create_empty().await;
    let client = database.connect(Role::Superuser).await;
    client.batch_execute(include_str!("../../peer/table.sql")).await?;
    // Dirty pages of the round before must not be written in this one.
    client.batch_execute("checkpoint").await?;
    let wal = WalPosition::now(&client).await?;
    let mut connect = Connect::start(jars, folder, &topic.name, &database)?;
    let seen = until_filled(&client, &mut connect, topic.records()).await?;
    let peak_resident = connect.peak_resident()?;
    let wal_bytes = wal.bytes_since(&client).await?;
    connect.stop().await?;
    read_back(&client, topic.records(), &seen, peak_resident, wal_bytes).await
}

/// What was seen while rows came.
struct Seen {
    /// The JVM's CPU since the first row was seen, in microseconds, and the rows since.
    jvm: (u64, u64),
    backend_micros: u64,
}

async fn until_filled(client: &Client, connect: &mut Connect, records: u64) -> Result<Seen> {
    let user: String = client.query_one("select current_user::text", &[]).await?.get(0);
    let mut backends = Backends::default();
    let mut first: Option<(u64, u64)> = None;
    let mut last = (0, Instant::now());
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        connect.check()?;
        backends.look(client, &user).await?;
        let rows = numbered(client).await?;
        if rows > 0 && first.is_none() {
            first = Some((connect.cpu_micros()?, rows));
        }
        // Numbers are given before the commit, and again to what is sent again: only a count says that all is there.
        if rows >= records && counted(client).await? >= records {
            let (micros, rows) = first.unwrap_or_default();
            let jvm = (connect.cpu_micros()?.saturating_sub(micros), records.saturating_sub(rows));
            return Ok(Seen { jvm, backend_micros: backends.micros() });
        }
        if rows > last.0 {
            last = (rows, Instant::now());
        }
        let end = || connect.log_end();
        ensure!(last.1.elapsed() < STALLED, "Kafka Connect stands at {rows} of {records}:\n{}", end());
    }
}

/// How many rows were given a number: at once, however many there are.
async fn numbered(client: &Client) -> Result<u64> {
    const STATEMENT: &str = "select case when is_called then last_value else 0 end from audit_events_id_seq";
    Ok(client.query_one(STATEMENT, &[]).await?.get::<_, i64>(0).unsigned_abs())
}

async fn counted(client: &Client) -> Result<u64> {
    Ok(client.query_one("select count(*) from audit_events", &[]).await?.get::<_, i64>(0).unsigned_abs())
}

#[expect(clippy::cast_precision_loss, reason = "no count here has more than 53 bits")]
async fn read_back(
    client: &Client,
    records: u64,
    seen: &Seen,
    peak_resident: u64,
    wal_bytes: u64,
) -> Result<Round> {
    let row = client.query_one(include_str!("../../peer/commits.sql"), &[]).await?;
    let rows = row.get::<_, i64>("rows").unsigned_abs();
    // A rate is worth nothing when something was lost.
    ensure!(rows == records, "the peer's table has {rows} rows, not {records}");
    let each = |total: u64| total as f64 / rows as f64;
    Ok(Round {
        rate: row.get("rate"),
        warm_rate: row.get("warm_rate"),
        rows_per_commit: row.get("rows_per_commit"),
        jvm_micros: seen.jvm.0 as f64 / seen.jvm.1.max(1) as f64,
        backend_micros: each(seen.backend_micros),
        peak_resident,
        wal_bytes: each(wal_bytes),
        index_bytes: each(row.get::<_, i64>("index_bytes").unsigned_abs()),
    })
}
