//! `verify` is clean over what was appended, and names what was changed behind the product's back.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod support;

use shared::account::DispositionKind;
use shared::refusal::Reason;
use store::verify::{Verification, verify};
use support::*;

/// Two logs, three appends, one of everything.
async fn filled() -> TestDatabase {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 2).await;
    let mut writer = database.writer().await;
    let first = vec![
        skipped(0, 5, DispositionKind::BeforeStart),
        candidate(5, event(1, NOON)),
        rejected(6, Reason::PayloadInvalid, "/a"),
        candidate(7, event(2, NOON + 40 * DAY)),
        candidate(8, event(1, NOON)),
    ];
    writer.append(&mut batch(vec![span(&logs[0], first), events(&logs[1], 0, 10..20)])).await.unwrap();
    writer.append(&mut batch(vec![events(&logs[0], 9, 30..40)])).await.unwrap();
    database
}

async fn verified(database: &TestDatabase) -> Verification {
    let operator = database.client("audit_operator").await;
    verify(&operator, |_| {}).await.unwrap()
}

#[tokio::test]
async fn what_was_appended_is_clean() {
    let database = filled().await;
    let operator = database.client("audit_operator").await;
    let mut steps = Vec::new();
    let found = verify(&operator, |progress| steps.push(progress)).await.unwrap();
    assert_eq!(found.findings, []);
    assert_eq!((found.head, found.events, found.progress.offsets), (3, 22, 29));
    assert_eq!((found.progress.appends, found.progress.appends_total), (3, 3));
    assert!(steps.len() >= 3 && steps.windows(2).all(|pair| pair[0].offsets <= pair[1].offsets));
}

#[tokio::test]
async fn an_empty_database_is_clean() {
    let database = TestDatabase::create().await;
    database.logs("audit.events", 2).await;
    assert_eq!(verified(&database).await.findings, []);
}

/// One row more: the event of log 2 at offset 7, at another place.
macro_rules! another {
    ($timestamp:literal, $log_id:literal, $offset:literal, $event_id:literal) => {
        concat!(
            "insert into audit.events select ", $timestamp, ", recorded_at, ", $offset, ", ", $log_id, ", version, ", $event_id,
            ", retention_class, organization_id, aggregate_type, aggregate_id, event_type, user_id, correlation_id, \
             causation_id, source, action, payload, metadata from audit.events where log_id = 2 and \"offset\" = 7"
        )
    };
}

/// What a superuser can do when he switches every guard off, and the table that verification names.
const TAMPERINGS: [(&str, &str, &str); 22] = [
    (
        "a payload",
        "appends",
        r#"update audit.events set payload = '{"number":7}' where event_id::text like '%001'"#,
    ),
    (
        "a user column",
        "events",
        "update audit.events set user_id = 'u-2' where log_id = 1 and \"offset\" = 5",
    ),
    ("a row gone", "events", "delete from audit.events where log_id = 1 and \"offset\" = 12"),
    ("a row more", "events", another!("\"timestamp\"", "log_id", "500", "gen_random_uuid()")),
    ("a row before the first", "events", another!("\"timestamp\"", "log_id", "-1", "gen_random_uuid()")),
    ("a row of no log", "events", another!("\"timestamp\"", "77", "\"offset\"", "gen_random_uuid()")),
    ("a row twice", "events", another!("\"timestamp\"", "log_id", "\"offset\"", "event_id")),
    // Log 2 has events of November alone.
    (
        "a row twice, in another month",
        "events",
        another!("\"timestamp\" + interval '40 days'", "log_id", "\"offset\"", "event_id"),
    ),
    (
        "a row moved to another month",
        "appends",
        "update audit.events set \"timestamp\" = \"timestamp\" + interval '40 days' where log_id = 2 and \"offset\" = 3",
    ),
    (
        "a row moved within its append",
        "appends",
        "update audit.events set \"timestamp\" = \"timestamp\" + interval '1 microsecond' where log_id = 2 and \"offset\" = 3",
    ),
    ("an append's times", "appends", "update audit.appends set max_time = min_time where log_id = 2"),
    (
        "a recorded time",
        "events",
        "update audit.events set recorded_at = recorded_at + interval '1 second' where \"offset\" = 5",
    ),
    (
        "a disposition's kind",
        "appends",
        "update audit.dispositions set kind = 'gap' where kind = 'before-start'",
    ),
    ("a disposition gone", "events", "delete from audit.dispositions where kind = 'duplicate'"),
    (
        "a disposition more",
        "dispositions",
        "insert into audit.dispositions values (900, 901, null, 1, 'gap', null)",
    ),
    ("a dead letter gone", "dispositions", "delete from audit.dead_letters"),
    ("a root", "appends", "update audit.appends set batch_root = sha256('x') where append_no = 2"),
    ("an append gone", "appends", "delete from audit.appends where append_no = 2"),
    ("a count", "appends", "update audit.appends set duplicate = 0, skipped = 6 where append_no = 1"),
    ("an id gone", "event_ids", "delete from audit.event_ids where event_id::text like '%00b'"),
    ("an id more", "event_ids", "insert into audit.event_ids values (gen_random_uuid(), now(), 5, 1)"),
    ("a position", "logs", "update audit.logs set next_offset = next_offset + 1 where log_id = 2"),
];

#[tokio::test]
async fn every_tampering_is_found_where_it_was_done() {
    let database = filled().await;
    let client = database.superuser_client().await;
    for table in ["events", "event_ids", "dispositions", "dead_letters", "appends", "logs"] {
        // With every guard switched off, on the leaves too: this is about what is found, not about what is refused.
        let leaves = client
            .query(
                "select c.oid::regclass::text from pg_class c where c.relnamespace = 'audit'::regnamespace \
                 and c.relkind in ('r', 'p') and c.relname ~ ('^' || $1 || '(_|$)')",
                &[&table],
            )
            .await
            .unwrap();
        for leaf in leaves {
            let leaf: &str = leaf.get(0);
            client.batch_execute(&format!("alter table {leaf} disable trigger user")).await.unwrap();
        }
    }
    for (what, table, sql) in TAMPERINGS {
        // Each in a transaction that is rolled back; verification runs on the same connection, inside it.
        client.batch_execute("begin").await.unwrap();
        let changed = client.execute(sql, &[]).await.unwrap();
        assert!(changed > 0, "{what}: the statement changes nothing");
        let found = verify(&client, |_| {}).await.unwrap();
        client.batch_execute("rollback").await.unwrap();
        assert!(found.findings.iter().any(|finding| finding.table == table), "{what}: {:#?}", found.findings);
    }
    assert_eq!(verified(&database).await.findings, []);
}

/// As many rows as the account says, and yet not these: months that the times of the appends leave out are looked at too.
#[tokio::test]
async fn a_row_that_makes_up_for_another_in_another_month_is_named_beside_it() {
    let database = filled().await;
    let client = database.superuser_client().await;
    let made_up = another!("\"timestamp\" + interval '40 days'", "log_id", "\"offset\"", "event_id");
    let gone = "alter table audit.events_2025_11_standard disable trigger user; \
                delete from audit.events_2025_11_standard where log_id = 2 and \"offset\" = 3";
    client.batch_execute(made_up).await.unwrap();
    client.batch_execute(gone).await.unwrap();
    let found = verified(&database).await;
    let named = |row: &str, problem: &str| {
        found.findings.iter().any(|finding| finding.row == row && finding.problem == problem)
    };
    assert!(
        named("audit.events/1/1 offset 3", "is neither an event nor a disposition")
            && named("audit.events/1/1 offset 7", "is accounted for twice"),
        "{:#?}",
        found.findings
    );
}

#[tokio::test]
async fn the_first_wrong_row_is_named() {
    let database = filled().await;
    let client = database.superuser_client().await;
    client
        .batch_execute(
            "alter table audit.events_2025_11_standard disable trigger user; \
             delete from audit.events_2025_11_standard where log_id = 1 and \"offset\" = 12",
        )
        .await
        .unwrap();
    let found = verified(&database).await;
    assert_eq!(found.findings[0].row, "audit.events/0/1 offset 12");
    assert_eq!(found.findings[0].problem, "is neither an event nor a disposition");
}

#[tokio::test]
async fn it_runs_beside_ingest() {
    let database = filled().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    let operator = database.client("audit_operator").await;
    let ingest = async {
        for nth in 0..40u64 {
            let offset = logs[0].next_offset + i64::try_from(nth).unwrap() * 50;
            let numbers = 1_000 + nth * 50..1_050 + nth * 50;
            writer.append(&mut batch(vec![events(&logs[0], offset, numbers)])).await.unwrap();
        }
    };
    let verifying = async {
        for _ in 0..10 {
            assert_eq!(verify(&operator, |_| {}).await.unwrap().findings, []);
        }
    };
    tokio::join!(ingest, verifying);
    let found = verified(&database).await;
    assert_eq!((found.findings, found.events), (vec![], 2_022));
}
