//! Bars 1, 1b, 3, 4 and 9: what the product takes in from a preloaded topic, beside what the machine could at most.
//!
//! Rounds are interleaved: each measures the product with both index sets and the two bases one after the other, so that
//! a slow minute of the machine meets all of them, and every ratio is one of neighbours.

mod bars;
mod drain;
mod evidence;

use std::path::Path;

use anyhow::Result;

use crate::figures::Run;
use crate::index_set::IndexSet;
use crate::limits::bare_copy::{self, Copied};
use crate::limits::{consumer, document_003, fsync};
use crate::preload::{Topic, preloaded};
use crate::workload::{Ids, Workload};
use crate::{Options, work_folder};
pub(crate) use drain::{Drained, Store, drain};

/// Records of a run that was not told how many.
const EVENTS: u64 = 1_000_000;

/// Measures the rounds and adds the bars.
pub(crate) async fn measure(options: &Options, run: &mut Run) -> Result<()> {
    let folder = work_folder()?;
    let workload = Workload::new(options.events.unwrap_or(EVENTS), options.ids);
    let topic = preloaded(&workload).await?;
    run.circumstances.insert("ingest workload".to_owned(), topic.name.clone());
    let mut bases = Bases::default();
    // A database that has just started makes its WAL's files, and a broker compiles itself: whoever came first would pay.
    eprintln!("ingest: once without counting");
    drop(drain(&workload, &topic, IndexSet::Standard).await?);
    for round in 1..=options.rounds {
        eprintln!("ingest: round {round} of {}", options.rounds);
        let bare = one_round(&workload, &topic, &mut bases, &folder, run).await?;
        run.add("fsync of 8 kB", "1/s", fsync::writes_per_second(&folder)?);
        run.add("consumer to nothing", "events/s", consumer::records_per_second(&topic).await?);
        if round == 1 && options.ids == Ids::V7 {
            beside_v4(&Workload::new(workload.events, Ids::V4), &bare, run).await?;
        }
    }
    evidence::measure(&workload, &topic, run);
    bars::add(run, options.ids);
    note_disturbance(options.ids, run);
    Ok(())
}

/// Says so when the machine did much more than the ingestor and its backends: the broker, the WAL writer and autovacuum
/// are a sixth at most; whatever else ran makes every rate of this run too low.
fn note_disturbance(ids: Ids, run: &mut Run) {
    const USUAL: f64 = 1.35;
    let of = |what: &str| run.median(&bars::figure(IndexSet::Standard, ids, what));
    let (all, ours) = (of("CPU of the whole machine"), of("ingestor CPU") + of("backend CPU"));
    if all > USUAL * ours {
        run.notes.push(format!(
            "the machine was not quiet: {all:.1} µs of CPU for each event, {ours:.1} of them the product's"
        ));
    }
}

/// Rows for the two bases, taken out of the first store.
#[derive(Default)]
struct Bases {
    taken: Option<(bare_copy::Rows, document_003::Rows)>,
}

async fn one_round(
    workload: &Workload,
    topic: &Topic,
    bases: &mut Bases,
    folder: &Path,
    run: &mut Run,
) -> Result<Copied> {
    let store = drain(workload, topic, IndexSet::Standard).await?;
    let standard = store.drained.clone();
    if bases.taken.is_none() {
        let bare = bare_copy::take_out(&store.client, folder).await?;
        bases.taken = Some((bare, document_003::take_out(&store.client, folder).await?));
    }
    drop(store);
    let (bare, document) = bases.taken.as_ref().expect("taken just now");
    let bare = bare_copy::measure(bare).await?;
    let essential = drain(workload, topic, IndexSet::Essential).await?.drained;
    let document = document_003::measure(document).await?;
    add_copy("bare COPY", &bare, run);
    add_copy("COPY into document 003's table", &document, run);
    for (set, drained) in [(IndexSet::Standard, &standard), (IndexSet::Essential, &essential)] {
        add_drained(set, workload.ids, drained, &bare, run);
    }
    run.add("ingest ÷ COPY into document 003's table", "ratio", standard.rate() / document.rate());
    Ok(bare)
}

/// What random ids cost, published beside the bars: once, since it is no bar at this size.
async fn beside_v4(workload: &Workload, bare: &Copied, run: &mut Run) -> Result<()> {
    let topic = preloaded(workload).await?;
    let drained = drain(workload, &topic, IndexSet::Standard).await?.drained;
    add_drained(IndexSet::Standard, Ids::V4, &drained, bare, run);
    Ok(())
}

fn add_copy(what: &str, copied: &Copied, run: &mut Run) {
    run.add(&format!("{what}: rate"), "events/s", copied.rate());
    run.add(&format!("{what}: backend CPU"), "µs/event", copied.each(copied.backend_micros));
    run.add(&format!("{what}: WAL"), "B/event", copied.each(copied.wal_bytes));
}

#[expect(clippy::cast_precision_loss, reason = "no count here has more than 53 bits")]
fn add_drained(set: IndexSet, ids: Ids, drained: &Drained, bare: &Copied, run: &mut Run) {
    let mut add = |what: &str, unit: &str, value: f64| {
        run.add(&bars::figure(set, ids, what), unit, value);
    };
    add("rate", "events/s", drained.rate());
    add("÷ bare COPY", "ratio", drained.rate() / bare.rate());
    add("ingestor CPU", "µs/event", drained.each(drained.ingestor_micros));
    add("backend CPU", "µs/event", drained.each(drained.backend_micros));
    add("CPU of the whole machine", "µs/event", drained.each(drained.machine_micros));
    add("WAL", "B/event", drained.each(drained.wal_bytes));
    add("WAL ÷ bare COPY", "ratio", drained.each(drained.wal_bytes) / bare.each(bare.wal_bytes));
    add("index bytes", "B/event", drained.each(drained.index_bytes()));
    for (index, bytes) in &drained.indexes {
        add(&format!("bytes of {index}"), "B/event", drained.each(*bytes));
    }
    add("peak resident memory", "MB", drained.peak_resident as f64 / 1e6);
    add("batch roots ÷ WAL", "%", 100.0 * drained.root_bytes as f64 / drained.wal_bytes as f64);
}
