//! Writers beside writers: the same ids, the same logs, a stopped one, a failing COMMIT (semantics.md 3, 4).

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod support;

use std::time::{Duration, Instant};

use shared::refusal::Reason;
use store::{AppendError, Writer};
use support::*;

/// Two writers, each with its own log, appending at once for a number of rounds; counts (stored, duplicate, conflict).
async fn both(
    database: &TestDatabase,
    rounds: u64,
    make: impl Fn(u64, usize) -> shared::event::Event + Sync,
) -> (u64, u64, u64) {
    let logs = database.logs("audit.events", 2).await;
    let run = async |side: usize, mut writer: Writer| {
        let mut counts = (0, 0, 0);
        for round in 0..rounds {
            let offset = i64::try_from(round * 20).unwrap();
            let entries = (0..20u64)
                .map(|nth| candidate(offset + i64::try_from(nth).unwrap(), make(round * 20 + nth, side)))
                .collect();
            let appended = writer.append(&mut batch(vec![span(&logs[side], entries)])).await.unwrap();
            let outcome = &appended.spans[0];
            counts.0 += outcome.stored;
            counts.1 += outcome.duplicate;
            counts.2 += outcome.dead_lettered.iter().map(|(_, count)| count).sum::<u64>();
        }
        counts
    };
    let (one, other) = (database.writer().await, database.writer().await);
    let (one, other) = tokio::join!(run(0, one), run(1, other));
    (one.0 + other.0, one.1 + other.1, one.2 + other.2)
}

async fn assert_clean(database: &TestDatabase) {
    let operator = database.client("audit_operator").await;
    assert_eq!(store::verify::verify(&operator, |_| {}).await.unwrap().findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_events_by_two_writers_are_stored_once() {
    let database = TestDatabase::create().await;
    let counts = both(&database, 25, |number, _| event(number, NOON)).await;
    assert_eq!(counts, (500, 500, 0));
    assert_eq!(database.count("select count(*) from audit.events").await, 500);
    assert_eq!(database.count("select last from audit.append_head").await, 50);
    assert_clean(&database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_ids_in_two_months_by_two_writers_are_one_event_and_a_conflict() {
    let database = TestDatabase::create().await;
    let months = [NOON, NOON + 40 * DAY];
    let counts = both(&database, 25, |number, side| event(number, months[side])).await;
    assert_eq!(counts, (500, 0, 500));
    assert_eq!(database.count("select count(distinct event_id) from audit.events").await, 500);
    assert_clean(&database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_position_is_advanced_by_one_writer() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let (mut one, mut other) = (database.writer().await, database.writer().await);
    for round in 0..20u64 {
        let offset = i64::try_from(round * 10).unwrap();
        let mut mine = batch(vec![events(&logs[0], offset, round * 10..round * 10 + 10)]);
        let mut same = mine.clone();
        let (first, second) = tokio::join!(one.append(&mut mine), other.append(&mut same));
        let (won, lost) = if first.is_ok() { (first, second) } else { (second, first) };
        assert_eq!(won.unwrap().spans[0].stored, 10);
        assert!(matches!(lost.unwrap_err(), AppendError::PositionMoved));
    }
    assert_eq!(database.count("select count(*) from audit.events").await, 200);
    assert_clean(&database).await;
}

#[tokio::test]
async fn a_writer_that_is_always_second_gives_up_after_five_redoes() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    // Whatever is inserted is "first by another": the key fails each time.
    let client = database.superuser_client().await;
    client
        .batch_execute(
            "create function public.lose() returns trigger language plpgsql as $$ begin \
               perform nextval('public.tries'); raise unique_violation; end $$; \
             create sequence public.tries; grant usage on sequence public.tries to audit_ingestor; \
             grant usage on schema public to audit_ingestor; \
             create trigger lose before insert on audit.event_ids for each row execute function public.lose()",
        )
        .await
        .unwrap();
    let error = writer.append(&mut batch(vec![events(&logs[0], 0, 1..2)])).await.unwrap_err();
    assert!(matches!(error, AppendError::Contended), "{error}");
    assert_eq!(database.count("select last_value from public.tries").await, 6);
    // Nothing is left behind, and the same batch goes through when the others have stopped.
    client.batch_execute("drop trigger lose on audit.event_ids").await.unwrap();
    writer.append(&mut batch(vec![events(&logs[0], 0, 1..2)])).await.unwrap();
    assert_clean(&database).await;
}

#[tokio::test]
async fn a_transaction_that_fails_before_commit_is_no_success() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    // The account fails in the last flush: COMMIT, sent behind it, answers ROLLBACK and no error.
    let client = database.superuser_client().await;
    client
        .batch_execute(
            "create function public.fail() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$; \
             create trigger fail before insert on audit.appends for each row execute function public.fail()",
        )
        .await
        .unwrap();
    let error = writer.append(&mut batch(vec![events(&logs[0], 0, 1..4)])).await.unwrap_err();
    assert!(matches!(error, AppendError::Unavailable(_)), "{error}");
    assert_eq!(database.count("select count(*) from audit.events").await, 0);
    assert_eq!(database.count("select next_offset from audit.logs").await, 0);
    client.batch_execute("drop trigger fail on audit.appends").await.unwrap();
    writer.append(&mut batch(vec![events(&logs[0], 0, 1..4)])).await.unwrap();
    assert_clean(&database).await;
}

#[tokio::test]
async fn an_append_that_was_dropped_in_the_middle_leaves_nothing_behind() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    let blocker = database.client("audit_ingestor").await;
    blocker
        .batch_execute("begin; select * from audit.append_head; update audit.append_head set last = last + 1")
        .await
        .unwrap();
    let mut mine = batch(vec![events(&logs[0], 0, 1..4)]);
    let waiting = tokio::time::timeout(Duration::from_millis(500), writer.append(&mut mine)).await;
    assert!(waiting.is_err(), "the head row is locked, so the append waits");
    blocker.batch_execute("rollback").await.unwrap();
    // What was sent is done: the outcome was unknown, and now is one of the two.
    match writer.append(&mut mine).await {
        Ok(appended) => assert_eq!(appended.spans[0].stored, 3),
        Err(error) => assert!(matches!(error, AppendError::PositionMoved), "{error}"),
    }
    assert_eq!(database.count("select next_offset from audit.logs").await, 3);
    assert_clean(&database).await;
}

#[tokio::test]
async fn a_stopped_holder_of_locks_is_ended() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    // A zombie in the middle of its transaction: it has the log's row and, in a COPY, an id; no timeout fires there.
    let zombie = database.client("audit_ingestor").await;
    zombie
        .batch_execute("begin; select * from audit.logs for update; insert into audit.event_ids values ('01900000-0000-7000-8000-000000000001', now(), 0, 1)")
        .await
        .unwrap();
    let sink = zombie
        .copy_in::<_, bytes::Bytes>(
            "copy audit.event_ids (event_id, \"timestamp\", \"offset\", log_id) from stdin (format binary)",
        )
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    let appended = writer.append(&mut batch(vec![events(&logs[0], 0, 1..4)])).await.unwrap();
    assert_eq!(appended.spans[0].stored, 3);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    drop(sink);
    assert!(zombie.batch_execute("select 1").await.is_err(), "the zombie's session is gone");
    assert_clean(&database).await;
}

#[tokio::test]
async fn a_flood_of_poison_fits_in_one_batch() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    let entries = (0..5_000).map(|offset| rejected(offset, Reason::MalformedFraming, "")).collect();
    let appended = writer.append(&mut batch(vec![span(&logs[0], entries)])).await.unwrap();
    assert_eq!(appended.spans[0].dead_lettered, [(Reason::MalformedFraming, 5_000)]);
    assert_eq!(database.count("select count(*) from audit.dead_letters").await, 5_000);
    assert_clean(&database).await;
}

#[tokio::test]
async fn a_month_is_made_beside_an_open_reader_and_an_open_writer() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 2).await;
    let mut writer = database.writer().await;
    writer.append(&mut batch(vec![events(&logs[0], 0, 1..3)])).await.unwrap();
    let reader = database.client("audit_operator").await;
    reader
        .batch_execute("begin isolation level repeatable read; select count(*) from audit.events")
        .await
        .unwrap();
    let open_writer = database.client("audit_ingestor").await;
    open_writer
        .batch_execute("begin; insert into audit.events select * from audit.events where \"offset\" = 0")
        .await
        .unwrap();
    let in_a_new_month = span(&logs[1], vec![candidate(0, event(9, NOON - 400 * DAY))]);
    let mut in_a_new_month = batch(vec![in_a_new_month]);
    let append = writer.append(&mut in_a_new_month);
    let appended =
        tokio::time::timeout(Duration::from_secs(3), append).await.expect("nothing waits").unwrap();
    assert_eq!(appended.spans[0].stored, 1);
    // The open ones go on: the reader's snapshot holds, the writer can end.
    let seen: i64 = reader.query_one("select count(*) from audit.events", &[]).await.unwrap().get(0);
    assert_eq!(seen, 2);
    open_writer.batch_execute("rollback").await.unwrap();
    // Asking again, from several sides at once, is nothing new.
    let asking = (0..4).map(|_| async {
        let client = database.client("audit_ingestor").await;
        let row = client.query_one("select audit.ensure_month('2024-03-05')", &[]).await.unwrap();
        row.get::<_, bool>(0)
    });
    let made = futures::future::join_all(asking).await;
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
}
