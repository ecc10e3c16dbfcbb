//! Replays to topics when things fail: Kafka away, the API killed.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use service::config::SubmissionSettings;
use test_support::{MockKafka, canonical_event, unique};

use crate::{
    replays::{start, until, until_state, versions},
    server::{Options, Server},
    submit::writing,
};

#[tokio::test(flavor = "multi_thread")]
async fn while_kafka_is_away_a_job_waits_and_then_goes_on() {
    let (topic, told) = (unique("replayed"), unique("told"));
    let kafka = MockKafka::start(&topic, 1);
    kafka.create_topic(&told, 1);
    let mut config = writing(&told);
    config.kafka = kafka.settings();
    config.submissions =
        SubmissionSettings { delivery_timeout: Duration::from_secs(1), ..config.submissions };
    let server = Server::with(Options { writing: Some(config), ..Options::default() }).await;
    let mut feeder = server.feeder().await;
    for version in 1..=40 {
        feeder.append((0..10).map(|order| canonical_event(&format!("order-{order}"), version))).await;
    }
    let id = start(&server, &json!({ "topic": topic, "rate": 50 })).await;
    until(&server, &id, "something is sent", |job| job["progress"]["sent"] != 0).await;
    kafka.down();
    let waiting = until(&server, &id, "it says what it waits for", |job| job["trouble"].is_string()).await;
    assert_eq!(waiting["state"], "running");
    kafka.up();
    let job = until_state(&server, &id, "finished").await;
    assert_eq!((&job["trouble"], &job["progress"]["sent"]), (&serde_json::Value::Null, &json!(400)));
    // What was on its way when Kafka left may be there twice: the same batch again, never less.
    let versions: BTreeMap<String, Vec<i64>> = versions(&kafka.read_all(&topic, 1).await);
    assert_eq!(versions.len(), 10);
    for versions in versions.values() {
        let mut first = versions.clone();
        let mut seen = std::collections::BTreeSet::new();
        first.retain(|version| seen.insert(*version));
        assert!(first.iter().copied().eq(1..=40), "{versions:?}");
    }
}
