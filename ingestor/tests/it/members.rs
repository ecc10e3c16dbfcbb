//! Many members and dying ones: joins and leaves, stalls, kills. Whatever happens, each offset counts once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::RngExt as _;
use test_support::{Daemon, DaemonConfig, canonical_event, wait_until};

use crate::{
    account,
    rig::{PATIENCE, Rig},
};

/// Faults by default; `AUDIT_TEST_LONG` asks for many more.
fn rounds(few: u32) -> u32 {
    if std::env::var_os("AUDIT_TEST_LONG").is_some() { few * 20 } else { few }
}

/// A group whose dead members are noticed soon.
fn impatient(rig: &Rig) -> DaemonConfig {
    rig.config().set("kafka.properties", "\"session.timeout.ms\"", "\"6000\"").set(
        "kafka.properties",
        "\"heartbeat.interval.ms\"",
        "\"1000\"",
    )
}

/// Produces until told to stop; gives back how many.
fn load(rig: &Rig) -> (Arc<AtomicBool>, tokio::task::JoinHandle<usize>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (topic, schema_id, stopped) = (rig.topic.clone(), rig.schema_id, Arc::clone(&stop));
    let producing = tokio::spawn(async move {
        let mut produced = 0;
        let mut round = 0;
        while !stopped.load(Ordering::Relaxed) {
            round += 1;
            let records = (0..200).map(|n| {
                let envelope = canonical_event(&format!("o{n}"), round).build();
                crate::rig::record(topic.name(), schema_id, &envelope)
            });
            produced += topic.send_all(records.collect::<Vec<_>>()).await.len();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        produced
    });
    (stop, producing)
}

async fn pause(milliseconds: std::ops::Range<u64>) {
    let wait = rand::rng().random_range(milliseconds);
    tokio::time::sleep(Duration::from_millis(wait)).await;
}

#[tokio::test]
async fn kill_9_at_any_moment_changes_nothing() {
    let rig = Rig::new(4).await;
    let config = impatient(&rig).set("ingestor", "instance_id", "\"one\"");
    let (stop, producing) = load(&rig);
    for _ in 0..rounds(8) {
        let mut ingestor = Daemon::ingestor(&config);
        pause(300..2500).await;
        ingestor.kill();
    }
    stop.store(true, Ordering::Relaxed);
    let produced = producing.await.expect("the producer does not panic");
    let ingestor = Daemon::ingestor(&config).ready().await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.offsets()), (produced, produced));
    assert!(ingestor.stop().await.success());
}

#[tokio::test]
async fn members_that_join_and_leave_every_second_lose_and_double_nothing() {
    let rig = Rig::new(6).await;
    let config = impatient(&rig);
    let (stop, producing) = load(&rig);
    let first = Daemon::ingestor(&config).ready().await;
    for round in 0..rounds(5) {
        let mut guest = Daemon::ingestor(&config);
        pause(1000..2500).await;
        if round % 2 == 0 {
            guest.kill();
        } else {
            guest.stop().await;
        }
    }
    let second = Daemon::ingestor(&config).ready().await;
    stop.store(true, Ordering::Relaxed);
    let produced = producing.await.expect("the producer does not panic");
    let account = rig.settled().await;
    assert_eq!((account.stored, account.offsets()), (produced, produced));
    assert!(first.stop().await.success());
    assert!(second.stop().await.success());
}

/// A member stands still, its partitions move on, it wakes with full buffers.
#[tokio::test]
async fn a_stalled_member_that_wakes_changes_nothing() {
    let rig = Rig::new(4).await;
    let config = impatient(&rig);
    let zombie = Daemon::ingestor(&config).ready().await;
    let other = Daemon::ingestor(&config).ready().await;
    let assigned = async |member: &Daemon| member.metric("audit_partitions_assigned").await;
    wait_until("both have partitions", PATIENCE, || async {
        (assigned(&zombie).await > 0.0 && assigned(&other).await > 0.0).then_some(())
    })
    .await;
    let (stop, producing) = load(&rig);
    pause(500..1500).await;
    zombie.stall();
    wait_until("the other has all partitions", PATIENCE, || async {
        (assigned(&other).await >= 4.0).then_some(())
    })
    .await;
    pause(1000..2000).await;
    zombie.resume();
    pause(1000..2000).await;
    stop.store(true, Ordering::Relaxed);
    let produced = producing.await.expect("the producer does not panic");
    let account = rig.settled().await;
    assert_eq!((account.stored, account.offsets()), (produced, produced));
    assert!(zombie.stop().await.success());
    assert!(other.stop().await.success());
}

#[tokio::test]
async fn a_graceful_stop_leaves_nothing_half_done_and_the_next_goes_on_from_there() {
    let rig = Rig::new(3).await;
    let config = rig.config();
    let (stop, producing) = load(&rig);
    for _ in 0..3 {
        let ingestor = Daemon::ingestor(&config).ready().await;
        pause(500..1500).await;
        assert!(ingestor.stop().await.success());
        account::checked(&rig.database).await;
    }
    stop.store(true, Ordering::Relaxed);
    let produced = producing.await.expect("the producer does not panic");
    let ingestor = Daemon::ingestor(&config).ready().await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.offsets()), (produced, produced));
    assert!(ingestor.stop().await.success());
}

/// Two writers on two partitions get the same ids at the same time.
#[tokio::test]
async fn the_same_ids_in_two_concurrent_batches_are_stored_once() {
    let rig = Rig::new(2).await;
    let copies: Vec<_> = (1..=2000)
        .flat_map(|version| {
            let record = rig.record(&canonical_event("twice", version).build());
            [0, 1].map(|partition| bus::Outgoing { partition: Some(partition), ..record.clone() })
        })
        .collect();
    rig.topic.send_all(copies).await;
    let ingestor = rig.ingestor().await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.kind("duplicate")), (2000, 2000));
    assert!(ingestor.stop().await.success());
}
