//! Bootstrap and migrations: twice, at once, and against a schema from the future.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod support;

use shared::index_set::IndexSet;
use store::StoreError;
use store::migrate::{RolePasswords, bootstrap, migrate};
use store::schema::{known_version, require_known_schema, schema_version};
use support::*;

#[tokio::test]
async fn a_second_migration_has_nothing_to_do() {
    let database = TestDatabase::bootstrapped().await;
    let client = database.client("audit_migrator").await;
    assert_eq!(schema_version(&client).await.unwrap(), None);
    let error = require_known_schema(&client).await.unwrap_err();
    assert!(error.to_string().contains("trailctl migrate"), "{error}");

    let first = migrate(&database.url("audit_migrator"), &classes(), IndexSet::Standard).await.unwrap();
    assert_eq!(first.applied.len(), usize::try_from(known_version()).unwrap());
    assert_eq!(first.classes_added, ["access"]);
    let second = migrate(&database.url("audit_migrator"), &classes(), IndexSet::Standard).await.unwrap();
    assert_eq!((second.applied.len(), second.classes_added.len()), (0, 0));
    for role in ["audit_ingestor", "audit_api", "audit_projector", "audit_operator", "audit_retention"] {
        require_known_schema(&database.client(role).await).await.unwrap();
    }
    let kept = database.count("select (extract(epoch from keep) / 86400)::bigint from audit.retention_classes where name = 'access'").await;
    assert_eq!(kept, 90);
}

#[tokio::test]
async fn migrations_at_the_same_time_apply_everything_once() {
    let database = TestDatabase::bootstrapped().await;
    let url = database.url("audit_migrator");
    let reports = futures::future::join_all(
        (0..4).map(|_| async { migrate(&url, &classes(), IndexSet::Standard).await.unwrap() }),
    )
    .await;
    let applied: usize = reports.iter().map(|report| report.applied.len()).sum();
    assert_eq!(applied, usize::try_from(known_version()).unwrap());
    assert_eq!(reports.iter().filter(|report| report.classes_added == ["access"]).count(), 1);
}

#[tokio::test]
async fn bootstraps_of_several_databases_at_the_same_time_succeed() {
    let databases = futures::future::join_all((0..4).map(|_| TestDatabase::bootstrapped())).await;
    let again = databases.iter().map(|database| async {
        bootstrap(&database.url(database.superuser()), &RolePasswords::default()).await.unwrap();
    });
    futures::future::join_all(again).await;
    let unowned = databases[0]
        .count(
            "select count(*) from pg_namespace where nspname = 'audit' and nspowner = 'audit_owner'::regrole",
        )
        .await;
    assert_eq!(unowned, 1);
}

/// What a later release's migration leaves behind.
async fn from_the_future(name: &str) -> TestDatabase {
    let database = TestDatabase::create().await;
    let client = database.superuser_client().await;
    let adding = format!(
        "insert into audit.schema_history values (998, 'add_more', '2030-01-01T00:00:00Z', '1'),
            (999, '{name}', '2030-01-01T00:00:01Z', '2');
         create table audit.more (id int primary key);
         alter table audit.logs add column more text"
    );
    client.batch_execute(&adding).await.unwrap();
    database
}

#[tokio::test]
async fn the_release_before_works_on_a_schema_that_was_added_to() {
    let database = from_the_future("add_again").await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer =
        store::Writer::connect(&database.url("audit_ingestor"), "store-test", &["standard"]).await.unwrap();
    writer.append(&mut batch(vec![events(&logs[0], 0, 1..4)])).await.unwrap();
    let reader = store::Reader::connect(&database.url("audit_api"), 1, "store-test").await.unwrap();
    reader.check().await.unwrap();
    assert_eq!(reader.head().await.unwrap(), 1);
    let verified = store::verify::verify(&database.client("audit_operator").await, |_| {}).await.unwrap();
    assert!(verified.is_clean() && verified.events == 3, "{verified:?}");
    // What it must not do is migrate.
    let error = migrate(&database.url("audit_migrator"), &classes(), IndexSet::Standard).await.err().unwrap();
    assert!(matches!(error, StoreError::UnknownSchema { found: Some(999), .. }), "{error}");
}

#[tokio::test]
async fn a_schema_that_something_was_taken_from_is_refused_by_everything() {
    let database = from_the_future("remove_something").await;
    let refused = [
        migrate(&database.url("audit_migrator"), &classes(), IndexSet::Standard).await.err().unwrap(),
        store::Writer::connect(&database.url("audit_ingestor"), "store-test", &[]).await.err().unwrap(),
        store::Reader::connect(&database.url("audit_api"), 1, "store-test").await.err().unwrap(),
    ];
    for error in refused {
        assert!(matches!(error, StoreError::UnknownSchema { found: Some(999), .. }), "{error}");
        assert!(error.to_string().contains("use the release"), "{error}");
    }
}

#[tokio::test]
async fn a_schema_that_lacks_the_last_migration_is_refused_with_the_remedy() {
    let database = TestDatabase::create().await;
    let client = database.superuser_client().await;
    let last =
        "delete from audit.schema_history where version = (select max(version) from audit.schema_history)";
    client.batch_execute(last).await.unwrap();
    let refused = [
        store::Writer::connect(&database.url("audit_ingestor"), "store-test", &[]).await.err().unwrap(),
        store::Reader::connect(&database.url("audit_api"), 1, "store-test").await.err().unwrap(),
    ];
    for error in refused {
        assert!(error.to_string().contains("run `trailctl migrate`"), "{error}");
    }
}

/// Statements that take away what the release before may still use. Replacing a function or a view keeps its name and columns.
const TAKES_AWAY: [&str; 8] = [
    "drop table",
    "drop column",
    "drop view",
    "drop function",
    "drop schema",
    "rename ",
    "set not null",
    "revoke ",
];

/// Looked at by a person: no program inserts into the table of projections, and no release came before the API lost the dead
/// letters without a scope.
const HARMLESS: [&str; 2] = [
    "alter table audit.projections alter column tables set not null",
    "revoke select on audit.dead_letters from audit_api",
];

#[test]
fn a_migration_only_adds_unless_its_name_says_so() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (number, rest) = name.strip_prefix('V').unwrap().split_once("__").unwrap();
        // Until the sixth there was nobody before.
        if number.parse::<u32>().unwrap() <= 6 || rest.starts_with("remove_") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        // What is made is first taken from everybody.
        let is_harmless = |statement: &str| {
            statement.ends_with("from public") || HARMLESS.iter().any(|known| statement.contains(known))
        };
        for statement in lines.join("\n").split(';').filter(|statement| !is_harmless(statement)) {
            let taken = TAKES_AWAY.iter().find(|taking| statement.contains(**taking));
            assert_eq!(taken, None, "{name}: {statement}: such a migration is called V<n>__remove_…");
        }
    }
}

#[tokio::test]
async fn a_class_added_later_gets_its_place_in_every_month() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    writer.append(&mut batch(vec![events(&logs[0], 0, 1..3)])).await.unwrap();
    let keep = shared::retention::Keep::Forever;
    let more = [("access", keep), ("legal_hold", keep)]
        .map(|(name, keep)| (name.to_owned(), shared::retention::RetentionClass { keep }));
    let rules = shared::retention::RetentionRules::new(more.into(), Vec::new()).unwrap();
    let report = migrate(&database.url("audit_migrator"), &rules, IndexSet::Standard).await.unwrap();
    assert_eq!(report.classes_added, ["legal_hold"]);
    let mut writer =
        store::Writer::connect(&database.url("audit_ingestor"), "store-test", &["legal_hold"]).await.unwrap();
    let store::Entry::Candidate(mut held) = candidate(2, event(9, NOON)) else { unreachable!() };
    held.retention_class = "legal_hold".into();
    writer.append(&mut batch(vec![span(&logs[0], vec![store::Entry::Candidate(held)])])).await.unwrap();
    assert_eq!(database.count("select count(*) from audit.events_2025_11_legal_hold").await, 1);
    assert_eq!(database.count("select count(*) from audit.retention_classes where keep is null").await, 2);
}

#[tokio::test]
async fn every_file_in_the_folder_is_a_migration_of_the_build() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "sql"));
    assert_eq!(files.count(), usize::try_from(known_version()).unwrap());
}

#[tokio::test]
async fn a_schema_copy_is_kept_once_and_never_changed() {
    use store::schemas::{StoredSchema, keep_schema, load_schema};
    let database = TestDatabase::create().await;
    let client = database.client("audit_ingestor").await;
    let schema = StoredSchema { text: r#""string""#.to_owned(), references: vec!["{}".to_owned()] };
    assert_eq!(load_schema(&client, "r", "id:7").await.unwrap(), None);
    keep_schema(&client, "r", "id:7", &schema).await.unwrap();
    keep_schema(&client, "r", "id:7", &schema).await.unwrap();
    assert_eq!(load_schema(&client, "r", "id:7").await.unwrap(), Some(schema.clone()));
    assert_eq!(load_schema(&client, "other", "id:7").await.unwrap(), None);
    let other = StoredSchema { text: r#""int""#.to_owned(), ..schema };
    let error = keep_schema(&client, "r", "id:7", &other).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error}");
}

#[tokio::test]
async fn errors_say_what_the_caller_can_do() {
    let database = TestDatabase::create().await;
    let nowhere = store::DatabaseUrl::new("postgres://audit_api:secret@127.0.0.1:1/audit?sslmode=disable");
    let error = store::connect(&nowhere, "store-test").await.err().unwrap();
    assert!(matches!(error, StoreError::Unavailable(_)) && error.is_transient(), "{error}");
    assert!(!format!("{nowhere:?} {error:?}").contains("secret"));
    let client = database.client("audit_api").await;
    client.batch_execute("set statement_timeout = '50ms'").await.unwrap();
    let error: StoreError = client.batch_execute("select pg_sleep(1)").await.unwrap_err().into();
    assert!(matches!(error, StoreError::Timeout), "{error}");
}
