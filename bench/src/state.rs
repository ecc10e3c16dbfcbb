//! The state of an aggregate of about a hundred events, through the API: what a caller waits, connecting included.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use test_support::{Daemon, DaemonConfig, Role, Token};

use crate::Options;
use crate::figures::{Bar, Run};
use crate::http_client::{self, Pace};
use crate::percentile::{Percentiles, percentiles};
use crate::store_filled::{FilledStore, filled};

/// Records of the store, unless the options say.
const RECORDS: u64 = 2_000_000;
const MONTHS: u32 = 12;
/// Different aggregates.
const AGGREGATES: i64 = 200;
/// States read in a round, after a tenth as many that are not counted.
const READS: usize = 1_000;

const WHAT: &str = "state of 100 events over HTTP, p50";

/// Measures states and adds their latency's bar.
pub(crate) async fn measure(options: &Options, run: &mut Run) -> Result<()> {
    let store = filled(options.events.unwrap_or(RECORDS), MONTHS).await?;
    let paths = of_hundred(&store).await?;
    let config = DaemonConfig::new(&store.database).set("telemetry", "log_filter", "\"warn\"");
    let api = Daemon::audit_api(&config).ready().await;
    for round in 0..options.rounds {
        eprintln!("states, round {} of {}", round + 1, options.rounds);
        let (address, paths) = (api.api_address(), paths.clone());
        let times = tokio::task::spawn_blocking(move || read_all(address, &paths)).await??;
        run.add(WHAT, "ms", times.p50);
        run.add(&WHAT.replace("p50", "p99"), "ms", times.p99);
    }
    run.bars.push(Bar::at_most("q", WHAT, run.median(WHAT), 3.0, 2.0));
    Ok(())
}

fn read_all(address: SocketAddr, paths: &[String]) -> Result<Percentiles> {
    let token = Token::admin().bearer();
    let mut times = Vec::with_capacity(READS);
    for (nth, path) in paths.iter().cycle().take(READS + READS / 10).enumerate() {
        let started = Instant::now();
        let answer = http_client::get(address, path, &token, "application/json", Pace::Fast)?;
        let elapsed = started.elapsed();
        ensure!(answer.is_complete && answer.bytes > 0, "{path} had no answer");
        if nth >= READS / 10 {
            times.push(elapsed);
        }
    }
    Ok(percentiles(times))
}

/// The addresses of aggregates with 95 to 105 events, spread over types and organisations as they come.
async fn of_hundred(store: &FilledStore) -> Result<Vec<String>> {
    let client = store.database.connect(Role::Superuser).await;
    let statement = "select aggregate_type, aggregate_id from audit.events group by 1, 2
        having count(*) between 95 and 105 order by md5(aggregate_id) limit $1";
    let rows = client.query(statement, &[&AGGREGATES]).await.context("looking for aggregates")?;
    ensure!(!rows.is_empty(), "no aggregate of this store has about a hundred events: give more --events");
    // Both are made of letters, digits and hyphens.
    let path = |row: &tokio_postgres::Row| {
        format!("/v1/aggregates/{}/{}", row.get::<_, &str>(0), row.get::<_, &str>(1))
    };
    Ok(rows.iter().map(path).collect())
}
