//! No role that a service uses can change what is stored, by any route (semantics.md 11; architecture.md, promise 2).

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod support;

use support::*;
use tokio_postgres::Client;

const SERVICE_ROLES: [&str; 5] =
    ["audit_ingestor", "audit_api", "audit_projector", "audit_retention", "audit_operator"];
/// Every table that holds evidence, and a leaf and a level between for each partitioned one.
const TABLES: [&str; 11] = [
    "audit.events",
    "audit.events_2025_11",
    "audit.events_2025_11_standard",
    "audit.events_before_2000_01_access",
    "audit.event_ids",
    "audit.event_ids_03",
    "audit.appends",
    "audit.dispositions",
    "audit.dead_letters",
    "audit.writer_schemas",
    "audit.redrives",
];

async fn filled() -> TestDatabase {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    let entries = vec![
        candidate(0, event(1, NOON)),
        candidate(1, event(1, NOON)),
        rejected(2, shared::refusal::Reason::Undecodable, ""),
        candidate(3, event(2, NOON - 40 * 365 * DAY)),
    ];
    writer.append(&mut batch(vec![span(&logs[0], entries)])).await.unwrap();
    database
}

/// Everything that is evidence, as one number that any change would change.
async fn fingerprint(client: &Client) -> String {
    let sql = "select md5(string_agg(line, '|' order by line)) from (
        select e::text as line from audit.events e union all select i::text from audit.event_ids i
        union all select a::text from audit.appends a union all select d::text from audit.dispositions d
        union all select w::text from audit.dead_letters w union all select r::text from audit.redrives r union all select l::text from audit.logs l
        union all select h::text from audit.append_head h
        union all select c.relname || ' ' || coalesce(c.relacl::text, '') from pg_class c
            where c.relnamespace = 'audit'::regnamespace) everything";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// The statement must fail; whatever it did is rolled back.
async fn assert_refused(client: &Client, role: &str, sql: &str) {
    let refused = client.batch_execute(&format!("begin; {sql}; commit")).await;
    let message =
        refused.as_ref().err().and_then(|error| error.as_db_error()).map(|db| db.code().code().to_owned());
    client.batch_execute("rollback").await.unwrap();
    // 42501 insufficient privilege (ownership too), AT001 our guard, 25006 read-only session, 0A000 not possible at all.
    let expected = ["42501", "AT001", "25006", "0A000"];
    assert!(message.as_deref().is_some_and(|code| expected.contains(&code)), "{role}: {sql}: {refused:?}");
}

fn routes(table: &str) -> Vec<String> {
    vec![
        format!("delete from {table}"),
        format!("truncate {table}"),
        format!("truncate {table} cascade"),
        format!("drop table {table}"),
        format!("drop table {table} cascade"),
        format!("alter table {table} disable trigger all"),
        format!("alter table {table} disable trigger guard_truncate"),
        format!("drop trigger guard_truncate on {table}"),
        format!("alter table {table} rename to gone"),
        format!("alter table {table} owner to current_user"),
        format!("alter table {table} add column more int"),
        format!("create rule quiet as on insert to {table} do instead nothing"),
        format!(
            "create trigger more before insert on {table} for each row execute function audit.refuse_change()"
        ),
        format!("select * from {table} for update"),
    ]
}

#[tokio::test]
async fn no_service_role_changes_evidence_by_any_route() {
    let database = filled().await;
    let superuser = database.superuser_client().await;
    let before = fingerprint(&superuser).await;
    for role in SERVICE_ROLES {
        let client = database.client(role).await;
        client.batch_execute("set default_transaction_read_only = off").await.unwrap();
        for table in TABLES {
            // Only a warning without the right to grant; the fingerprint has the privileges.
            client.batch_execute(&format!("grant all on {table} to public")).await.ok();
            for route in routes(table) {
                // What may be inserted may be locked nowhere: FOR UPDATE needs the right to update.
                if role == "audit_ingestor" && table == "audit.dead_letters" && route.ends_with("for update")
                {
                    continue;
                }
                assert_refused(&client, role, &route).await;
            }
        }
        for sql in [
            "update audit.events set payload = '{}'",
            "update audit.events_2025_11_standard set payload = '{}'",
            "update audit.event_ids set log_id = 9",
            "update audit.appends set stored = 0",
            "update audit.dispositions set kind = 'gap'",
            "update audit.dead_letters set reason = 'undecodable'",
            "update audit.logs set incarnation = 7",
            "update audit.logs set next_offset = 0",
            "update audit.append_head set last = 0",
            "delete from audit.logs",
            "truncate audit.logs cascade",
            "delete from audit.append_head",
            "insert into audit.events_2025_11_standard select * from audit.events",
            "copy audit.events_2025_11_standard from stdin",
            "alter table audit.events detach partition audit.events_2025_11",
            "alter table audit.events_2025_11 detach partition audit.events_2025_11_standard",
            "set session_replication_role = replica",
            "set local session_replication_role = replica; delete from audit.events",
            "set role audit_owner",
            "set role audit_migrator",
            "set session authorization audit_owner",
            "drop schema audit cascade",
            "drop view audit.events_visible",
            "create or replace view audit.events_visible as select * from audit.events",
            "create table audit.more (a int)",
            "create function audit.more() returns int language sql as 'select 1'",
            "create or replace function audit.refuse_change() returns trigger language plpgsql as 'begin return null; end'",
            "drop function audit.refuse_change() cascade",
            "select audit.make_range('events_2030_01', '2030-01-01', '2030-02-01')",
            "select audit.ensure_class('more', null)",
            "select audit.guard_table('events')",
            "reassign owned by audit_owner to current_user",
            "drop owned by audit_owner cascade",
            "delete from audit.schema_history",
            "delete from audit.retention_classes",
        ] {
            assert_refused(&client, role, sql).await;
        }
        // Cannot run inside a transaction.
        let detach = "alter table audit.events detach partition audit.events_2025_11 concurrently";
        let error = client.batch_execute(detach).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{role}");
    }
    assert_eq!(fingerprint(&superuser).await, before);
}

#[tokio::test]
async fn the_guards_hold_for_the_owner_and_for_a_superuser_in_replica_mode() {
    let database = filled().await;
    let client = database.superuser_client().await;
    let before = fingerprint(&client).await;
    for mode in ["origin", "replica"] {
        for table in TABLES {
            client.batch_execute(&format!("set session_replication_role = {mode}")).await.unwrap();
            assert_refused(&client, mode, &format!("truncate {table}")).await;
            let rows: i64 =
                client.query_one(&format!("select count(*) from {table}"), &[]).await.unwrap().get(0);
            if rows > 0 {
                assert_refused(&client, mode, &format!("delete from {table}")).await;
                let column = if table.contains("dead_letters") { "reason" } else { "ctid" };
                if column != "ctid" {
                    assert_refused(&client, mode, &format!("update {table} set {column} = 'x'")).await;
                }
            }
        }
        for sql in [
            "update audit.events set version = 9",
            "update audit.events_2025_11_standard set version = 9",
            "update audit.event_ids set log_id = 9",
            "update audit.appends set stored = stored",
            "update audit.dispositions set kind = kind",
            "update audit.logs set topic = 'x'",
            "update audit.logs set next_offset = 0",
            "update audit.append_head set last = last",
            "delete from audit.logs",
            "delete from audit.append_head",
            "truncate audit.logs cascade",
        ] {
            assert_refused(&client, mode, sql).await;
        }
    }
    client.batch_execute("set session_replication_role = origin").await.unwrap();
    assert_eq!(fingerprint(&client).await, before);
}

#[tokio::test]
async fn a_month_made_later_is_guarded_on_every_level() {
    let database = filled().await;
    let ingestor = database.client("audit_ingestor").await;
    ingestor.batch_execute("select audit.ensure_month('2024-02-29')").await.unwrap();
    let client = database.superuser_client().await;
    let unguarded = client
        .query(
            "select c.relname from pg_class c where c.relnamespace = 'audit'::regnamespace and c.relkind in ('r', 'p') \
             and (c.relname = 'events' or c.relname like 'events\\_%') and (select count(*) from pg_trigger t where t.tgrelid = c.oid \
             and t.tgenabled = 'A' and t.tgname in ('guard_rows', 'guard_truncate')) <> 2",
            &[],
        )
        .await
        .unwrap();
    assert!(unguarded.is_empty(), "{unguarded:?}");
    for refused in ["1999-12-31", "2200-01-01"] {
        let error =
            ingestor.batch_execute(&format!("select audit.ensure_month('{refused}')")).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "AT002", "{refused}");
    }
}

#[tokio::test]
async fn the_api_sees_only_what_its_scope_names() {
    let database = filled().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    let mut nobodys = event(50, NOON);
    nobodys.organization_id = String::new();
    writer.append(&mut batch(vec![span(&logs[0], vec![candidate(4, nobodys)])])).await.unwrap();
    let api = database.client("audit_api").await;
    let count = async |settings: &str| -> i64 {
        api.batch_execute(&format!("begin; {settings}")).await.unwrap();
        let rows = api.query_one("select count(*) from audit.events_visible", &[]).await.unwrap().get(0);
        api.batch_execute("commit").await.unwrap();
        rows
    };
    assert_eq!(count("select 1").await, 0, "unset");
    assert_eq!(count("select set_config('audit.scope', 'all', true)").await, 3);
    assert_eq!(count("select 1").await, 0, "unset again: the setting was local");
    assert_eq!(count("select set_config('audit.organization', 'acme', true)").await, 2);
    assert_eq!(count("select set_config('audit.organization', 'other', true)").await, 0);
    // Left over from the transaction before as '', which is not the name of "no organisation".
    assert_eq!(count("select set_config('audit.organization', '', true)").await, 0);
    for sql in [
        "select * from audit.events",
        "select * from audit.events_2025_11_standard",
        "select * from audit.writer_schemas",
        "select * from audit.dead_letters",
    ] {
        assert_refused(&api, "audit_api", sql).await;
    }
}

#[tokio::test]
async fn only_the_publication_of_a_dead_letter_changes_and_only_once() {
    let database = filled().await;
    let ingestor = database.client("audit_ingestor").await;
    ingestor.batch_execute("update audit.dead_letters set published_at = now()").await.unwrap();
    for sql in [
        "update audit.dead_letters set published_at = now()",
        "update audit.dead_letters set published_at = null",
        "update audit.dead_letters set published_at = now(), reason = 'gone'",
    ] {
        assert_refused(&ingestor, "audit_ingestor", sql).await;
    }
}

#[tokio::test]
async fn only_the_api_writes_its_own_tables_and_no_more_of_them_than_it_needs() {
    let database = filled().await;
    let api = database.client("audit_api").await;
    api.batch_execute("set default_transaction_read_only = off").await.unwrap();
    let redrive = "insert into audit.redrives (redrive_id, log_id, \"offset\", step, requested_by, to_topic) \
                   select gen_random_uuid(), log_id, from_offset, 'requested', 'olga', 't' from audit.dispositions where kind = 'dead-lettered'";
    let submission = "insert into audit.submissions (attempt_until, caller, body_digest, idempotency_key, event_ids) \
                      values (now(), sha256('a'), sha256('b'), 'k', array[gen_random_uuid()])";
    let job = "insert into audit.replay_jobs (job_id, topic, filter, created_by, until_append, reached_append) \
               values (gen_random_uuid(), 't', '{}', 'olga', 1, 1)";
    let step = "insert into audit.replay_steps (job_id, version, step, event_id, by_whom, sent) \
                select job_id, 1, 'started', gen_random_uuid(), 'olga', 0 from audit.replay_jobs";
    api.batch_execute(&format!("{redrive}; {submission}; {job}; {step}")).await.unwrap();
    for sql in [
        "update audit.redrives set requested_by = 'somebody else'",
        "delete from audit.redrives",
        "update audit.submissions set event_ids = array[gen_random_uuid()]",
        "update audit.submissions set body_digest = sha256('c')",
        "truncate audit.submissions",
        "update audit.replay_jobs set created_by = 'somebody else'",
        "update audit.replay_jobs set organization_id = 'another'",
        "delete from audit.replay_jobs",
        "update audit.replay_steps set by_whom = 'somebody else'",
        "delete from audit.replay_steps",
    ] {
        assert_refused(&api, "audit_api", sql).await;
    }
    for role in ["audit_ingestor", "audit_operator", "audit_retention"] {
        let client = database.client(role).await;
        for sql in [redrive, submission, job, "update audit.submissions set attempt_until = now()"] {
            assert_refused(&client, role, sql).await;
        }
    }
    let superuser = database.superuser_client().await;
    assert_refused(&superuser, "superuser", "delete from audit.redrives").await;
    assert_refused(&superuser, "superuser", "update audit.redrives set to_topic = 'x'").await;
}
