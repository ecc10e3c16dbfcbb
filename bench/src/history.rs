//! Bar 7: the first hundred events of an aggregate's history, at the store itself, over 12 and over 84 months.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use shared::envelope::Envelope;
use shared::scope::Scope;
use store::{AggregateKey, HistoryRange, Reader};
use test_support::Role;

use crate::Options;
use crate::figures::{Bar, Run};
use crate::percentile::{Percentiles, percentiles};
use crate::store_filled::{FilledStore, filled};

/// Records of each store, unless the options say.
const RECORDS: u64 = 2_000_000;
/// Events of a history at most.
const LIMIT: u32 = 100;
/// Histories read in a round, after a tenth as many that are not counted.
const READS: u64 = 2_000;

/// Measures histories and adds bar 7.
pub(crate) async fn measure(options: &Options, run: &mut Run) -> Result<()> {
    for (months, start, reach) in [(12, 0.5, 0.3), (84, 1.5, 0.6)] {
        let store = filled(options.events.unwrap_or(RECORDS), months).await?;
        let reader = Reader::connect(&store.database.database_url(Role::Api), 1, "bench").await?;
        check_plan(&reader, &store).await?;
        let what = format!("history of up to 100 events over {months} months, p50");
        for round in 0..options.rounds {
            eprintln!("histories over {months} months, round {} of {}", round + 1, options.rounds);
            let times = read_all(&reader, &keys(&store, round)?).await?;
            run.add(&what, "ms", times.p50);
            run.add(&what.replace("p50", "p99"), "ms", times.p99);
        }
        run.bars.push(Bar::at_most("7", &what, run.median(&what), start, reach));
    }
    Ok(())
}

/// A merge of what the index has ordered, whatever the month: no sort but of ties.
async fn check_plan(reader: &Reader, store: &FilledStore) -> Result<()> {
    let key = keys(store, 0)?.pop().context("a store with events")?;
    let plan = reader.explain_history(&Scope::All, &key).await?;
    let nodes = || plan.iter().map(|line| line.trim_start().trim_start_matches("->").trim_start());
    let merges = nodes().any(|node| node.starts_with("Merge Append"));
    let sorts = nodes().any(|node| node.starts_with("Sort ("));
    ensure!(merges && !sorts, "the plan of a history is not a merge of index scans:\n{}", plan.join("\n"));
    Ok(())
}

async fn read_all(reader: &Reader, keys: &[AggregateKey]) -> Result<Percentiles> {
    let (warm_up, counted) = keys.split_at(keys.len() / 11);
    for key in warm_up {
        read(reader, key).await?;
    }
    let mut times = Vec::with_capacity(counted.len());
    for key in counted {
        times.push(read(reader, key).await?);
    }
    Ok(percentiles(times))
}

async fn read(reader: &Reader, key: &AggregateKey) -> Result<Duration> {
    let started = Instant::now();
    let events = reader.history(&Scope::All, key, &HistoryRange::default(), None, LIMIT).await?;
    let elapsed = started.elapsed();
    ensure!(!events.is_empty(), "{key:?} has no history");
    Ok(elapsed)
}

/// The aggregates of events spread evenly over the store: whoever asks for the history of an event finds an aggregate
/// with ten times the events ten times as often.
fn keys(store: &FilledStore, round: usize) -> Result<Vec<AggregateKey>> {
    let events = store.sampled(0..store.workload.events, READS + READS / 10, round);
    events.into_iter().map(key).collect()
}

fn key(event: Envelope) -> Result<AggregateKey> {
    let organization = event.metadata.get("organizationId").context("every event has an organisation")?;
    Ok(AggregateKey {
        organization_id: organization.clone(),
        aggregate_type: event.aggregate_type,
        aggregate_id: event.aggregate_id,
    })
}
