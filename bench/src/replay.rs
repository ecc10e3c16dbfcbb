//! Bar 5: a replay of the whole store as JSON lines over HTTP, beside `psql` copying the same rows to nowhere; and the
//! memory that a stream takes, with a fast and a slow client.

mod jsonb_copy;
mod memory;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use test_support::{Daemon, DaemonConfig, Role, TestDatabase, Token};

use crate::Options;
use crate::figures::{Bar, Run, as_f64};
use crate::http_client::{self, Answer, Pace};
use crate::process::{Backends, cpu_micros};
use crate::store_filled::{FilledStore, filled};

/// Records of the larger store, unless the options say.
const RECORDS: u64 = 2_000_000;
/// Of the smaller one, a tenth: memory must not depend on the store.
const SMALLER: u64 = 10;
const MONTHS: u32 = 12;

/// Every column of `audit.events`: what is copied from both tables.
const COLUMNS: &str = r#""timestamp", recorded_at, "offset", log_id, version, event_id, retention_class, organization_id, aggregate_type, aggregate_id, event_type, user_id, correlation_id, causation_id, source, action, payload, metadata"#;

const REPLAY: &str = "replay over HTTP";
const OWN: &str = "psql COPY TO of its own table";
const JSONB: &str = "psql COPY TO of a jsonb table";
const OF_OWN: &str = "replay ÷ psql COPY TO of its own table";
const OF_JSONB: &str = "replay ÷ psql COPY TO of a jsonb table";

/// Measures replay and adds bar 5.
pub(crate) async fn measure(options: &Options, run: &mut Run) -> Result<()> {
    let records = options.events.unwrap_or(RECORDS);
    let store = filled(records, MONTHS).await?;
    jsonb_copy::ensure(&store.database).await?;
    let api = start_api(&store.database).await;
    // One of each first: the first reader after a start pays for cold caches.
    replay_all(&store, api.api_address()).await?;
    for table in [jsonb_copy::TABLE, "audit.events"] {
        copy_to(&store.database, table).await?;
    }
    for round in 0..options.rounds {
        eprintln!("replay, round {} of {}", round + 1, options.rounds);
        one_round(&store, &api, run).await?;
    }
    drop(api);
    memory::measure(&[filled(records / SMALLER, MONTHS).await?, store], run).await?;
    add_bars(run);
    Ok(())
}

async fn one_round(store: &FilledStore, api: &Daemon, run: &mut Run) -> Result<()> {
    let rate = |seconds: f64| as_f64(store.events) / seconds;
    let own = rate(copy_to(&store.database, "audit.events").await?);
    run.add(OWN, "events/s", own);
    let (api_before, backends_before) = (cpu_micros(api.pid())?, backends(&store.database).await?);
    let started = Instant::now();
    replay_all(store, api.api_address()).await?;
    let replay = rate(started.elapsed().as_secs_f64());
    run.add(REPLAY, "events/s", replay);
    let micros = |spent: u64| as_f64(spent) / as_f64(store.events);
    let in_api = cpu_micros(api.pid())? - api_before;
    let in_backends = backends(&store.database).await?.saturating_sub(backends_before);
    run.add("replay: CPU of audit-api", "µs/event", micros(in_api));
    run.add("replay: CPU of PostgreSQL", "µs/event", micros(in_backends));
    let jsonb = rate(copy_to(&store.database, jsonb_copy::TABLE).await?);
    run.add(JSONB, "events/s", jsonb);
    run.add(OF_OWN, "ratio", replay / own);
    run.add(OF_JSONB, "ratio", replay / jsonb);
    Ok(())
}

/// Starts the API on this database.
async fn start_api(database: &TestDatabase) -> Daemon {
    Daemon::audit_api(&DaemonConfig::new(database).set("telemetry", "log_filter", "\"warn\"")).ready().await
}

/// Replays everything, makes sure that it was everything.
async fn replay_all(store: &FilledStore, address: SocketAddr) -> Result<()> {
    let answer = replay(address, "/v1/replay", Pace::Fast).await?;
    ensure!(answer.is_complete, "the replay did not come to its end");
    ensure!(answer.lines == store.events, "the replay gave {} events of {}", answer.lines, store.events);
    Ok(())
}

async fn replay(address: SocketAddr, path: &'static str, pace: Pace) -> Result<Answer> {
    let token = Token::admin().bearer();
    let reading =
        move || http_client::get(address, path, &token, "application/x-ndjson", pace).context("replaying");
    tokio::task::spawn_blocking(reading).await?
}

/// Copies a table to nowhere by `psql`; how many seconds it took.
async fn copy_to(database: &TestDatabase, table: &str) -> Result<f64> {
    let url = database.url_for(Role::Superuser);
    let statement = format!("copy (select {COLUMNS} from {table}) to stdout");
    let mut command = Command::new(psql());
    command.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]).arg(url);
    command.arg(format!("--command={statement}")).stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let status = tokio::task::spawn_blocking(move || command.status()).await?.context("running psql")?;
    ensure!(status.success(), "psql ended with {status}");
    Ok(started.elapsed().as_secs_f64())
}

/// The program itself where Debian keeps it, since its wrapper takes its time to start; else whatever is on the path.
fn psql() -> PathBuf {
    let programs = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = programs.map(|version| version.path().join("bin/psql")).filter(|program| program.is_file());
    found.max().unwrap_or_else(|| PathBuf::from("psql"))
}

/// CPU time, in microseconds, of the API's backends that there are now.
async fn backends(database: &TestDatabase) -> Result<u64> {
    let mut backends = Backends::default();
    backends.look(&database.connect(Role::Superuser).await, "audit_api").await?;
    Ok(backends.micros())
}

fn add_bars(run: &mut Run) {
    for (what, start, reach) in [(OF_JSONB, 1.5, 1.8), (OF_OWN, 0.8, 1.0)] {
        run.bars.push(Bar::at_least("5", what, run.median(what), start, reach));
    }
    for (client, figure) in [("fast", memory::FAST), ("slow", memory::SLOW)] {
        let most = run.figures.iter().filter(|known| known.what.starts_with(figure));
        let most = most.map(|known| known.range().1).fold(f64::NEG_INFINITY, f64::max);
        run.bars.push(Bar::at_most("5", &format!("memory of a stream, {client} client"), most, 32.0, 16.0));
    }
}
