//! Bar 8: a page from a cursor at the millionth row of the whole store, beside the first page of the same list, without a
//! filter and with each filter that an index serves; and what that first page takes.

mod api;
mod filters;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use shared::filter::{EventFilter, Order, PageKey, Sort};
use shared::position::Position;
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use store::{PageRequest, Reader};
use test_support::Role;

use crate::Options;
use crate::figures::{Bar, Run};
use crate::percentile::percentiles;
use crate::store_filled::{FilledStore, filled};

/// Records of the store, unless the options say.
const RECORDS: u64 = 2_000_000;
const MONTHS: u32 = 12;
/// The row where the cursor stands; the middle of a smaller store.
const DEEP: u64 = 1_000_000;
/// Events on a page.
const LIMIT: u32 = 100;
/// Pages of each kind in a round, after a tenth as many that are not counted.
const READS: usize = 300;

/// Measures pages and adds bar 8.
pub(crate) async fn measure(options: &Options, run: &mut Run) -> Result<()> {
    let store = filled(options.events.unwrap_or(RECORDS), MONTHS).await?;
    let reader = Reader::connect(&store.database.database_url(Role::Api), 1, "bench").await?;
    let row = DEEP.min(store.events / 2);
    let (time, position) = at_row(&store, row).await?;
    let cursor = PageKey::Time(time, position);
    let lists = filters::lists(&store, row, time);
    for round in 0..options.rounds {
        for (name, filters) in &lists {
            eprintln!("pages, {name}, round {} of {}", round + 1, options.rounds);
            let (first, deep) = both(&reader, filters, cursor).await?;
            run.add(&format!("first page, {name}, p50"), "ms", first);
            run.add(&format!("page at row {row}, {name}, p50"), "ms", deep);
            run.add(&format!("page at row {row} ÷ first page, {name}"), "ratio", deep / first);
        }
    }
    for (name, _) in &lists {
        let what = format!("first page, {name}, p50");
        run.bars.push(Bar::at_most("q", &what, run.median(&what), 2.0, 1.0));
        let what = format!("page at row {row} ÷ first page, {name}");
        run.bars.push(Bar::at_most("8", &what, run.median(&what), 1.5, 1.1));
    }
    api::measure(&store, &lists, cursor, run).await
}

/// The median times, in milliseconds, of first pages and of pages from the cursor, read by turns.
async fn both(reader: &Reader, filters: &[EventFilter], cursor: PageKey) -> Result<(f64, f64)> {
    let (mut first, mut deep) = (Vec::with_capacity(READS), Vec::with_capacity(READS));
    for (nth, filter) in filters.iter().cycle().take(READS + READS / 10).enumerate() {
        let times = (read(reader, filter, None).await?, read(reader, filter, Some(cursor)).await?);
        if nth >= READS / 10 {
            first.push(times.0);
            deep.push(times.1);
        }
    }
    Ok((percentiles(first).p50, percentiles(deep).p50))
}

async fn read(reader: &Reader, filter: &EventFilter, after: Option<PageKey>) -> Result<Duration> {
    let request = PageRequest {
        filter: filter.clone(),
        scope: Scope::All,
        sort: Sort::Time,
        order: Order::Descending,
        limit: LIMIT,
        after,
    };
    let started = Instant::now();
    let page = reader.page(&request).await?;
    let elapsed = started.elapsed();
    // Pages that are compared must have something to show.
    ensure!(!page.events.is_empty(), "an empty page after {after:?} for {filter:?}");
    Ok(elapsed)
}

/// When and where the `row`th event of the whole store happened, newest first: where a page of everything would go on.
async fn at_row(store: &FilledStore, row: u64) -> Result<(Timestamp, Position)> {
    let client = store.database.connect(Role::Superuser).await;
    let statement = r#"select (extract(epoch from "timestamp") * 1000000)::bigint, log_id, "offset" from audit.events
        order by "timestamp" desc, log_id desc, "offset" desc offset $1 limit 1"#;
    let skipped = i64::try_from(row)? - 1;
    let found = client.query_opt(statement, &[&skipped]).await?.context("the store is smaller than that")?;
    let position = Position { log_id: found.get(1), offset: found.get(2) };
    Ok((Timestamp::from_micros(found.get(0)), position))
}
