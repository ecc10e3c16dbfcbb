//! The bars of architecture.md that ingest is held against.

use crate::figures::{Bar, Run};
use crate::index_set::IndexSet;
use crate::workload::Ids;

use super::evidence;

/// The name of one figure of the product's ingest.
pub(super) fn figure(set: IndexSet, ids: Ids, what: &str) -> String {
    format!("ingest, {}, {} ids: {what}", set.name(), ids.name())
}

/// Adds the bars, from the medians of the figures.
pub(super) fn add(run: &mut Run, ids: Ids) {
    use IndexSet::{Essential, Standard};
    let of = |set, what: &str| run.median(&figure(set, ids, what));
    let all_cpu = of(Standard, "ingestor CPU") + of(Standard, "backend CPU");
    let evidence = 100.0 * run.median(evidence::LEAVES_AND_ROOTS) / all_cpu;
    let bars = [
        Bar::at_least("1", "ingest ÷ bare COPY, standard set", of(Standard, "÷ bare COPY"), 0.25, 0.40),
        Bar::at_least("1", "ingest ÷ bare COPY, essential set", of(Essential, "÷ bare COPY"), 0.40, 0.60),
        Bar::at_least(
            "1b",
            "ingest ÷ COPY into document 003's table",
            run.median("ingest ÷ COPY into document 003's table"),
            2.5,
            4.0,
        ),
        Bar::at_most("3", "WAL bytes ÷ bare COPY, standard set", of(Standard, "WAL ÷ bare COPY"), 2.1, 1.8),
        Bar::at_most("3", "index bytes per event, standard set", of(Standard, "index bytes"), 470.0, 380.0),
        Bar::at_most("3", "WAL bytes ÷ bare COPY, essential set", of(Essential, "WAL ÷ bare COPY"), 1.6, 1.4),
        Bar::at_most("3", "index bytes per event, essential set", of(Essential, "index bytes"), 280.0, 240.0),
        Bar::at_most("4", "ingestor CPU, µs per event", of(Standard, "ingestor CPU"), 4.0, 2.5),
        Bar::at_most("4", "ingestor's peak memory, MB", of(Standard, "peak resident memory"), 96.0, 64.0),
        Bar::at_most("9", "leaves and roots ÷ all CPU, %", evidence, 10.0, 4.0),
        Bar::at_most("9", "batch roots ÷ all WAL, %", of(Standard, "batch roots ÷ WAL"), 1.0, 0.0),
    ];
    run.bars.extend(bars);
}
