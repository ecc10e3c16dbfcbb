//! The same pages through the API, once: what a caller waits, connecting included.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Result, ensure};
use shared::cursor;
use shared::filter::{EventFilter, Order, PageKey, Pattern, Sort};
use test_support::{Daemon, DaemonConfig, Token};

use super::{LIMIT, READS};
use crate::figures::Run;
use crate::http_client::{self, Pace};
use crate::percentile::percentiles;
use crate::store_filled::FilledStore;

/// Adds a figure for each list's first page and its page from the cursor.
pub(super) async fn measure(
    store: &FilledStore,
    lists: &[(&'static str, Vec<EventFilter>)],
    after: PageKey,
    run: &mut Run,
) -> Result<()> {
    let config = DaemonConfig::new(&store.database).set("telemetry", "log_filter", "\"warn\"");
    let api = Daemon::audit_api(&config).ready().await;
    for (name, filters) in lists {
        eprintln!("pages through the API, {name}");
        let filters = filters.clone();
        let address = api.api_address();
        let reading = tokio::task::spawn_blocking(move || both(address, &filters, after));
        let (first, deep) = reading.await??;
        run.add(&format!("first page through the API, {name}, p50"), "ms", first);
        run.add(&format!("deep page through the API, {name}, p50"), "ms", deep);
    }
    Ok(())
}

fn both(address: SocketAddr, filters: &[EventFilter], after: PageKey) -> Result<(f64, f64)> {
    let token = Token::admin().bearer();
    let (mut first, mut deep) = (Vec::new(), Vec::new());
    for (nth, filter) in filters.iter().cycle().take(READS + READS / 10).enumerate() {
        let query = query(filter);
        // The list as the API understands it: without the records of accesses, unless they are asked for.
        let asked = EventFilter { without_accesses: filter.aggregate_type.is_empty(), ..filter.clone() };
        let cursor = cursor::encode(&after, &cursor::fingerprint(&asked, Sort::Time, Order::Descending));
        for (times, path) in [(&mut first, query.clone()), (&mut deep, format!("{query}&cursor={cursor}"))] {
            let started = Instant::now();
            let answer = http_client::get(address, &path, &token, "application/json", Pace::Fast)?;
            let elapsed = started.elapsed();
            ensure!(answer.is_complete && answer.bytes > 0, "{path} had no answer");
            if nth >= READS / 10 {
                times.push(elapsed);
            }
        }
    }
    Ok((percentiles(first).p50, percentiles(deep).p50))
}

/// The list's address; every value of these filters is made of letters, digits, `-` and `:`.
fn query(filter: &EventFilter) -> String {
    let mut query = format!("/v1/events?limit={LIMIT}");
    let mut add = |name: &str, value: &str| query.extend(["&", name, "=", value]);
    for (name, time) in [("from", filter.from), ("to", filter.to)] {
        if let Some(time) = time {
            add(name, &time.to_string());
        }
    }
    for (name, patterns) in [("eventType", &filter.event_type), ("aggregateType", &filter.aggregate_type)] {
        for pattern in patterns {
            if let Pattern::Exact(text) = pattern {
                add(name, text);
            }
        }
    }
    for (name, values) in [
        ("aggregateId", &filter.aggregate_id),
        ("organizationId", &filter.organization_id),
        ("userId", &filter.user_id),
        ("correlationId", &filter.correlation_id),
        ("causationId", &filter.causation_id),
    ] {
        for value in values {
            add(name, value);
        }
    }
    query
}
