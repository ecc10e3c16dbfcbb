//! The append transaction on a real server: semantics.md 3 and 4, rule by rule.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod support;

use shared::account::DispositionKind;
use shared::leaf::{Leaf, RootBuilder, leaf_hash, leaf_input};
use shared::refusal::Reason;
use store::{AppendError, LastRecord};
use support::*;

#[tokio::test]
async fn a_batch_is_stored_with_its_account_and_root() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 2).await;
    let mut writer = database.writer().await;
    let last = LastRecord { offset: 7, digest: [9; 32] };
    let mut first = span(
        &logs[0],
        vec![
            skipped(0, 5, DispositionKind::BeforeStart),
            candidate(5, event(1, NOON)),
            rejected(6, Reason::PayloadInvalid, "/a\0b"),
            candidate(7, event(2, NOON + SECOND)),
            skipped(8, 9, DispositionKind::NotDelivered),
        ],
    );
    first.last_record = Some(last);
    let second = events(&logs[1], 0, 10..12);
    let appended = writer.append(&mut batch(vec![second, first.clone()])).await.unwrap();

    assert_eq!(appended.spans.iter().map(|span| span.append_no).collect::<Vec<_>>(), [1, 2]);
    let one = &appended.spans[0];
    assert_eq!((one.log_id, one.stored, one.duplicate, one.next_offset), (logs[0].log_id, 2, 0, 9));
    assert_eq!(one.dead_lettered, [(Reason::PayloadInvalid, 1)]);
    assert_eq!(one.skipped, [(DispositionKind::BeforeStart, 5), (DispositionKind::NotDelivered, 1)]);

    let reopened = database.logs("audit.events", 2).await;
    assert_eq!((reopened[0].next_offset, reopened[1].next_offset), (9, 2));
    assert_eq!((reopened[0].last_record, reopened[1].last_record), (Some(last), None));

    let client = database.superuser_client().await;
    let row = client
        .query_one(
            "select stored, duplicate, dead_lettered, skipped, batch_root, from_offset, next_offset, \
             recorded_at = (select max(recorded_at) from audit.events) and min_time = '2025-11-20 12:00:00+00' \
             and max_time = '2025-11-20 12:00:01+00' from audit.appends where append_no = 1",
            &[],
        )
        .await
        .unwrap();
    let counts: (i32, i32, i32, i64) = (row.get(0), row.get(1), row.get(2), row.get(3));
    assert_eq!(counts, (2, 0, 1, 6));
    assert_eq!((row.get::<_, i64>(5), row.get::<_, i64>(6), row.get::<_, bool>(7)), (0, 9, true));
    // The root by hand, over the leaves that semantics.md 8 describes.
    let (five, seven) = (event(1, NOON), event(2, NOON + SECOND));
    let leaves = [
        (0, Leaf::Skipped { kind: DispositionKind::BeforeStart, next: 5 }),
        (5, Leaf::Stored(&five.borrowed())),
        (6, Leaf::DeadLettered { reason: Reason::PayloadInvalid, event_id: None }),
        (7, Leaf::Stored(&seven.borrowed())),
        (8, Leaf::Skipped { kind: DispositionKind::NotDelivered, next: 9 }),
    ];
    let mut root = RootBuilder::new();
    for (offset, leaf) in &leaves {
        root.push(leaf_hash(&leaf_input(&logs[0].name, *offset, leaf)));
    }
    assert_eq!(row.get::<_, Vec<u8>>(4), root.finish());

    let row = client
        .query_one("select payload::text, metadata::text, user_id, causation_id, retention_class, version from audit.events where log_id = $1 and \"offset\" = 7", &[&logs[0].log_id])
        .await
        .unwrap();
    assert_eq!(row.get::<_, String>(0), seven.payload);
    assert_eq!(row.get::<_, String>(1), seven.metadata);
    assert_eq!((row.get::<_, &str>(2), row.get::<_, &str>(3)), ("u-1", ""));
    assert_eq!((row.get::<_, &str>(4), row.get::<_, i32>(5)), ("standard", 2));
    assert_eq!(database.count("select count(*) from audit.event_ids").await, 4);
}

#[tokio::test]
async fn a_dead_letter_keeps_the_record_and_is_published_once() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    let entries = vec![rejected(0, Reason::PayloadInvalid, "/a\0b"), rejected(1, Reason::Undecodable, "")];
    writer.append(&mut batch(vec![span(&logs[0], entries)])).await.unwrap();

    let client = database.client("audit_ingestor").await;
    let letters = store::dead_letters::unpublished(&client, 10, 1 << 20).await.unwrap();
    assert_eq!(letters.len(), 2);
    let letter = &letters[0];
    assert_eq!(letter.record, *record("broken"));
    assert_eq!((letter.reason, letter.stage), (Reason::PayloadInvalid, store::Stage::Validate));
    assert_eq!((letter.pointer.as_str(), letter.log.clone()), ("/a\u{fffd}b", log_name("audit.events", 0)));
    assert_eq!((letter.position.log_id, letter.position.offset), (logs[0].log_id, 0));
    // A byte limit still answers the first.
    assert_eq!(store::dead_letters::unpublished(&client, 10, 1).await.unwrap().len(), 1);

    let positions = [letters[0].position];
    assert_eq!(store::dead_letters::mark_published(&client, &positions).await.unwrap(), 1);
    assert_eq!(store::dead_letters::mark_published(&client, &positions).await.unwrap(), 0);
    let rest = store::dead_letters::unpublished(&client, 10, 1 << 20).await.unwrap();
    assert_eq!(rest.iter().map(|letter| letter.position.offset).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_batch_from_another_position_stores_nothing() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 2).await;
    let mut writer = database.writer().await;
    writer.append(&mut batch(vec![events(&logs[0], 0, 1..3)])).await.unwrap();
    for stale in [events(&logs[0], 0, 5..8), events(&logs[0], 3, 5..8)] {
        let spans = vec![stale, events(&logs[1], 0, 20..22)];
        let error = writer.append(&mut batch(spans)).await.unwrap_err();
        assert!(matches!(error, AppendError::PositionMoved), "{error}");
    }
    assert_eq!(database.count("select count(*) from audit.events").await, 2);
    assert_eq!(database.count("select last from audit.append_head").await, 1);
    // The writer goes on.
    writer.append(&mut batch(vec![events(&logs[0], 2, 5..8)])).await.unwrap();
    assert_eq!(database.count("select last from audit.append_head").await, 2);
}

#[tokio::test]
async fn a_log_that_was_closed_by_a_new_incarnation_takes_nothing() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    writer.append(&mut batch(vec![events(&logs[0], 0, 1..3)])).await.unwrap();
    let operator = database.client("audit_operator").await;
    let (log_id, incarnation) =
        store::ledger::new_incarnation(&operator, "default", "audit.events", 0).await.unwrap();
    assert_eq!(incarnation, 2);
    let error = writer.append(&mut batch(vec![events(&logs[0], 2, 3..5)])).await.unwrap_err();
    assert!(matches!(error, AppendError::PositionMoved), "{error}");
    let reopened = database.logs("audit.events", 1).await;
    assert_eq!((reopened[0].log_id, reopened[0].next_offset), (log_id, 0));
    writer.append(&mut batch(vec![events(&reopened[0], 0, 3..5)])).await.unwrap();

    store::ledger::accept_gap(&operator, "default", "audit.events", 0, 90).await.unwrap();
    assert_eq!(database.logs("audit.events", 1).await[0].accepted_gap_to, Some(90));
    let unknown = store::ledger::accept_gap(&operator, "default", "nobody", 0, 90).await.unwrap_err();
    assert!(matches!(unknown, store::StoreError::Refused(_)), "{unknown}");
}

#[tokio::test]
async fn an_id_stored_before_is_a_duplicate_or_a_conflict() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 2).await;
    let mut writer = database.writer().await;
    writer.append(&mut batch(vec![events(&logs[0], 0, 1..3)])).await.unwrap();
    // The same bytes in another partition; other bytes; the same id in another month.
    let mut changed = event(2, NOON + SECOND);
    changed.payload = r#"{"number":3}"#.to_owned();
    let elsewhere = event(1, NOON + 40 * DAY);
    let entries = vec![
        candidate(0, event(1, NOON)),
        candidate(1, changed),
        candidate(2, elsewhere),
        candidate(3, event(9, NOON)),
    ];
    let appended = writer.append(&mut batch(vec![span(&logs[1], entries)])).await.unwrap();
    let outcome = &appended.spans[0];
    assert_eq!((outcome.stored, outcome.duplicate), (1, 1));
    assert_eq!(outcome.dead_lettered, [(Reason::EventIdConflict, 2)]);
    let client = database.superuser_client().await;
    let kinds: Vec<(i64, String, Option<String>)> = client
        .query("select from_offset, kind, reason from audit.dispositions order by from_offset", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    let conflict = Some("event-id-conflict".to_owned());
    assert_eq!(
        kinds,
        [
            (0, "duplicate".to_owned(), None),
            (1, "dead-lettered".to_owned(), conflict.clone()),
            (2, "dead-lettered".to_owned(), conflict)
        ]
    );
    let ingestor = database.client("audit_ingestor").await;
    let letters = store::dead_letters::unpublished(&ingestor, 10, 1 << 20).await.unwrap();
    assert_eq!(letters[0].record, *record(r#"{"number":3}"#));
    assert_eq!((letters[0].event_id, letters[0].pointer.as_str()), (Some(id(2)), "/eventId"));
}

#[tokio::test]
async fn an_id_twice_in_a_batch_is_settled_by_log_and_offset() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 2).await;
    let mut writer = database.writer().await;
    let mut other = event(1, NOON);
    other.version = 99;
    // Given in the wrong order of logs: (log, offset) decides, so log 0 offset 1 is the first.
    let spans = vec![
        span(&logs[1], vec![candidate(0, other), candidate(1, event(1, NOON)), candidate(2, event(2, NOON))]),
        span(&logs[0], vec![candidate(0, event(5, NOON)), candidate(1, event(1, NOON))]),
    ];
    let appended = writer.append(&mut batch(spans)).await.unwrap();
    assert_eq!((appended.spans[0].stored, appended.spans[0].duplicate), (2, 0));
    assert_eq!((appended.spans[1].stored, appended.spans[1].duplicate), (1, 1));
    assert_eq!(appended.spans[1].dead_lettered, [(Reason::EventIdConflict, 1)]);
    assert_eq!(database.count("select version::bigint from audit.events where event_id = '01900000-0000-7000-8000-000000000001'").await, 1);
}

#[tokio::test]
async fn an_event_gone_by_retention_makes_its_id_a_duplicate() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    writer.append(&mut batch(vec![events(&logs[0], 0, 1..2)])).await.unwrap();
    // What retention will do: the leaf goes as a whole.
    let client = database.superuser_client().await;
    client
        .batch_execute(
            "alter table audit.events_2025_11 detach partition audit.events_2025_11_standard; drop table audit.events_2025_11_standard",
        )
        .await
        .unwrap();
    let mut changed = event(1, NOON + 90 * DAY);
    changed.payload = "{}".to_owned();
    let appended =
        writer.append(&mut batch(vec![span(&logs[0], vec![candidate(1, changed)])])).await.unwrap();
    assert_eq!((appended.spans[0].stored, appended.spans[0].duplicate), (0, 1));
}

/// Ids are looked up only where this process has met them lately; what another process stored is found by the primary key.
#[tokio::test]
async fn repeats_that_this_writer_never_met_are_duplicates_all_the_same() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 2).await;
    let numbered = |log, numbers: std::ops::Range<u64>, from| {
        let entries = numbers.zip(from..).map(|(number, offset)| candidate(offset, event(number, NOON)));
        batch(vec![span(log, entries.collect())])
    };
    database.writer().await.append(&mut numbered(&logs[0], 1..200, 0)).await.unwrap();

    let mut stranger = database.writer().await;
    for (numbers, from, expected) in [(150..250, 0, (50, 50)), (100..150, 100, (0, 50))] {
        let appended = stranger.append(&mut numbered(&logs[1], numbers, from)).await.unwrap();
        let outcome = &appended.spans[0];
        assert_eq!((outcome.stored, outcome.duplicate), expected);
    }
    assert_eq!(database.count("select count(*) from audit.events").await, 249);
}

#[tokio::test]
async fn months_are_made_on_demand_from_1948_to_now() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    let (year_1, year_1948) = (-62_135_596_800 * SECOND, -689_000_000 * SECOND);
    let times = [year_1, year_1948, 0, 946_684_799_999_999, 946_684_800_000_000, NOON, NOON + 31 * DAY];
    let entries =
        times.iter().zip(0..).map(|(time, nth)| candidate(nth, event(nth.unsigned_abs(), *time))).collect();
    writer.append(&mut batch(vec![span(&logs[0], entries)])).await.unwrap();
    let client = database.superuser_client().await;
    let rows = client
        .query("select tableoid::regclass::text from audit.events order by \"offset\"", &[])
        .await
        .unwrap();
    let leaves: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    let floor = "audit.events_before_2000_01_standard";
    assert_eq!(
        leaves,
        [
            floor,
            floor,
            floor,
            floor,
            "audit.events_2000_01_standard",
            "audit.events_2025_11_standard",
            "audit.events_2025_12_standard"
        ]
    );
}

#[tokio::test]
async fn a_class_goes_to_its_own_leaf_and_an_unknown_one_is_refused() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    let with_class = |offset, number, class: &str| {
        let store::Entry::Candidate(mut candidate) = candidate(offset, event(number, NOON)) else {
            unreachable!()
        };
        candidate.retention_class = class.into();
        store::Entry::Candidate(candidate)
    };
    let spans = vec![span(&logs[0], vec![with_class(0, 1, "access"), with_class(1, 2, "standard")])];
    writer.append(&mut batch(spans)).await.unwrap();
    assert_eq!(database.count("select count(*) from audit.events_2025_11_access").await, 1);
    let spans = vec![span(&logs[0], vec![with_class(2, 3, "forever")])];
    let error = writer.append(&mut batch(spans)).await.unwrap_err();
    assert!(matches!(error, AppendError::UnknownClass(ref class) if class == "forever"), "{error}");
    let refused = store::Writer::connect(&database.url("audit_ingestor"), "store-test", &["forever"])
        .await
        .err()
        .unwrap();
    assert!(refused.to_string().contains("trailctl migrate"), "{refused}");
}

#[tokio::test]
async fn a_malformed_batch_is_refused_before_the_database_sees_it() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    let hole = span(&logs[0], vec![candidate(0, event(1, NOON)), candidate(2, event(3, NOON))]);
    let mut short = events(&logs[0], 0, 1..4);
    short.next_offset = 9;
    let doubled = vec![events(&logs[0], 0, 1..2), events(&logs[0], 1, 2..3)];
    for spans in [vec![], vec![hole], vec![short], doubled] {
        let error = writer.append(&mut batch(spans)).await.unwrap_err();
        assert!(matches!(error, AppendError::Invalid(_)), "{error}");
    }
    assert_eq!(database.count("select count(*) from audit.events").await, 0);
}

#[tokio::test]
async fn recorded_at_never_goes_back_within_a_log() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    writer.append(&mut batch(vec![events(&logs[0], 0, 1..2)])).await.unwrap();
    // As if the server's clock had been an hour ahead and was then set right.
    let client = database.superuser_client().await;
    client
        .batch_execute("update audit.logs set last_recorded_at = clock_timestamp() + interval '1 hour'")
        .await
        .unwrap();
    let ahead: i64 = database
        .count("select (extract(epoch from last_recorded_at) * 1000000)::bigint from audit.logs")
        .await;
    let appended = writer.append(&mut batch(vec![events(&logs[0], 1, 2..3)])).await.unwrap();
    assert_eq!(appended.recorded_at, at(ahead));
}
