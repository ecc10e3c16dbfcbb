//! Bar 2: the product beside what people use now, Kafka Connect with a JDBC sink into one plain table.
//!
//! Debezium's sink is on Maven Central and is measured, tuned as well as it gets. Aiven's is not; it was measured beside
//! Debezium's elsewhere, on two cores of the same kind, and its factor here is computed.

mod connect;
mod dist;
mod round;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::figures::{Bar, Run};
use crate::index_set::IndexSet;
use crate::ingest::drain;
use crate::preload::{Topic, preloaded};
use crate::workload::{Faults, Workload};
use crate::{Options, work_folder};
use dist::Jars;
use round::Round;

/// Records of a run that was not told how many: enough to warm a JVM, as many as ingest is measured with.
const EVENTS: u64 = 1_000_000;

/// Aiven's sink ÷ Debezium's, both upsert, tuned, with two tasks: 78,100 ÷ 45,300 rows a second, measured in one sitting
/// on two cores before this project began (architecture.md, bar 2).
const AIVEN_TO_DEBEZIUM: f64 = 1.7;

/// The product's rate ÷ the peer's, one value a round.
const FACTOR: &str = "ingest, essential set ÷ Debezium's JDBC sink";
/// The same against the peer that is not on Maven Central.
const AIVEN_FACTOR: &str = "ingest, essential set ÷ Aiven's JDBC sink, computed as 1.7 times Debezium's";

/// Interleaved rounds of the product and of the peer, from one topic. Nothing but a note when the peer cannot be had.
pub(crate) async fn measure(options: &Options, run: &mut Run) -> Result<()> {
    let dist = std::env::var_os("AUDIT_BENCH_DIST").map(PathBuf::from);
    let dist = dist.context("AUDIT_BENCH_DIST is not set: run this by `cargo xtask bench`")?;
    let jars = match dist::find(&dist)? {
        Jars::Here(folder) => folder,
        Jars::OutOfReach(reason) => {
            run.notes.push(format!("The peer (bar 2) was skipped: {reason}"));
            return Ok(());
        }
    };
    run.circumstances.insert("peer".to_owned(), dist::VERSIONS.to_owned());
    // A record that breaks a rule stops the peer's task, and one that comes again it writes anew: neither is in the topic.
    let workload = Workload::new(options.events.unwrap_or(EVENTS), options.ids).with_faults(Faults::None);
    let topic = preloaded(&workload).await?;
    run.circumstances.insert("peer's workload".to_owned(), topic.name.clone());
    let folder = work_folder()?.join("peer");
    for round in 1..=options.rounds {
        eprintln!("peer: round {round} of {}", options.rounds);
        one_round(run, &workload, &topic, &jars, &folder).await?;
    }
    run.bars.push(Bar::at_least("2", FACTOR, run.median(FACTOR), 2.0, 3.0));
    run.notes.push(format!(
        "Bar 2 is against Kafka Connect with Debezium's JDBC sink (upsert, tuned, two tasks). Aiven's sink, \
         {AIVEN_TO_DEBEZIUM} times as fast, was not measured here: against it the factor is computed, {:.2}.",
        run.median(AIVEN_FACTOR)
    ));
    Ok(())
}

async fn one_round(
    run: &mut Run,
    workload: &Workload,
    topic: &Topic,
    jars: &Path,
    folder: &Path,
) -> Result<()> {
    let product = drain(workload, topic, IndexSet::Essential).await?.drained;
    let peer = round::drain(jars, folder, topic).await?;
    let rate = run.add("product beside the peer, essential set: rate", "events/s", product.rate());
    run.add(FACTOR, "ratio", rate / peer.rate);
    run.add("the same ÷ the second half of the peer's rows, its JVM warm", "ratio", rate / peer.warm_rate);
    run.add(AIVEN_FACTOR, "ratio", rate / (peer.rate * AIVEN_TO_DEBEZIUM));
    keep(run, &peer);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a memory size has less than 53 bits")]
fn keep(run: &mut Run, peer: &Round) {
    run.add("peer: rate, first commit to last", "events/s", peer.rate);
    run.add("peer: rate of the second half", "events/s", peer.warm_rate);
    run.add("peer: rows a commit", "events", peer.rows_per_commit);
    run.add("peer: JVM CPU", "µs/event", peer.jvm_micros);
    run.add("peer: backend CPU", "µs/event", peer.backend_micros);
    run.add("peer: peak resident memory of the JVM", "MB", peer.peak_resident as f64 / 1e6);
    run.add("peer: WAL", "B/event", peer.wal_bytes);
    run.add("peer: index bytes", "B/event", peer.index_bytes);
}
