//! A quarter of a million real events, preloaded: stored exactly, and what it cost.

use std::time::Instant;

use shared::{
    avro::{encode_canonical, frame},
    envelope::from_canonical_json,
};
use test_support::{Daemon, data::lines};

use crate::{
    account,
    rig::{PATIENCE, Rig},
};

/// The account of the real data must be exact; the rates are printed, since this machine decides them.
#[tokio::test]
async fn the_loan_applications_are_stored_and_memory_stays_bounded() {
    let Some(lines) = lines("loan-applications") else { return };
    let rig = Rig::new(12).await;
    let mut produced = 0;
    let mut batch = Vec::new();
    for line in lines {
        let envelope = from_canonical_json(&line).expect("a canonical event");
        batch.push(rig.record_of(&envelope.aggregate_id, frame(rig.schema_id, &encode_canonical(&envelope))));
        if batch.len() == 10_000 {
            produced += rig.topic.send_all(std::mem::take(&mut batch)).await.len();
        }
    }
    produced += rig.topic.send_all(batch).await.len();
    let ends = rig.topic.end_offsets().await;

    let started = Instant::now();
    let ingestor = Daemon::ingestor(&rig.config());
    account::caught_up(&rig.database, rig.topic.name(), &ends, 4 * PATIENCE).await;
    let took = started.elapsed();
    let (cpu, peak) = (cpu_seconds(ingestor.pid()), peak_kilobytes(ingestor.pid()));
    let count = f64::from(u32::try_from(produced).expect("few"));
    println!(
        "{produced} events in {took:.2?}: {:.0}/s, {:.2} µs CPU each, peak {} MB, pauses {}",
        count / took.as_secs_f64(),
        cpu * 1e6 / count,
        peak / 1024,
        ingestor.metric("audit_lane_pauses_total").await,
    );
    let account = account::checked(&rig.database).await;
    assert_eq!((account.stored, account.offsets()), (produced, produced));
    assert!(peak < 256 * 1024, "peak resident memory {peak} kB; the bar of a release build is 96 MB");
    assert!(ingestor.stop().await.success());
}

pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields: Vec<&str> =
        stat.rsplit(')').next().expect("a command in brackets").split_whitespace().collect();
    // Fields 14 and 15 of proc(5), in ticks of 1/100 s.
    let ticks = |field: usize| fields[field - 3].parse::<f64>().expect("a number");
    (ticks(14) + ticks(15)) / 100.0
}

pub(crate) fn peak_kilobytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a running process has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
}
