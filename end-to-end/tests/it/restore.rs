//! The restore drill: a copy restored to a moment is proved equal, and goes on without losing or doubling anything.

use std::time::Duration;

use end_to_end::{
    Seed,
    account::{self, Servers, Stored},
    feed::Feed,
    ledger,
    stack::{succeeded, text},
};
use serde_json::Value;
use test_support::{
    Daemon, DaemonConfig, PostgresNode, Role, TestDatabase, TestRegistry, TestTopic, daemon::trailctl,
    servers, unique, wait_until,
};

const PARTITIONS: i32 = 4;
const MOMENT: &str = "drill";

/// `trailctl ledger root` as JSON, with what it ends with.
async fn root(config: &DaemonConfig, arguments: &[&str]) -> (Value, Option<i32>) {
    let output = trailctl(config, &[&["ledger", "root", "--output", "json"], arguments].concat()).await;
    let parsed = serde_json::from_slice(&output.stdout);
    (parsed.unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr))), output.status.code())
}

/// What is stored; of two records with one id, in two partitions, either may be the first.
fn ids(stored: &[Stored]) -> Vec<&str> {
    let mut ids: Vec<_> = stored.iter().map(|event| event.event_id.as_str()).collect();
    ids.sort_unstable();
    ids
}

async fn count(node: &PostgresNode, database: &TestDatabase) -> i64 {
    let client = node.connect(database.name()).await;
    client.query_one("select count(*) from audit.events", &[]).await.expect("readable").get(0)
}

async fn at_least(node: &PostgresNode, database: &TestDatabase, events: i64) {
    wait_until("events are stored", Duration::from_mins(2), || async {
        (count(node, database).await >= events).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_copy_is_proved_equal_and_goes_on_from_its_own_positions() {
    let seed = Seed::chosen("restore");
    let source = PostgresNode::start_archiving().await;
    let database = TestDatabase::create_on(&source).await;
    let topic = TestTopic::create(PARTITIONS).await;
    let dead_letters = TestTopic::create_named(&unique("dlq"), 1, &[]).await;
    let config = DaemonConfig::new(&database).topics(&[topic.name()]).dead_letter_topic(dead_letters.name());
    let schema_id = TestRegistry::connect().await.canonical_id();
    let ingestor = Daemon::ingestor(&config).ready().await;
    let feed = Feed::new(seed.source("feed"), topic.name(), PARTITIONS, schema_id, 20);
    let producing = ledger::produce(&servers::kafka_bootstrap(), feed, 300);

    // A backup beside ingestion, a moment later on, and events after it.
    at_least(&source, &database, 200).await;
    let backup = source.back_up();
    at_least(&source, &database, count(&source, &database).await + 200).await;
    source.name_moment(MOMENT).await;
    at_least(&source, &database, count(&source, &database).await + 200).await;
    let sent = producing.finish().await;
    let of = |postgres: String| Servers { kafka: servers::kafka_bootstrap(), postgres };
    let (stored, _) = account::check(&of(database.url_for(Role::Superuser)), topic.name(), &sent).await;
    assert!(ingestor.stop().await.success());
    succeeded("verify of the source", &trailctl(&config, &["verify"]).await);
    let (whole, _) = root(&config, &[]).await;

    // The copy is what the source was at that moment: clean, and under the same root.
    let copy = source.restore(backup, MOMENT).await;
    let restored = config.clone().database_at(&copy);
    succeeded("verify of the copy", &trailctl(&restored, &["verify"]).await);
    let (then, _) = root(&restored, &[]).await;
    let (size, expected) = (then["size"].to_string(), then["root"].as_str().expect("a root").to_owned());
    assert!(
        then["size"].as_i64() > Some(0) && then["size"].as_i64() < whole["size"].as_i64(),
        "{then} {whole}"
    );
    let (source_then, code) = root(&config, &["--at", &size, "--expect", &expected]).await;
    assert_eq!(
        (source_then, code),
        (then.clone(), Some(0)),
        "the source had the same appends at that moment"
    );

    // One that was cut off, or is of another moment, is noticed.
    let (_, code) = root(&restored, &["--at", &whole["size"].to_string()]).await;
    assert_eq!(code, Some(1), "it ends before");
    let (_, code) = root(&config, &["--expect", &expected]).await;
    assert_eq!(code, Some(1), "another moment");

    // The copy takes over. Kafka's group stands at the end; the copy's own positions count, so what came after the moment
    // is read again: nothing lost, nothing doubled.
    let ingestor = Daemon::ingestor(&restored).ready().await;
    let postgres = copy.in_place_of(&database.url_for(Role::Superuser));
    let (again, _) = account::check(&of(postgres), topic.name(), &sent).await;
    assert_eq!(ids(&again), ids(&stored));
    assert!(ingestor.stop().await.success());
    succeeded("verify of the copy that went on", &trailctl(&restored, &["verify"]).await);
    let (_, code) = root(&restored, &["--at", &size, "--expect", &expected]).await;
    assert_eq!(code, Some(0), "what was restored is still what it was");

    // An altered copy is noticed: a row by verify, the account itself by the root.
    let client = copy.connect(database.name()).await;
    let tamper = "set session_replication_role = replica; alter table audit.appends disable trigger user;
        update audit.appends set recorded_at = recorded_at + interval '1 microsecond' where append_no = 1";
    client.batch_execute(tamper).await.expect("a superuser can");
    let (_, code) = root(&restored, &["--at", &size, "--expect", &expected]).await;
    assert_eq!(code, Some(1), "an altered account has another root");
    let partition = "select tableoid::regclass::text from audit.events limit 1";
    let partition: String = client.query_one(partition, &[]).await.expect("readable").get(0);
    let tamper = format!(
        "alter table {partition} disable trigger user; update {partition} set user_id = user_id || 'x'
         where ctid = (select ctid from {partition} limit 1)"
    );
    client.batch_execute(&tamper).await.expect("a superuser can");
    let verified = trailctl(&restored, &["verify"]).await;
    assert_eq!(verified.status.code(), Some(1), "{}", text(&verified.stdout));
}
