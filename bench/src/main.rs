//! `audit-bench`: what `cargo xtask bench` runs on servers of its own. Workload → rounds → figures → bars.

mod autovacuum;
mod circumstances;
mod containment;
mod figures;
mod history;
mod http_client;
mod index_set;
mod ingest;
mod latency;
mod limits;
mod pages;
mod peer;
mod percentile;
mod preload;
mod process;
mod replay;
mod report;
mod scale;
mod state;
mod store_filled;
mod table;
mod wal;
mod workload;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use futures::FutureExt;

use figures::Run;
use workload::Ids;

/// What a run is asked for.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "cargo xtask bench",
    about = "Measures the product, its limits and its peer; the exit code is 1 where a bar falls short."
)]
pub(crate) struct Options {
    /// What to measure.
    #[arg(value_enum, default_value_t = Stage::All)]
    pub(crate) stage: Stage,
    /// Print the whole result as JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the report under docs/benchmarks too, over the one before.
    #[arg(long)]
    pub(crate) report: bool,
    /// Events of the workload; each stage has its own number unless said.
    #[arg(long)]
    pub(crate) events: Option<u64>,
    /// The kind of event ids.
    #[arg(long, value_enum, default_value_t = Ids::V7)]
    pub(crate) ids: Ids,
    /// Interleaved rounds; figures are medians over them.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// Bars 1, 1b, 3, 4, 9: what the product takes in from a preloaded topic.
    Ingest,
    /// Bar 2: the product beside Kafka Connect with a JDBC sink.
    Peer,
    /// Bars 7 and 8, and the latencies of issue 6 (`q`): histories, first pages, pages far from the first,
    /// states, what payloads contain.
    Query,
    /// Bar 5: everything as JSON lines over HTTP.
    Replay,
    /// Bar 6: from a producer's send to a row that a query finds.
    Latency,
    /// Bar 3b: ingest as the store grows to ten million events, with v7 and with v4 ids.
    Scale,
    /// Everything, in one run.
    All,
}

impl Stage {
    fn includes(self, other: Self) -> bool {
        self == other || self == Self::All
    }
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (run, is_complete) = runtime.block_on(measure(&options))?;
    if options.report {
        eprintln!("the report is {}", report::write(&run, &report::folder())?.display());
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&run)?);
    } else {
        print!("{}", table::render(&run));
    }
    let holds = is_complete && run.bars.iter().all(|bar| bar.holds);
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every stage takes the options and adds to the run; whether all of them came to their end.
async fn measure(options: &Options) -> Result<(Run, bool)> {
    autovacuum::switch(false).await?;
    let mut run = Run { circumstances: circumstances::read().await?, ..Run::default() };
    let mut failures = Vec::new();
    let stages = [Stage::Ingest, Stage::Peer, Stage::Query, Stage::Replay, Stage::Latency, Stage::Scale];
    for stage in stages.into_iter().filter(|stage| options.stage.includes(*stage)) {
        // A stage may fail or, where a server does not answer a set-up, panic: an hour of the others must not go with it.
        let outcome = AssertUnwindSafe(measure_stage(stage, options, &mut run)).catch_unwind().await;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failures.push(format!("{stage:?} failed: {error:#}")),
            Err(_) => failures.push(format!("{stage:?} panicked; what it said is on standard error")),
        }
    }
    for failure in &failures {
        eprintln!("{failure}");
    }
    let is_complete = failures.is_empty();
    run.notes.extend(failures);
    Ok((run, is_complete))
}

async fn measure_stage(stage: Stage, options: &Options, run: &mut Run) -> Result<()> {
    match stage {
        Stage::Ingest => ingest::measure(options, run).await,
        Stage::Peer => peer::measure(options, run).await,
        Stage::Query => {
            history::measure(options, run).await?;
            pages::measure(options, run).await?;
            state::measure(options, run).await?;
            // Last: it builds an index and drops it.
            containment::measure(options, run).await
        }
        Stage::Replay => replay::measure(options, run).await,
        Stage::Latency => latency::measure(options, run).await,
        Stage::Scale => {
            autovacuum::switch(true).await?;
            let measured = scale::measure(options, run).await;
            autovacuum::switch(false).await?;
            measured
        }
        // Not one of the stages but their sum.
        Stage::All => Ok(()),
    }
}

/// The folder for what is made on the way, given by `cargo xtask bench`.
pub(crate) fn work_folder() -> Result<PathBuf> {
    let folder = std::env::var_os("AUDIT_BENCH_DIR").map(PathBuf::from);
    folder.context("AUDIT_BENCH_DIR is not set: run this by `cargo xtask bench`")
}
