//! The second wall (semantics.md 12): what the API's role gets when a statement forgets whose events it may show. Asked of
//! everything that the catalogue says this role can reach, so that a new table or function is seen here.

use std::collections::BTreeMap;

use test_support::Role;
use tokio_postgres::Client;

use crate::{
    feeder::TOPIC,
    look_alikes::{LETTER, LookAlikes, Organization},
    server::Server,
};

/// What can be read without a scope, and every column of it: coordinates, numbers, times, ids, of replay jobs who asked for what;
/// not one word of an event.
/// Anything else must be a view of the scope.
const WITHOUT_SCOPE: [(&str, &str); 12] = [
    ("append_head", "last only_row"),
    (
        "appends",
        "append_no recorded_at from_offset next_offset min_time max_time skipped log_id stored duplicate dead_lettered batch_root",
    ),
    ("dispositions", "from_offset next_offset event_id log_id kind reason"),
    ("event_ids", "event_id timestamp offset log_id"),
    (
        "logs",
        "log_id cluster topic partition incarnation next_offset last_record_offset last_record_digest last_recorded_at opened_at opened_by closed_at accepted_gap_to accepted_gap_by accepted_gap_at",
    ),
    ("projections", "position updated_at version name tables"),
    ("redrives", "at offset redrive_id log_id step requested_by to_topic to_partition to_offset"),
    (
        "replay_jobs",
        "created_at updated_at ended_at lease_until run_started_at until_append reached_append reached_offset last_offset sent \
         sent_bytes run_sent_before expected job_id runner last_log_id rate version state expectation topic created_by \
         organization_id filter trouble",
    ),
    ("replay_steps", "at published_at sent event_id job_id version step by_whom detail"),
    ("retention_classes", "name keep made_at"),
    ("schema_history", "version name applied_on checksum"),
    (
        "submissions",
        "started_at attempt_until finished_at caller body_digest idempotency_key event_ids partitions offsets",
    ),
];

/// What the role may call, and what it gives.
const FUNCTIONS: [(&str, &str); 4] = [
    ("floor_month()", "a constant"),
    ("searchable(json)", "its argument as jsonb, without protected values"),
    ("without_protected(jsonb)", "its argument without protected values"),
    ("words(json,text)", "the words of its argument"),
];

const REACHABLE: &str = "
    select c.relname::text, string_agg(a.attname::text, ' ' order by a.attnum)
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
      and c.relkind in ('r', 'p', 'v', 'm', 'f')
      and has_schema_privilege(n.oid, 'usage') and has_any_column_privilege(c.oid, 'select')
    group by n.nspname, c.relname
    order by 1";

const CALLABLE: &str = "
    select p.oid::regprocedure::text
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    where n.nspname not in ('pg_catalog', 'information_schema') and p.prorettype <> 'trigger'::regtype
      and has_schema_privilege(n.oid, 'usage') and has_function_privilege(p.oid, 'execute')
    order by 1";

/// Scopes that name nobody.
const NOBODYS: [&str; 9] = [
    "select 1",
    "select set_config('audit.organization', '', true)",
    "select set_config('audit.organization', 'NORTH', true)",
    "select set_config('audit.organization', 'north ', true)",
    "select set_config('audit.organization', '%', true)",
    "select set_config('audit.organization', 'nobody', true)",
    "select set_config('audit.scope', 'organization', true)",
    "select set_config('audit.scope', '', true)",
    "select set_config('audit.scope', 'ALL', true), set_config('audit.organization', '', true)",
];

/// The texts of the rows that a statement gives within such a transaction.
async fn rows(api: &Client, settings: &str, from: &str) -> Vec<String> {
    api.batch_execute(&format!("begin read only; {settings}")).await.expect("begun");
    let rows = api.query(&format!("select to_jsonb(t)::text from {from} t"), &[]).await;
    api.batch_execute("rollback").await.expect("ended");
    rows.unwrap_or_else(|error| panic!("{from}: {error}")).iter().map(|row| row.get(0)).collect()
}

fn within(organization: &Organization) -> String {
    format!(
        "select set_config('audit.scope', 'organization', true), set_config('audit.organization', '{}', true)",
        organization.name
    )
}

/// The relations of the scope, after what the others hold has been checked.
async fn scoped(api: &Client) -> Vec<String> {
    let rows = api.query(REACHABLE, &[]).await.expect("the catalogue");
    let reachable: BTreeMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut scoped = Vec::new();
    for (name, columns) in &reachable {
        match WITHOUT_SCOPE.iter().find(|(known, _)| known == name) {
            Some((_, known)) => assert_eq!(
                columns, known,
                "audit.{name} is read without a scope and has other columns now: if none of them can hold a word of an \
                 event, write them down in WITHOUT_SCOPE; else give the role a view with the scope instead"
            ),
            None => scoped.push(format!("audit.{name}")),
        }
    }
    for (name, _) in WITHOUT_SCOPE {
        assert!(reachable.contains_key(name), "{name} is reachable no more: take it out of WITHOUT_SCOPE");
    }
    scoped
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_forgets_the_scope_shows_nothing_of_another_organisation() {
    let server = Server::start().await;
    let both = LookAlikes::stored(&server, TOPIC).await;
    let api = server.database.connect(Role::Api).await;
    for relation in scoped(&api).await {
        let all = rows(&api, "select set_config('audit.scope', 'all', true)", &relation).await.concat();
        assert!(
            !all.is_empty(),
            "{relation} has no rows here, so this shows nothing: let LookAlikes store some of both organisations, or \
             write the relation down in WITHOUT_SCOPE"
        );
        for settings in NOBODYS {
            assert!(rows(&api, settings, &relation).await.is_empty(), "{relation} after {settings}");
        }
        for (wanted, own) in both.pairs() {
            let seen = rows(&api, &within(own), &relation).await;
            for row in &seen {
                let foreign = row.contains(wanted.secret)
                    || row.contains(wanted.only)
                    || row.contains(&format!("\"organization_id\": \"{}\"", wanted.name));
                assert!(!foreign, "{relation} shows {}: {row}", own.name);
            }
            if relation != "audit.dead_letters_visible" {
                assert!(!seen.is_empty(), "{relation} shows its own rows to {}", own.name);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_around_the_views_leads_past_the_scope() {
    let server = Server::start().await;
    let both = LookAlikes::stored(&server, TOPIC).await;
    let api = server.database.connect(Role::Api).await;
    let (north, south) = (&both.north, &both.south);
    let (id, position) = (north.own_event, north.positions[&north.own_event]);
    for from in [
        format!("(select * from audit.events_visible where event_id = '{id}')"),
        format!("(select * from audit.events_visible where organization_id = '{}')", north.name),
        format!("(select * from audit.events_visible where organization_id = '{}' or true)", north.name),
        format!("(select * from audit.events_visible where user_id = '{}')", north.only),
        format!("(select * from audit.events_visible where correlation_id = '{}')", north.only),
        format!(
            "(select * from audit.events_visible where log_id = {} and \"offset\" = {})",
            position.log_id, position.offset
        ),
        format!(
            "(select v.* from audit.event_ids i join audit.events_visible v using (log_id, \"offset\") where i.event_id = '{id}')"
        ),
        format!(
            "(select v.* from audit.appends a join audit.events_visible v on v.log_id = a.log_id where v.event_id = '{id}')"
        ),
        format!(
            "(select 1 from audit.events_visible where event_id = '{id}' union all select 1 from audit.security_events_visible where event_id = '{}')",
            north.security_event
        ),
        format!("(select 1 from audit.events_visible having bool_or(organization_id = '{}'))", north.name),
        "(select * from audit.dead_letters_visible)".to_owned(),
    ] {
        let everything = "select set_config('audit.scope', 'all', true)";
        assert!(!rows(&api, everything, &from).await.is_empty(), "{from} finds something where it may");
        assert!(rows(&api, "select 1", &from).await.is_empty(), "{from} without a scope");
        let shown = rows(&api, &within(south), &from).await.concat();
        assert!(!shown.contains(north.secret) && !shown.contains(LETTER), "{from}: {shown}");
        // Only "or true" forgets whom it asks for; what it gives is the caller's own.
        assert!(shown.is_empty() || from.contains("or true"), "{from}: {shown}");
    }
    // A setting of one transaction is gone in the next.
    rows(&api, "select set_config('audit.scope', 'all', true)", "audit.events_visible").await;
    assert!(rows(&api, "select 1", "audit.events_visible").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_the_api_calls_nothing_that_could_show_events() {
    let server = Server::start().await;
    let api = server.database.connect(Role::Api).await;
    let rows = api.query(CALLABLE, &[]).await.expect("the catalogue");
    let callable: Vec<String> = rows.iter().map(|row| row.get::<_, String>(0)).collect();
    let known: Vec<String> = FUNCTIONS.iter().map(|(name, _)| format!("audit.{name}")).collect();
    assert_eq!(
        callable, known,
        "the API's role may call other functions than FUNCTIONS has: write down what the new one gives, and if it reads \
         events, let a test of this file show that it gives none without a scope"
    );
}
