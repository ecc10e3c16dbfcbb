//! Bar 6 (published, no gate): from a producer's send to a row that a query finds, through the real broker, with
//! producer, broker, ingestor and PostgreSQL on the same cores.

mod producer;
mod watcher;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use test_support::{Daemon, DaemonConfig, Role, TestDatabase, TestTopic, unique};
use tokio_postgres::Client;

use crate::Options;
use crate::figures::{Bar, Curve, Run, as_f64};
use crate::percentile::{Percentiles, percentiles};
use crate::preload::PARTITIONS;
use watcher::Watcher;

/// Events a second, and what is worth reaching for the 99th percentile, in milliseconds.
const RATES: [(u64, f64); 3] = [(1_000, 20.0), (10_000, 30.0), (30_000, 50.0)];
/// What the bar starts with, at every rate.
const START: f64 = 100.0;
/// How long a rate is kept before its events count, and while they do.
const WARM_UP: Duration = Duration::from_secs(3);
const COUNTED: Duration = Duration::from_secs(12);
/// How long the ingestor may need for what has piled up.
const PATIENCE: Duration = Duration::from_mins(2);

/// Measures every rate and adds bar 6.
pub(crate) async fn measure(options: &Options, run: &mut Run) -> Result<()> {
    for round in 0..options.rounds {
        for (rate, _) in RATES {
            eprintln!("latency at {rate}/s, round {} of {}", round + 1, options.rounds);
            one(rate, run).await?;
        }
    }
    for (rate, reach) in RATES {
        let what = name("queryable", rate, "p99");
        run.bars.push(Bar::at_most("6", &what, run.median(&what), START, reach).published());
    }
    for percentile in ["p50", "p99"] {
        let point = |(rate, _): (u64, f64)| (as_f64(rate), run.median(&name("queryable", rate, percentile)));
        run.curves.push(Curve {
            plot: "produced to queryable".to_owned(),
            name: percentile.to_owned(),
            x_axis: "events/s".to_owned(),
            y_axis: "ms".to_owned(),
            points: RATES.map(point).to_vec(),
        });
    }
    Ok(())
}

/// The name of a figure: to when, at which rate, which percentile.
fn name(until: &str, rate: u64, percentile: &str) -> String {
    format!("produced to {until} at {rate}/s, {percentile}")
}

/// One rate on a fresh store.
async fn one(rate: u64, run: &mut Run) -> Result<()> {
    let (database, topic) = (TestDatabase::create().await, TestTopic::create(PARTITIONS).await);
    let config = DaemonConfig::new(&database).topics(&[topic.name()]).dead_letter_topic(&unique("letters"));
    let ingestor = Daemon::ingestor(&config).ready().await;
    let watcher = Watcher::start(database.connect(Role::Superuser).await);
    let sent = producer::produce(topic.name(), rate, WARM_UP, COUNTED).await?;
    let client = database.connect(Role::Superuser).await;
    until_read(&client, sent.records).await?;
    let seen = watcher.stop().await?;
    let status = ingestor.stop().await;
    ensure!(status.success(), "the ingestor ended with {status}");

    let (mut committed, mut queryable) = (Vec::new(), Vec::new());
    for stored in stored(&client, sent.counted_from_micros).await? {
        committed.push(since(stored.produced, stored.committed));
        queryable.push(since(stored.produced, seen.when(stored.append_no)?));
    }
    let behind = sent.most_behind.as_secs_f64() * 1000.0;
    run.add(&format!("producer behind its schedule at {rate}/s, at most"), "ms", behind);
    for (until, times) in [("committed", committed), ("queryable", queryable)] {
        let Percentiles { p50, p99, p999 } = percentiles(times);
        for (percentile, value) in [("p50", p50), ("p99", p99), ("p99.9", p999)] {
            run.add(&name(until, rate, percentile), "ms", value);
        }
    }
    Ok(())
}

/// An event's times, in microseconds since 1970.
struct Stored {
    append_no: i64,
    produced: i64,
    committed: i64,
}

/// Every event that was produced from then on. PostgreSQL takes a commit's time just before it flushes the commit to disk,
/// so a query finds the row a flush later.
async fn stored(client: &Client, from_micros: i64) -> Result<Vec<Stored>> {
    let statement = r#"
        select a.append_no, (extract(epoch from e."timestamp") * 1000000)::bigint,
               (extract(epoch from pg_xact_commit_timestamp(e.xmin)) * 1000000)::bigint
        from audit.appends a
        join audit.events e on e.log_id = a.log_id and e."offset" >= a.from_offset and e."offset" < a.next_offset
        where e."timestamp" >= 'epoch'::timestamptz + $1 * interval '1 microsecond'"#;
    let rows = client.query(statement, &[&as_f64(from_micros.unsigned_abs())]).await?;
    let read = |row: &tokio_postgres::Row| {
        Ok(Stored { append_no: row.try_get(0)?, produced: row.try_get(1)?, committed: row.try_get(2)? })
    };
    rows.iter().map(read).collect()
}

/// Waits until the logs' positions have passed so many records.
async fn until_read(client: &Client, records: u64) -> Result<()> {
    let waiting = async {
        loop {
            let sum = "select coalesce(sum(next_offset), 0)::bigint from audit.logs";
            let read: i64 = client.query_one(sum, &[]).await?.get(0);
            if read.unsigned_abs() >= records {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.context("the ingestor falls behind for good")?
}

fn since(earlier: i64, later: i64) -> Duration {
    Duration::from_micros(u64::try_from(later - earlier).unwrap_or(0))
}
