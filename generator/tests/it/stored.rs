//! To Kafka, through a real ingestor, into the store: nothing refused, no gap, no fork, nothing to find.

use std::{process::Stdio, time::Duration};

use serde_json::Value;
use service::config::RabbitMqSettings;
use test_support::{
    Daemon, DaemonConfig, Role, TestDatabase, TestRabbit, TestTopic, daemon::free_address, daemon::trailctl,
    unique, wait_until,
};

const EVENTS: i64 = 1500;

#[tokio::test]
async fn a_run_is_stored_whole_and_verifies_clean() {
    let database = TestDatabase::create().await;
    let topic = TestTopic::create(3).await;
    let dead_letters = TestTopic::create_named(&unique("dlq"), 1, &[]).await;
    let config = DaemonConfig::new(&database).topics(&[topic.name()]).dead_letter_topic(dead_letters.name());
    let ingestor = Daemon::ingestor(&config).ready().await;

    let attacks = ["--attack", "failed-logins", "--attack", "night-access", "--attack", "mass-deletion"];
    generate(&config, &[&["--topic", topic.name()], &attacks[..]].concat()).await;
    stored(&database, EVENTS).await;
    let client = database.connect(Role::Superuser).await;
    let holes = "select aggregate_type, aggregate_id from audit.events where version > 0 \
        group by organization_id, aggregate_type, aggregate_id \
        having count(*) <> max(version) or min(version) <> 1 or count(distinct version) <> count(*)";
    assert!(client.query(holes, &[]).await.expect("an answer").is_empty(), "gaps or forks");
    let dead = client.query_one("select count(*) from audit.dead_letters", &[]).await.expect("an answer");
    assert_eq!(dead.get::<_, i64>(0), 0);
    let verified = trailctl(&config, &["verify", "--output", "json"]).await;
    let verified: Value = serde_json::from_slice(&verified.stdout).expect("JSON");
    assert_eq!((&verified["clean"], &verified["events"]), (&Value::from(true), &Value::from(EVENTS)));
    assert!(ingestor.stop().await.success());
}

/// To RabbitMQ, over the bridge: every message is an event, none of them is refused.
#[tokio::test]
async fn the_older_services_messages_are_all_stored() {
    let database = TestDatabase::create().await;
    let topic = TestTopic::create(3).await;
    let rabbit = TestRabbit::new().await;
    let usual = RabbitMqSettings::default();
    let config = rabbit
        .configure(DaemonConfig::new(&database).topics(&[topic.name()]))
        // The exchanges that the older services know, with a queue of the test's own behind them.
        .set("rabbitmq", "bindings", format!("{:?}", usual.bindings))
        .set("rabbitmq", "topic", format!("{:?}", topic.name()));
    let (bridge, ingestor) =
        tokio::join!(Daemon::rabbitmq_bridge(&config).ready(), Daemon::ingestor(&config).ready());
    generate(&config, &["--to", "rabbitmq", "--attack", "mass-download"]).await;
    stored(&database, EVENTS).await;
    assert_eq!(rabbit.waiting(&usual.dead_letter_queue).await, 0);
    let client = database.connect(Role::Superuser).await;
    let types = "select count(distinct event_type) from audit.events";
    assert_eq!(client.query_one(types, &[]).await.expect("events").get::<_, i64>(0), 9);
    assert!(bridge.stop().await.success() && ingestor.stop().await.success());
    rabbit.remove().await;
}

async fn generate(config: &DaemonConfig, arguments: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.toml");
    std::fs::write(&file, config.toml(free_address(), free_address())).expect("written");
    let generated = tokio::process::Command::new(env!("CARGO_BIN_EXE_audit-generator"))
        .args(["--events", &EVENTS.to_string(), "--at-once", "--seed", &rand_seed()])
        .args(arguments)
        .env("AUDIT_CONFIG", &file)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("it runs");
    assert!(generated.status.success(), "{}", String::from_utf8_lossy(&generated.stderr));
}

async fn stored(database: &TestDatabase, events: i64) {
    let client = database.connect(Role::Superuser).await;
    wait_until("everything is stored", Duration::from_mins(1), || async {
        let row = client.query_one("select count(*) from audit.events", &[]).await.expect("events");
        (row.get::<_, i64>(0) == events).then_some(())
    })
    .await;
}

/// Another one each time, so that no run rests on what one seed gives.
fn rand_seed() -> String {
    let (_, low) = test_support::unique_id().as_u64_pair();
    low.to_string()
}
