//! What is away is waited for and named; a connection that is lost is made again.

use std::time::Duration;

use lapin::BasicProperties;
use test_support::{Daemon, FaultProxy, daemon::free_address, servers, wait_until};

use crate::rig::{PATIENCE, Rig};

fn body(number: usize) -> Vec<u8> {
    let id = test_support::unique_id();
    format!(
        r#"{{"eventId":"{id}","eventType":"USER_UPDATED","userId":"u{number}","timestamp":"2026-01-07T10:30:00Z"}}"#
    )
    .into_bytes()
}

async fn publish(rig: &Rig, count: usize) {
    let publisher = rig.rabbit.publisher().await;
    let exchange = rig.rabbit.name("events");
    for number in 0..count {
        assert!(
            publisher.publish(&exchange, "user.updated", BasicProperties::default(), &body(number)).await
        );
    }
}

/// The answer to `/health/live`, so that what is unmet can be asked.
async fn alive(bridge: Daemon) -> Daemon {
    wait_until("the bridge answers", PATIENCE, || async {
        reqwest::get(bridge.telemetry_url("/health/live")).await.ok()
    })
    .await;
    bridge
}

async fn rabbit_proxy() -> FaultProxy {
    let url = reqwest::Url::parse(&servers::rabbitmq_url()).unwrap();
    FaultProxy::start(&format!("127.0.0.1:{}", url.port().unwrap())).await
}

#[tokio::test]
async fn connections_cut_at_any_moment_lose_nothing_and_double_nothing() {
    let (rig, proxy) = (Rig::new().await, rabbit_proxy().await);
    let config = rig.config().set("rabbitmq", "url", format!("{:?}", proxy.url(rig.rabbit.url())));
    let (bridge, ingestor) = (Daemon::rabbitmq_bridge(&config).ready().await, rig.ingestor().await);
    for _ in 0..8 {
        publish(&rig, 50).await;
        proxy.cut();
    }
    publish(&rig, 50).await;
    let records = rig.produced(450).await;
    let mut stored = rig.stored(records).await;
    while stored.len() < 450 {
        stored = rig.stored(rig.produced(records + 1).await).await;
    }
    assert_eq!(stored.len(), 450, "a message that came twice is one event");
    assert!(bridge.metric("audit_bridge_sessions_ended_total").await >= 1.0);
    rig.drain(bridge).await;
    drop(ingestor);
    rig.rabbit.remove().await;
}

#[tokio::test]
async fn a_broker_that_is_away_or_silent_is_named_and_waited_for() {
    let (rig, proxy) = (Rig::new().await, rabbit_proxy().await);
    let url = format!("{:?}", proxy.url(rig.rabbit.url()));
    let config = rig.config().set("rabbitmq", "url", url).set("rabbitmq", "heartbeat", "\"1s\"");
    proxy.refuse();
    let bridge = alive(Daemon::rabbitmq_bridge(&config)).await;
    bridge.says("rabbitmq", "RabbitMQ").await;
    proxy.heal();
    let bridge = bridge.ready().await;
    publish(&rig, 3).await;
    rig.produced(3).await;

    // Not a byte more in either direction, and nothing is closed: only the heartbeat tells.
    proxy.stall();
    bridge.says("rabbitmq", "eartbeat").await;
    proxy.heal();
    let bridge = bridge.ready().await;
    publish(&rig, 3).await;
    rig.produced(6).await;
    assert!(bridge.stop().await.success());
    rig.rabbit.remove().await;
}

#[tokio::test]
async fn without_kafka_nothing_is_taken_and_the_queue_is_there_all_the_same() {
    let rig = Rig::new().await;
    let kafka = FaultProxy::start(&servers::kafka_bootstrap()).await;
    kafka.refuse();
    // Clients ask it for the brokers and then go there by themselves, so it can be away only at the start.
    let config = rig.config().kafka(&kafka.address().to_string());
    let bridge = alive(Daemon::rabbitmq_bridge(&config)).await;
    bridge.says("kafka", "Kafka").await;
    publish(&rig, 5).await;
    assert_eq!(rig.rabbit.waiting("audit-service.events").await, 5, "they wait, undelivered");
    kafka.heal();
    let bridge = bridge.ready().await;
    assert_eq!(rig.produced(5).await, 5);
    rig.drain(bridge).await;
    rig.rabbit.remove().await;
}

#[tokio::test]
async fn a_topic_that_is_not_there_and_a_registry_that_is_away_are_named() {
    let rig = Rig::new().await;
    let nowhere = format!("http://{}", free_address());
    let bridge = alive(Daemon::rabbitmq_bridge(&rig.config().registry_url(&nowhere))).await;
    bridge.says("registry", "the schema registry").await;
    assert!(bridge.stop().await.success());
    let config = rig.config().set("rabbitmq", "topic", "\"test-no-such-topic\"");
    let bridge = alive(Daemon::rabbitmq_bridge(&config)).await;
    bridge.says("kafka", "test-no-such-topic").await;
    assert!(bridge.stop().await.success());
    rig.rabbit.remove().await;
}

/// The stop waits for what is in hand, and gives the rest back.
#[tokio::test]
async fn a_stop_under_load_leaves_nothing_half_done() {
    let rig = Rig::new().await;
    let config = rig.config().set("rabbitmq", "prefetch", "50");
    publish_before(&rig, &config).await;
    let ingestor = rig.ingestor().await;
    let mut records = 0;
    for _ in 0..4 {
        let bridge = Daemon::rabbitmq_bridge(&config).ready().await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(bridge.stop().await.success());
        let left = i64::from(rig.rabbit.waiting("audit-service.events").await);
        records = rig.topic.end_offsets().await.iter().sum();
        assert_eq!(records + left, 400, "what is not in Kafka is in the queue, and nothing is in both");
    }
    let bridge = Daemon::rabbitmq_bridge(&config).ready().await;
    records = rig.produced(records.max(400)).await;
    assert_eq!(rig.stored(records).await.len(), 400);
    assert!(bridge.stop().await.success());
    drop(ingestor);
    rig.rabbit.remove().await;
}

/// The queue must be there before anything is published.
async fn publish_before(rig: &Rig, config: &test_support::DaemonConfig) {
    let bridge = Daemon::rabbitmq_bridge(config).ready().await;
    assert!(bridge.stop().await.success());
    publish(rig, 400).await;
}
