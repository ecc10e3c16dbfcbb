//! The two sets of indexes (semantics.md 11): what they are, and the way from one to the other beside a writer, with new
//! months, cut in the middle, beside an open reader.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use shared::index_set::IndexSet;
use store::indexes::{
    Changed, DEFINITIONS, Doing, IndexState, Lookup, Presence, Progress, UsableIndexes, apply, inventory,
    set_of,
};
use store::migrate::migrate;
use store::{Reader, StoreError};
use support::*;
use tokio::task::JoinHandle;

const STANDARD: [&str; 5] =
    ["events_organization", "events_user", "events_type", "events_correlation", "events_causation"];

async fn change(database: &TestDatabase, set: IndexSet) -> Changed {
    apply(&database.url("audit_migrator"), set, |_| {}).await.unwrap()
}

async fn states(database: &TestDatabase) -> Vec<IndexState> {
    inventory(&database.client("audit_operator").await).await.unwrap()
}

async fn state(database: &TestDatabase, name: &str) -> IndexState {
    states(database).await.into_iter().find(|state| state.definition.name == name).unwrap()
}

/// Every index of every table of events is valid and part of the next one up, and every leaf has the whole set.
async fn assert_whole(database: &TestDatabase, set: IndexSet) {
    let states = states(database).await;
    assert_eq!(set_of(&states), Some(set), "{states:?}");
    let wanted = DEFINITIONS.iter().filter(|definition| definition.is_in(set)).count();
    let leaves = database.count("select count(*) from pg_partition_tree('audit.events') where isleaf").await;
    let sql = "select count(*) from pg_partition_tree('audit.events') t join pg_index x on x.indrelid = t.relid \
               left join pg_inherits h on h.inhrelid = x.indexrelid where ";
    let on_leaves = database.count(&format!("{sql} t.isleaf")).await;
    assert_eq!(on_leaves, leaves * i64::try_from(wanted).unwrap());
    let odd =
        database.count(&format!("{sql} not x.indisvalid or (t.level > 0 and h.inhparent is null)")).await;
    assert_eq!(odd, 0, "indexes that are invalid or not attached");
}

/// A writer that appends without pause to one log, in batches of 20 events that walk through the months.
struct Ingest {
    stop: Arc<AtomicBool>,
    task: JoinHandle<(u64, Duration)>,
}

impl Ingest {
    /// From 2024-01 on, a new month every 40 batches or so.
    async fn start(database: &TestDatabase) -> Self {
        let log = database.logs("audit.events", 1).await.remove(0);
        let mut writer = database.writer().await;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let (mut next, mut longest) = (0u64, Duration::ZERO);
            while !stopped.load(Ordering::Relaxed) {
                let entries = (next..next + 20)
                    .map(|number| {
                        let time = 1_704_067_200_000_000 + i64::try_from(number).unwrap() * 3_200 * SECOND;
                        let time = time.min(NOON);
                        candidate(i64::try_from(number).unwrap(), event(number, time))
                    })
                    .collect();
                let begun = Instant::now();
                writer.append(&mut batch(vec![span(&log, entries)])).await.unwrap();
                longest = longest.max(begun.elapsed());
                next += 20;
            }
            (next, longest)
        });
        Self { stop, task }
    }

    /// How many events it stored, and the longest that one batch took.
    async fn finish(self) -> (u64, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

async fn months(database: &TestDatabase) -> i64 {
    database.count("select count(*) from pg_inherits where inhparent = 'audit.events'::regclass").await
}

#[tokio::test]
async fn a_migrated_database_has_exactly_the_table_of_definitions() {
    for set in [IndexSet::Standard, IndexSet::Essential] {
        let database = TestDatabase::with_indexes(set).await;
        let client = database.superuser_client().await;
        let rows = client
            .query(
                "select c.relname::text, pg_get_indexdef(c.oid) from pg_index x join pg_class c on c.oid = x.indexrelid \
                 where x.indrelid = 'audit.events'::regclass order by 1",
                &[],
            )
            .await
            .unwrap();
        let found: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let mut wanted: Vec<(String, String)> = DEFINITIONS
            .iter()
            .filter(|definition| definition.is_in(set))
            .map(|definition| {
                let text =
                    format!("CREATE INDEX {} ON ONLY audit.events {}", definition.name, definition.using);
                (definition.name.to_owned(), text)
            })
            .collect();
        wanted.sort();
        assert_eq!(found, wanted);
        assert_whole(&database, set).await;
        // A month made later has the set too.
        client.execute("select audit.ensure_month(date '2025-11-20')", &[]).await.unwrap();
        assert_whole(&database, set).await;
    }
}

#[tokio::test]
async fn a_set_is_changed_there_and_back_and_a_second_time_does_nothing() {
    let database = TestDatabase::create().await;
    let log = database.logs("audit.events", 1).await.remove(0);
    database.writer().await.append(&mut batch(vec![events(&log, 0, 1..50)])).await.unwrap();
    let reader = Reader::connect(&database.url("audit_api"), 1, "store-test").await.unwrap();
    assert_eq!(reader.indexes(), UsableIndexes::ALL);

    assert_eq!(change(&database, IndexSet::Essential).await.dropped, STANDARD);
    assert_whole(&database, IndexSet::Essential).await;
    assert_eq!(reader.indexes(), UsableIndexes::ALL, "a reader looks from time to time only");
    reader.check().await.unwrap();
    assert_eq!(reader.indexes(), UsableIndexes::NONE);
    assert_eq!(change(&database, IndexSet::Essential).await, Changed::default());

    let mut heard: Vec<Progress> = Vec::new();
    let url = database.url("audit_migrator");
    let changed = apply(&url, IndexSet::Standard, |now| heard.push(now.clone())).await.unwrap();
    assert_eq!(changed.built, STANDARD);
    assert_whole(&database, IndexSet::Standard).await;
    reader.check().await.unwrap();
    assert_eq!(reader.indexes(), UsableIndexes::ALL);
    for name in STANDARD {
        let last = heard.iter().rfind(|progress| progress.index == name).unwrap();
        assert_eq!((last.doing, last.partitions), (Doing::Building, (4, 4)), "{last:?}");
        assert!(last.bytes.0 > 0 && last.bytes.0 == last.bytes.1, "{last:?}");
    }
    let state = state(&database, "events_user").await;
    assert_eq!((state.presence, state.partitions), (Presence::Whole, (4, 4)));
    assert!(state.bytes > 0, "{state:?}");
}

#[tokio::test]
async fn migrate_gives_the_set_only_to_a_database_without_events() {
    let database = TestDatabase::create().await;
    let url = database.url("audit_migrator");
    let report = migrate(&url, &classes(), IndexSet::Essential).await.unwrap();
    assert_eq!(report.indexes, Some(IndexSet::Essential));
    assert_whole(&database, IndexSet::Essential).await;
    let report = migrate(&url, &classes(), IndexSet::Standard).await.unwrap();
    assert_eq!(report.indexes, Some(IndexSet::Standard));
    assert_whole(&database, IndexSet::Standard).await;

    let log = database.logs("audit.events", 1).await.remove(0);
    database.writer().await.append(&mut batch(vec![events(&log, 0, 1..2)])).await.unwrap();
    let report = migrate(&url, &classes(), IndexSet::Essential).await.unwrap();
    assert_eq!(report.indexes, Some(IndexSet::Standard));
    assert_whole(&database, IndexSet::Standard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_built_and_dropped_beside_a_writer_that_opens_new_months() {
    let database = TestDatabase::with_indexes(IndexSet::Essential).await;
    let ingest = Ingest::start(&database).await;
    while months(&database).await < 4 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let before = months(&database).await;
    assert_eq!(change(&database, IndexSet::Standard).await.built, STANDARD);
    let meanwhile = months(&database).await;
    assert_eq!(set_of(&states(&database).await), Some(IndexSet::Standard));
    assert_eq!(change(&database, IndexSet::Essential).await.dropped, STANDARD);
    assert_eq!(change(&database, IndexSet::Standard).await.built, STANDARD);
    let (stored, longest) = ingest.finish().await;
    assert!(meanwhile > before, "no month was opened while the indexes were built");
    assert_eq!(database.count("select count(*) from audit.events").await, i64::try_from(stored).unwrap());
    // An attempt to lock waits for two seconds at most; the rest is a slow machine's.
    assert!(longest < Duration::from_secs(10), "a batch took {longest:?}");
    println!("{stored} events meanwhile, {before} to {meanwhile} months; the longest batch took {longest:?}");
    assert_whole(&database, IndexSet::Standard).await;
    let operator = database.client("audit_operator").await;
    let verification = store::verify::verify(&operator, |_| {}).await.unwrap();
    assert_eq!(verification.findings.len(), 0);
}

/// A build that hangs in the middle of a leaf, since a transaction that writes there is open.
async fn hanging(
    database: &TestDatabase,
    holder: &tokio_postgres::Client,
) -> JoinHandle<Result<Changed, StoreError>> {
    holder
        .batch_execute("begin; lock table only audit.events_2025_11_standard in row exclusive mode")
        .await
        .unwrap();
    let url = database.url("audit_migrator");
    let build = tokio::spawn(async move { apply(&url, IndexSet::Standard, |_| {}).await });
    let broken = "select count(*) from pg_index where not indisvalid and indrelid = 'audit.events_2025_11_standard'::regclass";
    while database.count(broken).await == 0 {
        assert!(!build.is_finished(), "the build does not wait");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    build
}

async fn with_two_months() -> TestDatabase {
    let database = TestDatabase::with_indexes(IndexSet::Essential).await;
    let log = database.logs("audit.events", 1).await.remove(0);
    let old = changed_events(&log, 0, 1..20, |_, event| {
        event.timestamp = at(event.timestamp.as_micros() - 40 * DAY);
    });
    let mut writer = database.writer().await;
    writer.append(&mut batch(vec![old])).await.unwrap();
    writer.append(&mut batch(vec![events(&log, 19, 20..40)])).await.unwrap();
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_cut_goes_on_where_it_was() {
    let database = with_two_months().await;
    let holder = database.superuser_client().await;
    let build = hanging(&database, &holder).await;
    // October is done, November is broken in the middle.
    let state_before = state(&database, "events_organization").await;
    assert_eq!(state_before.presence, Presence::Partial, "{state_before:?}");
    assert!((1..state_before.partitions.1).contains(&state_before.partitions.0), "{state_before:?}");
    let reader = Reader::connect(&database.url("audit_api"), 1, "store-test").await.unwrap();
    assert!(!reader.indexes().has(Lookup::Organization), "what is half built is not counted on");
    let kept = "select coalesce(max(x.indexrelid)::bigint, 0) from pg_index x join pg_class c on c.oid = x.indrelid \
                where c.relname = 'events_2025_10_standard' and pg_get_indexdef(x.indexrelid) like '%(organization_id,%'";
    let october = database.count(kept).await;
    assert!(october > 0);

    database
        .superuser_client()
        .await
        .execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'audit-index' and datname = current_database()", &[])
        .await
        .unwrap();
    let error = build.await.unwrap().unwrap_err();
    assert!(error.is_transient(), "{error}");
    holder.batch_execute("rollback").await.unwrap();

    assert_eq!(change(&database, IndexSet::Standard).await.built, STANDARD);
    assert_whole(&database, IndexSet::Standard).await;
    assert_eq!(database.count(kept).await, october, "what was whole is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_cut_can_be_taken_back() {
    let database = with_two_months().await;
    let holder = database.superuser_client().await;
    let build = hanging(&database, &holder).await;
    // Nobody waits for it any more; the leaf at hand is still finished, and attached to nothing.
    build.abort();
    holder.batch_execute("rollback").await.unwrap();
    let changed = change(&database, IndexSet::Essential).await;
    assert!(changed.dropped.contains(&"events_organization"), "{changed:?}");
    assert_whole(&database, IndexSet::Essential).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_dropped_beside_an_open_reader_without_a_queue_behind_it() {
    let database = TestDatabase::create().await;
    let ingest = Ingest::start(&database).await;
    while database.count("select count(*) from audit.events").await < 100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let reader = database.superuser_client().await;
    reader.batch_execute("begin; select count(*) from audit.events").await.unwrap();
    let url = database.url("audit_migrator");
    let (told, mut waits) = tokio::sync::mpsc::unbounded_channel();
    let dropping = tokio::spawn(async move {
        apply(&url, IndexSet::Essential, |now| {
            let _ = told.send(now.lock_attempts); // Err = the test has heard enough
        })
        .await
    });
    while waits.recv().await.unwrap() < 3 {}
    let before = database.count("select count(*) from audit.events").await;
    let mut after = before;
    while after < before + 100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        after = database.count("select count(*) from audit.events").await;
    }
    assert!(!dropping.is_finished());
    reader.batch_execute("commit").await.unwrap();
    assert_eq!(dropping.await.unwrap().unwrap().dropped, STANDARD);
    let (stored, longest) = ingest.finish().await;
    assert!(longest < Duration::from_secs(10), "a batch took {longest:?}");
    println!("{stored} events meanwhile; the longest batch took {longest:?}");
    assert_whole(&database, IndexSet::Essential).await;
}

#[tokio::test]
async fn another_index_of_the_same_name_is_left_alone_and_named() {
    let database = TestDatabase::with_indexes(IndexSet::Essential).await;
    let owner = database.superuser_client().await;
    owner
        .batch_execute("set role audit_owner; create index events_user on audit.events (user_id)")
        .await
        .unwrap();
    let error = apply(&database.url("audit_migrator"), IndexSet::Standard, |_| {}).await.unwrap_err();
    assert!(matches!(&error, StoreError::Refused(text) if text.contains("audit.events_user")), "{error}");
    assert_eq!(state(&database, "events_user").await.presence, Presence::Partial);
    owner.batch_execute("drop index audit.events_user").await.unwrap();
    change(&database, IndexSet::Standard).await;
    assert_whole(&database, IndexSet::Standard).await;
}
