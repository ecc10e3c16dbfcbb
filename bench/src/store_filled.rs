//! Stores that are filled once, by the product itself, and found again by later runs.

use std::ops::Range;

use anyhow::Result;
use shared::envelope::Envelope;
use test_support::TestDatabase;

use crate::index_set::IndexSet;
use crate::ingest::{Store, drain};
use crate::preload::preloaded;
use crate::workload::{Ids, Kind, Workload};

/// A store that holds a whole workload, with statistics and without dead rows.
pub(crate) struct FilledStore {
    /// Its database.
    pub(crate) database: TestDatabase,
    /// What it holds, and which events they are.
    pub(crate) workload: Workload,
    /// Rows of `audit.events`.
    pub(crate) events: u64,
}

impl FilledStore {
    /// Events spread evenly over the part of the store that these records made; other ones every round.
    pub(crate) fn sampled(&self, records: Range<u64>, count: u64, round: usize) -> Vec<Envelope> {
        const ROUNDS: u64 = 16;
        let step = ((records.end - records.start) / count.max(1)).max(1);
        let shift = step * (u64::try_from(round).unwrap_or(0) % ROUNDS) / ROUNDS;
        let numbers =
            (0..count).map(|nth| records.start + nth * step + shift).filter(|number| *number < records.end);
        let fresh = numbers.filter(|number| self.workload.kind(*number) == Kind::Fresh);
        fresh.map(|number| self.workload.envelope(number)).collect()
    }
}

/// The store of `records` records whose times are spread over so many months: found, or filled now.
pub(crate) async fn filled(records: u64, months: u32) -> Result<FilledStore> {
    let workload = Workload::new(records, Ids::V7).over_months(months);
    let name = format!("audit_bench_{records}_{months}m");
    let mark = workload.topic();
    let database = match TestDatabase::find_kept(&name, &mark).await {
        Some(database) => database,
        None => fill(&workload).await?.keep_as(&name, &mark).await,
    };
    let events = workload.expected().stored;
    Ok(FilledStore { database, workload, events })
}

async fn fill(workload: &Workload) -> Result<TestDatabase> {
    let topic = preloaded(workload).await?;
    eprintln!("filling a store from {}", topic.name);
    let Store { database, client, .. } = drain(workload, &topic, IndexSet::Standard).await?;
    // As autovacuum leaves them in time: what is measured is reading, not the first look at each row.
    for table in ["events", "event_ids", "appends", "dispositions", "logs"] {
        client.batch_execute(&format!("vacuum (analyze, freeze) audit.{table}")).await?;
    }
    client.batch_execute("checkpoint").await?;
    Ok(database)
}
