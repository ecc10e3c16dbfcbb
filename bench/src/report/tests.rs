//! The report of a small, fixed run, against the files in `bench/golden/`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{files, page::number, write};
use crate::figures::{Bar, Curve, Run};

/// Set to rewrite the golden files; then look at the difference.
const REWRITE: &str = "AUDIT_BENCH_GOLDEN";

fn run() -> Run {
    let mut run = Run::default();
    run.circumstances.insert("machine".to_owned(), "2 cores | 23 GiB".to_owned());
    run.circumstances.insert("commit".to_owned(), "0123456789ab".to_owned());
    for value in [61_234.0, 59_876.0, 64_000.4] {
        run.add("ingest rate, standard set, v7 ids", "events/s", value);
    }
    run.add("ingestor CPU", "µs/event", 3.456);
    run.bars.push(Bar::at_least("1", "ingest ÷ bare COPY, standard set", 0.334, 0.25, 0.4));
    run.bars.push(Bar::at_most("4", "resident memory, MB", 101.5, 96.0, 64.0));
    run.bars.push(Bar::at_most("6", "p99 at 10k/s, ms", 120.0, 100.0, 30.0).published());
    run.bars.push(Bar::at_least("8", "pages", f64::NAN, 1.5, 1.1));
    let curve = |plot: &str, name: &str, points: &[(f64, f64)]| Curve {
        plot: plot.to_owned(),
        name: name.to_owned(),
        x_axis: "events stored".to_owned(),
        y_axis: "events/s".to_owned(),
        points: points.to_vec(),
    };
    let growing = "Ingest rate as the store grows";
    run.curves.push(curve(growing, "v7 ids", &[(2e5, 64_000.0), (2e6, 61_000.0), (1e7, 58_500.0)]));
    run.curves.push(curve("Nothing to see", "empty", &[(1.0, f64::NAN)]));
    run.curves.push(curve(
        growing,
        "v4 ids & <others>",
        &[(2e5, 60_000.0), (2e6, 47_000.0), (1e7, 36_000.0)],
    ));
    run.curves.push(curve("Latency (p99)", "ms", &[(1000.0, 8.0), (10_000.0, 25.0), (30_000.0, 400.0)]));
    run.notes.push("The peer was skipped:\nMaven Central is out of reach.".to_owned());
    run
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

#[test]
fn the_report_of_a_fixed_run_is_the_golden_one() {
    let files = files(&run()).unwrap();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["report.md", "report.json", "ingest-rate-as-the-store-grows.svg", "latency-p99.svg"]);
    for (name, text) in &files {
        let place = golden().join(name);
        if std::env::var_os(REWRITE).is_some() {
            fs::write(&place, text).unwrap();
        }
        let kept = fs::read_to_string(&place).unwrap();
        assert_eq!(*text, kept, "{name} has changed: when that is meant, run once with {REWRITE}=1");
    }
}

#[test]
fn a_report_is_written_over_the_one_before() {
    let folder = std::env::temp_dir().join(format!("audit-bench-report-{}", std::process::id()));
    write(&run(), &folder).unwrap();
    let page = write(&Run::default(), &folder).unwrap();
    let text = fs::read_to_string(page).unwrap();
    fs::remove_dir_all(folder).unwrap();
    assert!(text.starts_with("# Benchmark report\n") && !text.contains("## "), "{text}");
}

#[test]
fn numbers_keep_three_digits() {
    let values = [0.0, 0.3344, 6.2, 45.26, 101.5, 1234.4, 78_100.0, -1_234_567.0, f64::NAN];
    let texts: Vec<String> = values.into_iter().map(number).collect();
    assert_eq!(texts, ["0", "0.334", "6.2", "45.3", "102", "1,234", "78,100", "-1,234,567", "–"]);
}
