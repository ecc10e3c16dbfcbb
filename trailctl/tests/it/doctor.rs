//! `trailctl doctor`, against set-ups that are well and set-ups that are not.

use std::{path::Path, time::Duration};

use serde_json::Value;
use test_support::{
    Authority, DaemonConfig, PostgresNode, Role, TestDatabase, TestTopic,
    authority::Issued,
    secured::{SecuredPostgres, SecuredWeb},
    unique, wait_until,
};

use crate::{
    database::store_an_event,
    running::{Ran, Trailctl},
};

/// The line about this, which must be there.
fn check(ran: &Ran, name: &str) -> Value {
    let found = ran.json_lines().into_iter().find(|line| line["check"] == name);
    found.unwrap_or_else(|| panic!("no check {name}:\n{}\n{}", ran.stdout, ran.stderr))
}

/// Whether the check has this level and says this, in its detail or remedy.
#[track_caller]
fn says(ran: &Ran, name: &str, level: &str, part: &str) {
    let found = check(ran, name);
    assert!(found["level"] == level && found.to_string().contains(part), "{level}, {part}: {found}");
}

#[tokio::test]
async fn doctor_finds_nothing_in_a_healthy_set_up() {
    let database = TestDatabase::create().await;
    let (events, letters) = (unique("doctor"), unique("doctor-dlq"));
    let trailctl =
        Trailctl::new(&DaemonConfig::new(&database).topics(&[&events]).dead_letter_topic(&letters));
    let absent = trailctl.run(&["topics", "apply", "--dry-run"]).ends_with(1);
    assert!(
        absent.json_lines().iter().any(|line| line["topic"] == events.as_str() && line["state"] == "absent")
    );
    let applied = trailctl.run(&["topics", "apply"]).ends_with(0);
    assert!(
        applied
            .json_lines()
            .iter()
            .any(|line| line["topic"] == events.as_str() && line["state"] == "created")
    );
    let described = trailctl.run(&["topics", "describe", &events]).ends_with(0);
    assert_eq!(described.json_lines()[0]["partitions"], 12);
    trailctl.run(&["topics", "describe", &unique("absent")]).ends_with(1);

    let ran = trailctl.run(&["doctor", "--output", "table"]).ends_with(0);
    // The test servers archive nothing and have one broker, which is worth a word; and some things cannot be seen from here.
    let replica = ": as it should be, but for one replica";
    let topics = [&events, &letters].map(|name| format!("warn  topic {name}{replica}"));
    let expected = ["warn  archive: ", "skip  verification: ", "skip  disk: ", &topics[0], &topics[1]];
    let checks = ran.stdout.lines().filter(|line| !line.starts_with("      → "));
    for line in checks.filter(|line| !expected.iter().any(|start| line.starts_with(start))) {
        assert!(line.starts_with("ok  "), "{}", ran.stdout);
    }
    for name in [
        "database as audit_ingestor",
        "guards",
        "indexes",
        "clock",
        "dead letters",
        "server",
        "months",
        "replication slots",
        "vacuum",
        "rows",
        "connections",
        "positions",
        "kafka",
        "schema registry",
    ] {
        assert!(ran.stdout.contains(&format!("ok    {name}: ")), "{name} is not among\n{}", ran.stdout);
    }
}

#[tokio::test]
async fn doctor_finds_a_role_that_could_change_events_and_a_guard_that_is_off() {
    let database = TestDatabase::create().await;
    let superuser = database.connect(Role::Superuser).await;
    superuser
        .batch_execute(
            "grant update on audit.events to audit_ingestor;
             do $$ declare leaf regclass; begin
                 select relid into leaf from pg_partition_tree('audit.events') where isleaf limit 1;
                 execute format('alter table %s disable trigger guard_truncate', leaf);
             end $$;",
        )
        .await
        .expect("a superuser can do anything");
    let ran = Trailctl::new(&DaemonConfig::new(&database)).run(&["doctor"]);
    assert_eq!(ran.code, 1);
    let level = |name: &str| {
        let lines = ran.json_lines();
        lines.iter().find(|line| line["check"] == name).map(|line| line["level"].clone())
    };
    assert_eq!(level("database as audit_ingestor"), Some("fail".into()), "{}", ran.stdout);
    assert_eq!(level("guards"), Some("fail".into()), "{}", ran.stdout);
    assert_eq!(level("database as audit_api"), Some("ok".into()), "{}", ran.stdout);
}

#[tokio::test]
async fn doctor_finds_a_standby_that_is_behind_and_an_archive_that_works() {
    let primary = PostgresNode::start_archiving().await;
    let database = TestDatabase::create_on(&primary).await;
    let standby = primary.standby(&[]).await;
    let replica = standby.in_place_of(&database.url_for(Role::Api));
    let config = DaemonConfig::new(&database).set("database", "replica_url", format!("{replica:?}")).set(
        "api",
        "replica_max_lag",
        "\"1ms\"",
    );
    let file = primary.name_moment("archived").await;
    primary.archives(&file).await;
    let ran = Trailctl::new(&config).run(&["doctor"]);
    assert_eq!(check(&ran, "standby")["detail"], "has everything", "{}", ran.stdout);
    assert_eq!(check(&ran, "archive")["level"], "ok", "{}", ran.stdout);
    // Fast, and not for keeps: what the tests' own servers trade away is exactly what must not pass.
    assert_eq!(check(&ran, "server")["level"], "fail", "{}", ran.stdout);
    standby.hold().await;
    let superuser = primary.connect(database.name()).await;
    superuser
        .batch_execute(
            "insert into audit.logs (cluster, topic, \"partition\", incarnation, next_offset) values ('c', 't', 0, 1, 1);
             insert into audit.appends (append_no, log_id, from_offset, next_offset, stored, duplicate, dead_lettered, skipped,
                 batch_root, recorded_at)
             select 1, log_id, 0, 1, 0, 1, 0, 0, sha256(''), now() - interval '1 minute' from audit.logs",
        )
        .await
        .expect("a superuser can do anything");
    let ran = Trailctl::new(&config).run(&["doctor"]);
    assert_eq!(check(&ran, "standby")["level"], "warn", "{}", ran.stdout);
    let away = DaemonConfig::new(&database).set(
        "database",
        "replica_url",
        "\"postgres://audit_api@127.0.0.1:1/audit\"",
    );
    let ran = Trailctl::new(&away).run(&["doctor"]);
    assert_eq!(check(&ran, "standby")["level"], "fail", "{}", ran.stdout);
}

#[tokio::test]
async fn doctor_finds_months_that_could_take_no_event() {
    let database = TestDatabase::create().await;
    store_an_event(&database).await;
    let superuser = database.connect(Role::Superuser).await;
    let trailctl = Trailctl::new(&DaemonConfig::new(&database));
    says(&trailctl.run(&["doctor"]), "months", "ok", "the last of them audit.events_2025_11");
    let ran = async |sql: &str| {
        superuser.batch_execute(sql).await.expect("a superuser can do anything");
        trailctl.run(&["doctor"]).ends_with(1)
    };
    let revoked = ran("revoke execute on function audit.ensure_month(date) from audit_ingestor").await;
    says(&revoked, "months", "fail", "grant execute on function audit.ensure_month");
    let halved = ran("insert into audit.retention_classes (name, keep) values ('access', '1 year')").await;
    says(&halved, "months", "fail", "audit.events_2025_11_access is missing");
    let taking = ran("create table audit.rest partition of audit.events default").await;
    says(&taking, "months", "fail", "audit.rest is a default partition");
    let detached = ran("alter table audit.events detach partition audit.events_2025_11").await;
    says(&detached, "months", "fail", "audit.events_2025_11 is not attached");
}

#[tokio::test]
async fn doctor_finds_rows_of_evidence_that_were_changed() {
    let database = TestDatabase::create().await;
    store_an_event(&database).await;
    let superuser = database.connect(Role::Superuser).await;
    superuser
        .batch_execute(
            "alter table audit.events_2025_11_standard disable trigger all;
             update audit.events set payload = '{\"amount\": 1}'",
        )
        .await
        .expect("a superuser can do anything");
    // A session counts what it did once it is gone at the latest.
    drop(superuser);
    let trailctl = Trailctl::new(&DaemonConfig::new(&database));
    let ran = wait_until("the server has counted", Duration::from_mins(1), async || {
        let ran = trailctl.run(&["doctor"]);
        (check(&ran, "rows")["level"] == "fail").then_some(ran)
    });
    says(&ran.await, "rows", "fail", "1 rows of audit.events_2025_11_standard were updated or deleted");
}

#[tokio::test]
async fn doctor_finds_a_slot_that_nobody_reads_from_and_one_that_has_lost_its_log() {
    let server = PostgresNode::start(&["max_slot_wal_keep_size=1MB"]).await;
    let database = TestDatabase::create_on(&server).await;
    let trailctl = Trailctl::new(&DaemonConfig::new(&database));
    says(&trailctl.run(&["doctor"]), "replication slots", "ok", "there are none");
    let superuser = server.connect(database.name()).await;
    let statement =
        async |sql: &str| superuser.batch_execute(sql).await.expect("a superuser can do anything");
    statement("select pg_create_physical_replication_slot('left_behind', true)").await;
    let ran = trailctl.run(&["doctor"]);
    says(&ran, "replication slot left_behind", "warn", "nobody reads from it");
    says(&ran, "replication slot left_behind", "warn", "up to max_slot_wal_keep_size = 1MB");
    for _ in 0..3 {
        statement("select pg_create_restore_point('more'), pg_switch_wal()").await;
    }
    statement("checkpoint").await;
    let ran = trailctl.run(&["doctor"]).ends_with(1);
    says(&ran, "replication slot left_behind", "fail", "has lost write-ahead log");
}

#[tokio::test]
async fn doctor_says_what_it_could_not_look_at() {
    let ran = Trailctl::new(&DaemonConfig::without_database()).run(&["doctor"]);
    says(&ran, "upkeep", "skip", "database.operator_url");
    says(&ran, "server", "skip", "its archive were not looked at");
    says(&ran, "positions", "skip", "database.operator_url");
    says(&ran, "verification", "skip", "is not recorded");
}

/// `trailctl` by TLS to a PostgreSQL, with an API's certificate of its own and keys by HTTPS, all of one authority.
fn by_tls(server: &SecuredPostgres, authority: &Authority, keys: &SecuredWeb, api: &Issued) -> Trailctl {
    let parameters = format!("sslmode=verify-full&sslrootcert={}", authority.file().display());
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    let config = DaemonConfig::without_database()
        .database_url("api_url", &server.url("audit_api", "secret-of-a-test", "localhost", &parameters))
        .set("auth", "algorithm", "\"EdDSA\"")
        .set("auth", "jwks_url", format!("{:?}", keys.url("/keys")))
        .set("auth", "jwks_ca_file", quoted(&authority.file()))
        .set("api", "tls_certificate_file", quoted(&api.certificate))
        .set("api", "tls_key_file", quoted(&api.key));
    Trailctl::new(&config)
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_certificates_that_end_soon_and_ones_that_have_ended() {
    let authority = Authority::new();
    let day = Duration::from_hours(24);
    let soon = authority.issue_for("soon", &["localhost"], day * 10 + day / 2);
    let (good, ended) =
        (authority.issue("good", &["localhost"]), authority.issue_expired("ended", &["localhost"]));
    let server = SecuredPostgres::start(&authority, &good).await;
    let keys = SecuredWeb::saying(&soon, "{}").await;
    let postgresql = format!("certificate of postgresql localhost:{}", server.port);
    let jwks = keys.url("");
    let jwks = format!("certificate of jwks {}", jwks.trim_start_matches("https://"));

    let ran = by_tls(&server, &authority, &keys, &good).run(&["doctor"]);
    says(&ran, &postgresql, "ok", "on 2040-01-01");
    says(&ran, &jwks, "warn", "ends in 10 days");
    says(&ran, &format!("certificate file {}", good.certificate.display()), "ok", "on 2040-01-01");
    says(&ran, &format!("certificate file {}", authority.file().display()), "ok", "on 2041-01-01");
    assert!(!ran.stdout.contains("secret-of-a-test"), "a password never shows");

    server.show(&ended);
    let stranger = SecuredWeb::saying(&Authority::new().issue("other", &["localhost"]), "{}").await;
    let jwks = stranger.url("");
    let jwks = format!("certificate of jwks {}", jwks.trim_start_matches("https://"));
    let trailctl = by_tls(&server, &authority, &stranger, &ended);
    let ran = wait_until("the certificate has ended", Duration::from_mins(1), async || {
        let ran = trailctl.run(&["doctor"]).ends_with(1);
        (check(&ran, &postgresql)["level"] == "fail").then_some(ran)
    });
    let ran = ran.await;
    says(&ran, &postgresql, "fail", "has expired: renew it");
    says(&ran, &jwks, "fail", "name that authority's file by auth.jwks_ca_file");
    says(&ran, &format!("certificate file {}", ended.certificate.display()), "fail", "ended on 2020-12-1");
}

#[tokio::test]
async fn doctor_finds_topics_that_would_lose_events_by_name_and_by_pattern() {
    let database = TestDatabase::create().await;
    let (named, family) = (unique("doctor-named"), unique("doctor-family"));
    let compacted =
        TestTopic::create_named(&named, 12, &[("cleanup.policy", "compact"), ("retention.ms", "604800000")])
            .await;
    let good = TestTopic::create_named(&format!("{family}.good"), 2, &[("retention.ms", "604800000")]).await;
    let bounded = [("retention.ms", "604800000"), ("retention.bytes", "1000000")];
    let bounded = TestTopic::create_named(&format!("{family}.bounded"), 2, &bounded).await;
    let short = TestTopic::create_named(&format!("{family}.short"), 2, &[("retention.ms", "3600000")]).await;
    let config = DaemonConfig::new(&database).topics(&[&named]).set(
        "ingestor",
        "topic_patterns",
        format!("['^{family}\\..+']"),
    );
    let ran = Trailctl::new(&config).run(&["doctor"]).ends_with(1);
    let of = |topic: &TestTopic| format!("topic {}", topic.name());
    says(&ran, &of(&compacted), "fail", "cleanup.policy is compact");
    says(&ran, &of(&short), "fail", "retention.ms is 3600000");
    says(&ran, &of(&bounded), "warn", "retention.bytes is 1000000");
    says(&ran, &of(&good), "warn", "as it should be, but for one replica");

    let nothing = config.topics(&[]).set("ingestor", "topic_patterns", "['^matches-no-topic-at-all$']");
    says(&Trailctl::new(&nothing).run(&["doctor"]), "topics", "warn", "nothing is read");
}
