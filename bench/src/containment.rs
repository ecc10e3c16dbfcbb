//! What payloads contain, within thirty days: first pages at the store, without an index over payloads and with one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use shared::envelope::Envelope;
use shared::filter::{EventFilter, Order, Sort};
use shared::payload_query::PayloadQuery;
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use store::indexes::{self, Optional, OptionalName};
use store::{PageRequest, Reader};
use test_support::Role;

use crate::Options;
use crate::figures::{Bar, Run};
use crate::percentile::percentiles;
use crate::store_filled::{FilledStore, filled};

/// Records of the store, unless the options say.
const RECORDS: u64 = 2_000_000;
const MONTHS: u32 = 12;
/// Events on a page.
const LIMIT: u32 = 100;
/// Pages of each kind in a round without the index, and with it; a tenth as many before are not counted.
const READS: [usize; 2] = [30, 300];
const FIFTEEN_DAYS: i64 = 15 * 24 * 3600 * 1_000_000;

/// The part of a payload that is looked for.
type Part = fn(&Value) -> Value;

/// What is looked for: the name of a figure, and the part of an event's payload.
const PARTS: [(&str, Part); 2] = [
    ("one event", |payload| json!({ "call": { "id": payload["call"]["id"] } })),
    ("one event in ninety", |payload| json!({ "session": { "step": payload["session"]["step"] } })),
];

/// Measures containment and adds its bars.
pub(crate) async fn measure(options: &Options, run: &mut Run) -> Result<()> {
    let store = filled(options.events.unwrap_or(RECORDS), MONTHS).await?;
    let reader = Reader::connect(&store.database.database_url(Role::Api), 1, "bench").await?;
    let migrator = store.database.database_url(Role::Migrator);
    for (kind, reads, start) in [("without an index", READS[0], 150.0), ("with an index", READS[1], 5.0)] {
        // An earlier run may have been cut.
        if kind == "without an index" {
            indexes::remove(&migrator, OptionalName::Payload, |_| ()).await?;
        } else {
            eprintln!("building the index over payloads");
            indexes::create(&migrator, &Optional::Payload, |_| ()).await?;
            let superuser = store.database.connect(Role::Superuser).await;
            superuser.batch_execute("vacuum (analyze) audit.events").await?;
        }
        reader.check().await?;
        for (name, part) in PARTS {
            let what = format!("payload containment within 30 days, {name}, {kind}, p50");
            for round in 0..options.rounds {
                eprintln!("{what}, round {} of {}", round + 1, options.rounds);
                let filters = filters(&store, part, round)?;
                run.add(&what, "ms", read_all(&reader, &filters, reads).await?);
            }
            run.bars.push(Bar::at_most("q", &what, run.median(&what), start, start / 2.0));
        }
    }
    indexes::remove(&migrator, OptionalName::Payload, |_| ()).await?;
    Ok(())
}

/// The median time in milliseconds.
async fn read_all(reader: &Reader, filters: &[EventFilter], reads: usize) -> Result<f64> {
    let mut times = Vec::with_capacity(reads);
    for (nth, filter) in filters.iter().cycle().take(reads + reads / 10).enumerate() {
        let elapsed = read(reader, filter).await?;
        if nth >= reads / 10 {
            times.push(elapsed);
        }
    }
    Ok(percentiles(times).p50)
}

async fn read(reader: &Reader, filter: &EventFilter) -> Result<Duration> {
    let request = PageRequest {
        filter: filter.clone(),
        scope: Scope::All,
        sort: Sort::Time,
        order: Order::Descending,
        limit: LIMIT,
        after: None,
    };
    let started = Instant::now();
    let page = reader.page(&request).await?;
    let elapsed = started.elapsed();
    ensure!(!page.events.is_empty(), "no event for {filter:?}");
    Ok(elapsed)
}

/// What events spread over the store hold, each looked for around its own time.
fn filters(store: &FilledStore, part: Part, round: usize) -> Result<Vec<EventFilter>> {
    let events = store.sampled(0..store.workload.events, 100, round);
    let filter = |event: &Envelope| {
        let payload: Value = serde_json::from_str(&event.payload).context("a payload of the workload")?;
        let query = PayloadQuery::parse(&part(&payload).to_string())?;
        let at = |micros: i64| Some(Timestamp::from_micros(event.timestamp.as_micros() + micros));
        Ok(EventFilter {
            payload: Some(query),
            from: at(-FIFTEEN_DAYS),
            to: at(FIFTEEN_DAYS),
            ..EventFilter::default()
        })
    };
    events.iter().map(filter).collect()
}
