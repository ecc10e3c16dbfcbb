//! A RabbitMQ of the test's own: killed, started again, short of memory; and another version of it.

use std::sync::{Arc, Mutex};

use lapin::BasicProperties;
use test_support::{Daemon, RabbitNode, TestRabbit, rabbitmq::numbered, wait_until};

use crate::rig::{PATIENCE, Rig, copies};

/// What RabbitMQ has confirmed, of a publisher that goes on until RabbitMQ is gone.
#[derive(Clone, Default)]
struct Confirmed(Arc<Mutex<Vec<usize>>>);

impl Confirmed {
    fn numbers(&self) -> Vec<usize> {
        self.0.lock().unwrap().clone()
    }

    async fn grow_by(&self, count: usize) {
        let before = self.numbers().len();
        wait_until(&format!("{count} more are confirmed"), PATIENCE, || async {
            (self.numbers().len() >= before + count).then_some(())
        })
        .await;
    }
}

/// Publishes from this number on until RabbitMQ is gone; gives back the next number.
async fn publish(rabbit: TestRabbit, first: usize, confirmed: Confirmed) -> usize {
    let publisher = rabbit.publisher().await;
    let exchange = rabbit.name("events");
    for number in first.. {
        let (properties, body) = numbered::message(number);
        if !publisher.publish(&exchange, "user.updated", properties, &body).await {
            return number + 1;
        }
        confirmed.0.lock().unwrap().push(number);
    }
    unreachable!("there is no end of numbers")
}

async fn kills_lose_nothing(mut node: RabbitNode) {
    let rig = Rig::with(TestRabbit::on(&node.url()).await).await;
    let (bridge, ingestor) = (rig.bridge().await, rig.ingestor().await);
    let (confirmed, mut next) = (Confirmed::default(), 0);
    for round in 0..4 {
        let rabbit = TestRabbit::on(&node.url()).await.named_as(&rig.rabbit);
        let publishing = tokio::spawn(publish(rabbit, next, confirmed.clone()));
        confirmed.grow_by(300).await;
        node.has_kept(&rig.rabbit.name("audit-service.events")).await;
        if round < 3 {
            node.kill();
            next = publishing.await.expect("the publisher does not panic");
            node.restart().await;
        } else {
            publishing.abort();
        }
    }
    // The rig's own connection died with the node.
    let rig = Rig { rabbit: TestRabbit::on(&node.url()).await.named_as(&rig.rabbit), ..rig };
    rig.drain(bridge).await;
    let stored = rig.stored(rig.topic.end_offsets().await.iter().sum()).await;
    let confirmed = confirmed.numbers();
    eprintln!("{} confirmed, {} stored", confirmed.len(), stored.len());
    copies(&stored).check(&confirmed);
    drop(ingestor);
}

#[tokio::test]
async fn a_rabbitmq_that_is_killed_and_comes_back_loses_nothing_that_it_confirmed() {
    kills_lose_nothing(RabbitNode::start().await).await;
}

#[tokio::test]
async fn the_same_holds_for_the_other_version_of_rabbitmq_where_there_is_one() {
    match RabbitNode::start_other().await {
        Some(node) => kills_lose_nothing(node).await,
        None => eprintln!("skipped: AUDIT_TEST_RABBITMQ_OTHER names no programs of another version"),
    }
}

/// RabbitMQ blocks who publishes, the dead letters among them, and nobody else: what can be stored is stored.
#[tokio::test]
async fn a_memory_alarm_holds_the_dead_letters_up_and_nothing_else() {
    let node = RabbitNode::start().await;
    let rig = Rig::with(TestRabbit::on(&node.url()).await).await;
    // So that the queue is there.
    assert!(rig.bridge().await.stop().await.success());
    rig.rabbit.publish("events", "user.created", BasicProperties::default(), b"poison").await;
    let publisher = rig.rabbit.publisher().await;
    for number in 0..300 {
        let (properties, body) = numbered::message(number);
        assert!(publisher.publish(&rig.rabbit.name("events"), "user.updated", properties, &body).await);
    }
    node.control(&["set_vm_memory_high_watermark", "0"]).await;
    let ingestor = rig.ingestor().await;
    let config = rig.config().set("rabbitmq", "prefetch", "10");
    let bridge = Daemon::rabbitmq_bridge(&config);
    assert_eq!(rig.produced(300).await, 300, "the poison in front holds nobody up");
    let reason = bridge.says("dead-letters", "blocks publishing").await;
    assert!(reason.contains("memory"), "{reason}");
    assert!((bridge.metric("audit_bridge_publishing_blocked").await - 1.0).abs() < f64::EPSILON);
    assert_eq!(rig.rabbit.waiting("audit-service.events.dlq").await, 0);
    node.control(&["set_vm_memory_high_watermark", "0.6"]).await;
    let letters = rig.rabbit.take("audit-service.events.dlq", 1).await;
    assert_eq!(letters[0].data, b"poison");
    let bridge = bridge.ready().await;
    copies(&rig.stored(300).await).check(&(0..300).collect::<Vec<_>>());
    rig.drain(bridge).await;
    drop(ingestor);
}
