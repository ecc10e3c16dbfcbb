//! Offsets without records: transactions, deleted records, topics made anew, topics that grow.

use std::time::Duration;

use bus::Outgoing;
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};
use test_support::{Daemon, Role, TestTopic, canonical_event, servers::kafka_bootstrap, unique, wait_until};

use crate::{
    account,
    rig::{PATIENCE, Rig},
};

fn events(rig: &Rig, aggregate: &str, versions: std::ops::RangeInclusive<i64>) -> Vec<Outgoing> {
    versions.map(|version| rig.record(&canonical_event(aggregate, version).build())).collect()
}

fn transactional() -> BaseProducer {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka_bootstrap())
        .set("transactional.id", unique("transactional"))
        .create()
        .expect("a producer can be made");
    producer.init_transactions(Duration::from_secs(30)).expect("the broker knows transactions");
    producer
}

fn in_transaction(producer: &BaseProducer, records: &[Outgoing], commit: bool) {
    let timeout = Duration::from_secs(30);
    producer.begin_transaction().expect("a transaction begins");
    for record in records {
        let value = record.value.as_deref().expect("a value");
        let key = record.key.as_deref().expect("a key");
        producer.send(BaseRecord::to(&record.topic).key(key).payload(value)).expect("it is taken");
    }
    producer.flush(timeout).expect("all is sent");
    if commit { producer.commit_transaction(timeout) } else { producer.abort_transaction(timeout) }
        .expect("it ends");
}

#[tokio::test]
async fn aborted_records_and_markers_are_not_delivered_and_accounted_for() {
    let rig = Rig::new(1).await;
    let producer = transactional();
    // A log that begins with nothing that is ever delivered, before the ingestor sees it.
    in_transaction(&producer, &events(&rig, "aborted", 1..=5), false);
    let ingestor = rig.ingestor().await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.kind("not-delivered")), (0, 6));

    in_transaction(&producer, &events(&rig, "a", 1..=10), true);
    in_transaction(&producer, &events(&rig, "aborted", 1..=7), false);
    in_transaction(&producer, &events(&rig, "a", 11..=15), true);
    in_transaction(&producer, &events(&rig, "aborted", 1..=3), false);
    let account = rig.settled().await;
    assert_eq!((account.stored, account.kind("not-delivered")), (15, 6 + 1 + 8 + 1 + 4));

    // A restart reads the last record again, and neither it nor the markers behind it twice.
    assert!(ingestor.stop().await.success());
    let ingestor = rig.ingestor().await;
    in_transaction(&producer, &events(&rig, "a", 16..=16), true);
    let account = rig.settled().await;
    assert_eq!((account.stored, account.offsets()), (16, 37));
    assert!(ingestor.stop().await.success());
}

#[tokio::test]
async fn records_gone_before_the_first_read_are_before_the_start_and_later_ones_are_a_gap() {
    let rig = Rig::new(1).await;
    rig.topic.send_all(events(&rig, "a", 1..=10)).await;
    rig.topic.delete_records_before(0, 4).await;
    let ingestor = rig.ingestor().await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.kind("before-start")), (6, 4));
    assert!(ingestor.stop().await.success());

    rig.topic.send_all(events(&rig, "a", 11..=20)).await;
    rig.topic.delete_records_before(0, 17).await;
    let ingestor = rig.ingestor().await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.kind("before-start"), account.kind("gap")), (9, 4, 7));
    assert!(ingestor.metric("audit_events_skipped_total").await >= 7.0);
    assert!(ingestor.log().contains("gap: records are gone"), "the gap is alarmed");
    assert!(ingestor.stop().await.success());
}

#[tokio::test]
async fn a_gap_waits_for_a_person_where_the_settings_say_so() {
    let rig = Rig::new(1).await;
    let config = rig.config().set("ingestor", "on_gap", "\"stop\"");
    rig.topic.send_all(events(&rig, "a", 1..=3)).await;
    let ingestor = Daemon::ingestor(&config).ready().await;
    rig.settled().await;
    assert!(ingestor.stop().await.success());

    rig.topic.send_all(events(&rig, "a", 4..=9)).await;
    rig.topic.delete_records_before(0, 7).await;
    let ingestor = Daemon::ingestor(&config).ready().await;
    stopped(&ingestor).await;
    assert_eq!(account::checked(&rig.database).await.stored, 3);

    let operator = rig.database.connect(Role::Operator).await;
    store::ledger::accept_gap(&operator, "default", rig.topic.name(), 0, 7).await.expect("the operator may");
    let account = rig.settled().await;
    assert_eq!((account.stored, account.kind("gap")), (5, 4));
    assert!(ingestor.stop().await.success());
}

/// Waits until the ingestor says that a partition is stopped.
async fn stopped(ingestor: &Daemon) {
    wait_until("the partition is stopped", PATIENCE, || async {
        (ingestor.metric("audit_partitions_stopped").await > 0.0).then_some(())
    })
    .await;
}

/// The topic is deleted and made again under its name with `records` records, while nobody reads it.
async fn another_log_under_the_old_name(records: i64) {
    let rig = Rig::new(1).await;
    rig.topic.send_all(events(&rig, "old", 1..=10)).await;
    let ingestor = rig.ingestor().await;
    rig.settled().await;
    assert!(ingestor.stop().await.success());

    let name = rig.topic.name().to_owned();
    rig.topic.delete().await;
    let renewed = wait_until("the topic can be made again", PATIENCE, || async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some(TestTopic::create_named(&name, 1, &[]).await)
    })
    .await;
    renewed.send_all(events(&rig, "new", 1..=records)).await;
    let ingestor = rig.ingestor().await;
    stopped(&ingestor).await;
    assert_eq!(account::checked(&rig.database).await.stored, 10);
    assert!(ingestor.log().contains("log-diverged"), "the alarm names the reason");

    let operator = rig.database.connect(Role::Operator).await;
    store::ledger::new_incarnation(&operator, "default", &name, 0).await.expect("the operator may");
    let ends = renewed.end_offsets().await;
    account::caught_up(&rig.database, &name, &ends, PATIENCE).await;
    let account = account::checked(&rig.database).await;
    assert_eq!(account.stored, 10 + usize::try_from(records).expect("few"));
    assert!(ingestor.stop().await.success());
}

#[tokio::test]
async fn a_log_that_ends_below_the_position_has_diverged() {
    another_log_under_the_old_name(4).await;
}

#[tokio::test]
async fn a_log_whose_last_record_has_other_bytes_has_diverged() {
    another_log_under_the_old_name(25).await;
}

#[tokio::test]
async fn partitions_that_are_added_are_read_from_their_beginning() {
    let mut rig = Rig::new(1).await;
    let ingestor = rig.ingestor().await;
    rig.topic.send_all(events(&rig, "a", 1..=5)).await;
    rig.settled().await;
    rig.topic.grow(4).await;
    let spread = (0..40).map(|n| rig.record(&canonical_event(&format!("b{n}"), 1).build()));
    rig.topic.send_all(spread.collect::<Vec<_>>()).await;
    let account = rig.settled().await;
    assert_eq!((account.stored, account.offsets()), (45, 45));
    assert!(ingestor.stop().await.success());
}

/// Kafka answers a running reader that its offset is out of range: librdkafka reports an error and stops fetching, the
/// partition starts anew, and the plan finds the gap.
#[tokio::test]
async fn records_deleted_under_a_running_reader_are_a_gap() {
    let rig = Rig::new(1).await;
    let ingestor = rig.ingestor().await;
    rig.topic.send_all(events(&rig, "a", 1..=5)).await;
    rig.settled().await;
    // It stands still, and what it has asked Kafka for is answered with nothing, before more comes.
    ingestor.stall();
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.topic.send_all(events(&rig, "a", 6..=20)).await;
    rig.topic.delete_records_before(0, 12).await;
    ingestor.resume();
    let account = rig.settled().await;
    assert_eq!((account.stored, account.kind("gap")), (13, 7));
    assert!(ingestor.metric("audit_partition_rewinds_total").await >= 1.0);
    assert!(ingestor.stop().await.success());
}
