//! The commands that work on the database, on databases of their own.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::{DaemonConfig, Role, TestDatabase, TestTopic, unique, wait_until};

use crate::running::{Ran, Trailctl};

fn single(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

#[tokio::test]
async fn migrate_makes_a_new_database_whole_and_is_idempotent() {
    let database = TestDatabase::create_empty().await;
    let trailctl = Trailctl::new(&DaemonConfig::new(&database));
    let first = trailctl.run(&["migrate", "--bootstrap"]).ends_with(0);
    let version = store::schema::known_version();
    assert_eq!(single(&first)["version"], version);
    assert_eq!(single(&first)["applied"].as_array().map(Vec::len), usize::try_from(version).ok());
    for bootstrap in [&["migrate", "--bootstrap"][..], &["migrate"][..]] {
        let again = trailctl.run(bootstrap).ends_with(0);
        assert_eq!(
            (&single(&again)["applied"], &single(&again)["version"]),
            (&Value::Array(vec![]), &version.into())
        );
    }
    for role in Role::SERVICES {
        let client = store::connect(&database.database_url(role), "test").await.expect("the role can log in");
        let inspection = store::inspect::inspect(&client).await.expect("every role may ask");
        assert_eq!(Some(inspection.role.as_str()), role.name());
        assert_eq!((inspection.superuser, inspection.changeable, inspection.unguarded), (false, None, None));
    }
}

#[tokio::test]
async fn projections_are_shown_rebuilt_and_looked_after() {
    let database = TestDatabase::create().await;
    let trailctl = Trailctl::new(&DaemonConfig::new(&database));
    let superuser = database.connect(Role::Superuser).await;
    superuser
        .batch_execute(
            "insert into audit.logs (cluster, topic, \"partition\", incarnation, next_offset) values ('default', 't', 0, 1, 4);
             insert into audit.appends select n, now() - interval '1 hour', n, n + 1, null, null, 1, 1, 0, 0, 0, sha256('') \
                from generate_series(1, 3) n;
             insert into audit.aggregates values (1, now(), now(), '', 'Order', 'o', '{}', '{}');
             update audit.projections set position = 3 where name <> 'event_types'",
        )
        .await
        .expect("a state of things");
    let positions = |ran: &Ran| -> Vec<(String, i64, i64)> {
        let row = |line: &Value| {
            let number = |name: &str| line[name].as_i64().expect("a number");
            (line["projection"].as_str().expect("a name").to_owned(), number("position"), number("behind"))
        };
        ran.json_lines().iter().map(row).collect()
    };
    let state = |name: &str, position: i64| (name.to_owned(), position, 3 - position);
    let shown = trailctl.run(&["projections", "status"]).ends_with(0);
    let rest = [
        state("data_accesses", 3),
        state("event_types", 0),
        state("security_events", 3),
        state("statistics", 3),
    ];
    let accesses = state("accesses", 3);
    assert_eq!(positions(&shown), [&[accesses.clone(), state("aggregates", 3)], &rest[..]].concat());

    let doctor = trailctl.run(&["doctor"]);
    let checks = doctor.json_lines();
    let level =
        |name: &str| checks.iter().find(|line| line["check"] == name).expect("a check")["level"].clone();
    assert_eq!(
        (level("projection aggregates"), level("projection event_types")),
        (json!("ok"), json!("warn"))
    );

    let refused = trailctl.run(&["projections", "rebuild", "aggregates"]).ends_with(2);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    let unknown = trailctl.run(&["projections", "rebuild", "--yes", "events"]).ends_with(2);
    assert!(unknown.stderr.contains("aggregates, data_accesses"), "{}", unknown.stderr);
    let rebuilt = trailctl.run(&["projections", "rebuild", "--yes", "aggregates"]).ends_with(0);
    assert_eq!(positions(&rebuilt), [&[accesses, state("aggregates", 0)], &rest[..]].concat());
    let left: i64 =
        superuser.query_one("select count(*) from audit.aggregates", &[]).await.expect("counted").get(0);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_new_database_gets_the_configured_indexes_and_one_with_events_keeps_its_own() {
    let database = TestDatabase::create_empty().await;
    let essential = DaemonConfig::new(&database).set("database", "indexes", "\"essential\"");
    let essential = Trailctl::new(&essential);
    let ran = essential.run(&["migrate", "--bootstrap"]).ends_with(0);
    assert_eq!(single(&ran)["indexes"], "essential");
    assert!(!ran.stderr.contains("trailctl index"), "{}", ran.stderr);
    let states = |ran: &Ran| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        ran.json_lines().iter().map(|line| (text(&line["index"]), text(&line["state"]))).collect()
    };
    for arguments in [&["index"][..], &["index", "show"][..]] {
        let shown = essential.run(arguments).ends_with(0);
        let states = states(&shown);
        assert_eq!(states.len(), 10);
        assert_eq!(states.iter().filter(|(_, state)| state == "whole").count(), 3);
        assert_eq!(states.iter().filter(|(_, state)| state == "absent").count(), 7);
        assert!(shown.stderr.starts_with("essential, "), "{}", shown.stderr);
    }

    let standard = Trailctl::new(&DaemonConfig::new(&database));
    store_an_event(&database).await;
    let ran = standard.run(&["migrate"]).ends_with(0);
    assert_eq!(single(&ran)["indexes"], "essential", "a database with events keeps its indexes");
    assert!(ran.stderr.contains("`trailctl index --set standard`"), "{}", ran.stderr);
    let doctor = standard.run(&["doctor"]);
    let check = doctor.json_lines().into_iter().find(|line| line["check"] == "indexes").expect("a check");
    assert_eq!(check["level"], "warn");

    let ran = standard.run(&["index", "--set", "standard"]).ends_with(0);
    assert_eq!(single(&ran)["built"].as_array().map(Vec::len), Some(5), "{}", ran.stdout);
    for name in ["organization", "user", "type", "correlation", "causation"] {
        assert!(ran.stderr.contains(&format!("building events_{name}")), "{}", ran.stderr);
    }
    let all = states(&standard.run(&["index"]).ends_with(0));
    assert!(
        all.iter()
            .all(|(name, state)| (state == "whole")
                != ["events_payload", "events_fulltext"].contains(&&**name))
    );
    let again = standard.run(&["index", "--set", "standard"]).ends_with(0);
    assert_eq!((&single(&again)["built"], &single(&again)["dropped"]), (&json!([]), &json!([])));
    assert_eq!(single(&standard.run(&["migrate"]).ends_with(0))["indexes"], "standard");

    let ran = standard.run(&["index", "--set", "essential"]).ends_with(0);
    assert_eq!(single(&ran)["dropped"].as_array().map(Vec::len), Some(5), "{}", ran.stdout);
    assert!(ran.stderr.contains("database.indexes = \"essential\""), "{}", ran.stderr);
    standard.run(&["index", "--set", "essential", "show"]).ends_with(2);
    standard.run(&["index", "--set", "all"]).ends_with(2);
}

#[tokio::test]
async fn indexes_over_payloads_come_and_go_on_request() {
    let database = TestDatabase::create().await;
    store_an_event(&database).await;
    let trailctl = Trailctl::new(&DaemonConfig::new(&database));
    let state = |name: &str| {
        let shown = trailctl.run(&["index", "list"]).ends_with(0);
        let found = shown.json_lines().into_iter().find(|line| line["index"] == name);
        found.expect("every index is shown")
    };
    let built = trailctl.run(&["index", "create", "payload"]).ends_with(0);
    assert_eq!(single(&built)["built"], true);
    assert!(built.stderr.contains("building events_payload"), "{}", built.stderr);
    let again = trailctl.run(&["index", "create", "payload"]).ends_with(0);
    assert_eq!(single(&again)["built"], false);
    trailctl.run(&["index", "create", "fulltext", "--field", "/note", "--field", "/a~1b"]).ends_with(0);
    let (payload, words) = (state("events_payload"), state("events_fulltext"));
    assert_eq!((&payload["state"], &payload["set"]), (&json!("whole"), &json!("on request")));
    assert_eq!(words["state"], "whole");
    assert!(words["definition"].as_str().expect("a text").contains("'/note /a~1b'"), "{words}");
    // The sets are what they were.
    let shown = trailctl.run(&["index"]).ends_with(0);
    assert!(shown.stderr.starts_with("standard, "), "{}", shown.stderr);
    // Other fields are another index: the old one goes first.
    trailctl.run(&["index", "create", "fulltext", "--field", "*"]).ends_with(3);
    for name in ["payload", "fulltext"] {
        assert_eq!(single(&trailctl.run(&["index", "drop", name]).ends_with(0))["dropped"], true);
        assert_eq!(single(&trailctl.run(&["index", "drop", name]).ends_with(0))["dropped"], false);
    }
    assert_eq!(
        (&state("events_payload")["state"], &state("events_fulltext")["state"]),
        (&json!("absent"), &json!("absent"))
    );
    for usage in [
        &["index", "create", "payload", "--field", "/a"][..],
        &["index", "create", "fulltext"][..],
        &["index", "create", "fulltext", "--field", "no pointer"][..],
        &["index", "--set", "standard", "drop", "payload"][..],
    ] {
        trailctl.run(usage).ends_with(2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_build_of_indexes_is_noticed_and_goes_on_when_run_again() {
    let database = TestDatabase::create().await;
    store_an_event(&database).await;
    let trailctl = Trailctl::new(&DaemonConfig::new(&database));
    trailctl.run(&["index", "--set", "essential"]).ends_with(0);
    let superuser = database.connect(Role::Superuser).await;
    superuser
        .batch_execute("begin; lock table only audit.events_2025_11_standard in row exclusive mode")
        .await
        .expect("a writer that does not end");
    let count = async |sql: &str| -> i64 {
        database.connect(Role::Superuser).await.query_one(sql, &[]).await.expect("asked").get(0)
    };
    let broken = "select count(*) from pg_index where not indisvalid \
                  and indrelid = 'audit.events_2025_11_standard'::regclass";
    let session = "select count(*) from pg_stat_activity where application_name = 'audit-index' \
                   and datname = current_database()";
    let mut build = trailctl.command(&["index", "--set", "standard"]).spawn().expect("started");
    let long = Duration::from_secs(30);
    wait_until("the build hangs in a leaf", long, async || (count(broken).await > 0).then_some(())).await;
    build.kill().expect("killed");
    build.wait().expect("it ended");
    let gone = async || (count(session).await == 0).then_some(());
    wait_until("the server lets its session go", long, gone).await;
    let shown = trailctl.run(&["index"]).ends_with(0);
    assert!(shown.stderr.starts_with("neither set whole"), "{}", shown.stderr);
    assert_eq!(shown.json_lines()[3]["state"], "partial", "{}", shown.stdout);

    superuser.batch_execute("rollback").await.expect("ended");
    let ran = trailctl.run(&["index", "--set", "standard"]).ends_with(0);
    assert_eq!(single(&ran)["built"].as_array().map(Vec::len), Some(5), "{}", ran.stdout);
    let whole = trailctl.run(&["index"]).ends_with(0);
    let in_a_set = |line: &&serde_json::Value| line["set"] != "on request";
    assert!(
        whole.json_lines().iter().filter(in_a_set).all(|line| line["state"] == "whole"),
        "{}",
        whole.stdout
    );
}

/// One row, with its month; nothing else of an append.
pub(crate) async fn store_an_event(database: &TestDatabase) {
    let superuser = database.connect(Role::Superuser).await;
    superuser
        .batch_execute(
            "select audit.ensure_month(date '2025-11-01');
             insert into audit.events values ('2025-11-20', now(), 0, 1, 1, '00000000-0000-7000-8000-000000000001',
                'standard', 'o', 't', 'i', 'e', 'u', 'c', '', '', '', '{}', '{}')",
        )
        .await
        .expect("a superuser may insert");
}

#[tokio::test]
async fn a_database_without_schema_is_said_with_the_remedy() {
    let database = TestDatabase::create_empty().await;
    let trailctl = Trailctl::new(&DaemonConfig::new(&database));
    // Only the roles: without them nobody gets in at all.
    store::migrate::bootstrap(
        &database.database_url(Role::Superuser),
        &store::migrate::RolePasswords::default(),
    )
    .await
    .expect("bootstrapped");
    let ran = trailctl.run(&["verify"]).ends_with(3);
    assert!(ran.stderr.contains("trailctl migrate"), "{}", ran.stderr);
}

/// A database whose newest log of partition 0 of the topic stands at 0.
async fn with_log(topic: &str) -> (TestDatabase, Trailctl) {
    let database = TestDatabase::create().await;
    let ingestor = store::connect(&database.database_url(Role::Ingestor), "test").await.expect("connected");
    store::logs::open_logs(&ingestor, "default", &[(topic.to_owned(), 0)]).await.expect("a log");
    let trailctl = Trailctl::new(&DaemonConfig::new(&database).topics(&[topic]));
    (database, trailctl)
}

async fn log_of(database: &TestDatabase, topic: &str) -> store::Log {
    let client = store::connect(&database.database_url(Role::Operator), "test").await.expect("connected");
    store::logs::find_log(&client, "default", topic, 0).await.expect("asked").expect("a log")
}

#[tokio::test]
async fn a_gap_is_accepted_up_to_what_kafka_still_holds() {
    let topic = TestTopic::create(1).await;
    for _ in 0..5 {
        topic.produce(None, Some(b"x")).await;
    }
    let (database, trailctl) = with_log(topic.name()).await;
    let nothing = trailctl.run(&["ledger", "accept-gap", topic.name(), "0"]).ends_with(0);
    assert!(nothing.stderr.contains("nothing is missing below offset 0"), "{}", nothing.stderr);
    topic.delete_records_before(0, 3).await;

    let unasked = trailctl.run(&["ledger", "accept-gap", topic.name(), "0"]).ends_with(2);
    assert!(
        unasked.stderr.contains("3 offsets from 0 to 2") && unasked.stderr.contains("--yes"),
        "{}",
        unasked.stderr
    );
    assert_eq!(log_of(&database, topic.name()).await.accepted_gap_to, None);

    let done = trailctl.run(&["ledger", "accept-gap", topic.name(), "0", "--yes"]).ends_with(0);
    assert_eq!(single(&done)["acceptedGapTo"], 3);
    assert_eq!(log_of(&database, topic.name()).await.accepted_gap_to, Some(3));
}

#[tokio::test]
async fn a_new_incarnation_is_opened_only_when_asked_for() {
    let topic = unique("made-anew");
    let (database, trailctl) = with_log(&topic).await;
    let unasked = trailctl.run(&["ledger", "new-incarnation", &topic, "0"]).ends_with(2);
    assert!(unasked.stderr.contains("incarnation 2 opened at offset 0"), "{}", unasked.stderr);
    assert_eq!(log_of(&database, &topic).await.name.incarnation, 1);
    let done = trailctl.run(&["ledger", "new-incarnation", &topic, "0", "--yes"]).ends_with(0);
    assert_eq!((&single(&done)["incarnation"], &single(&done)["nextOffset"]), (&2.into(), &0.into()));
    assert_eq!(log_of(&database, &topic).await.name.incarnation, 2);
    let unknown = trailctl.run(&["ledger", "new-incarnation", &topic, "7", "--yes"]).ends_with(2);
    assert!(unknown.stderr.contains("no log for partition 7"), "{}", unknown.stderr);
}
