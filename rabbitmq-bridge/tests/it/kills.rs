//! kill -9 of the bridge at random moments under load: nothing acknowledged is lost, nothing with an id doubles, and what
//! may have doubled without one is marked.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::RngExt as _;
use test_support::{Daemon, rabbitmq::numbered};

use crate::rig::{Rig, copies};

/// Kills by default; `AUDIT_TEST_LONG` asks for many more.
fn rounds() -> usize {
    if std::env::var_os("AUDIT_TEST_LONG").is_some() { 100 } else { 8 }
}

/// Publishes until told to stop; gives back how many RabbitMQ has confirmed. Each number is published once.
fn load(rig: &Rig, connection: lapin::Channel) -> (Arc<AtomicBool>, tokio::task::JoinHandle<usize>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (exchange, stopped) = (rig.rabbit.name("events"), Arc::clone(&stop));
    let publishing = tokio::spawn(async move {
        let mut number = 0;
        while !stopped.load(Ordering::Relaxed) {
            let mut confirms = Vec::new();
            for _ in 0..100 {
                let (properties, body) = numbered::message(number);
                let options = lapin::options::BasicPublishOptions {
                    mandatory: true,
                    ..lapin::options::BasicPublishOptions::default()
                };
                let properties = properties.with_delivery_mode(2);
                let publish = connection.basic_publish(
                    exchange.as_str().into(),
                    "user.updated".into(),
                    options,
                    &body,
                    properties,
                );
                confirms.push(publish.await.expect("RabbitMQ is there"));
                number += 1;
            }
            for confirm in confirms {
                let confirm = confirm.await.expect("RabbitMQ answers");
                assert!(matches!(confirm, lapin::Confirmation::Ack(None)), "{confirm:?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        number
    });
    (stop, publishing)
}

#[tokio::test]
async fn kill_9_of_the_bridge_at_any_moment_loses_nothing_and_doubles_nothing_with_an_id() {
    let rig = Rig::new().await;
    let mut bridge = rig.bridge().await;
    let ingestor = rig.ingestor().await;
    let publisher = rig.rabbit.publisher().await;
    let (stop, publishing) = load(&rig, publisher.channel().clone());
    for _ in 0..rounds() {
        let wait = rand::rng().random_range(20..900);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        bridge.kill();
        // At once, as a supervisor would.
        bridge = Daemon::rabbitmq_bridge(&rig.config());
    }
    let bridge = bridge.ready().await;
    stop.store(true, Ordering::Relaxed);
    let published = publishing.await.expect("the publisher does not panic");
    rig.drain(bridge).await;
    let records = rig.topic.end_offsets().await.iter().sum();
    let stored = rig.stored(records).await;
    eprintln!("{published} published, {records} produced, {} stored", stored.len());
    copies(&stored).check(&(0..published).collect::<Vec<_>>());
    drop(ingestor);
    rig.rabbit.remove().await;
}

/// While nobody dies, each aggregate keeps its order and there is exactly one event a message.
#[tokio::test]
async fn each_aggregates_order_is_kept() {
    let rig = Rig::new().await;
    let (bridge, ingestor) = (rig.bridge().await, rig.ingestor().await);
    let publisher = rig.rabbit.publisher().await;
    let (stop, publishing) = load(&rig, publisher.channel().clone());
    rig.produced(2000).await;
    stop.store(true, Ordering::Relaxed);
    let published = publishing.await.expect("the publisher does not panic");
    let records = rig.produced(i64::try_from(published).unwrap()).await;
    let stored = rig.stored(records).await;
    assert_eq!(stored.len(), published);
    let mut last: HashMap<&str, u64> = HashMap::new();
    for event in &stored {
        let payload: serde_json::Value = serde_json::from_str(&event.payload).expect("JSON");
        let number = payload["number"].as_u64().expect("a number");
        let before = last.insert(&event.aggregate_id, number);
        assert!(before.is_none_or(|before| before < number), "{number} came after {before:?}");
    }
    assert!(stored.iter().all(|event| !event.metadata.contains("possibleDuplicate")));
    assert!(bridge.stop().await.success());
    drop(ingestor);
    rig.rabbit.remove().await;
}
