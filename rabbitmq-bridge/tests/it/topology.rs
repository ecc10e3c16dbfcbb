//! Exchanges, queues and bindings: what is there stays, what is absent is made or waited for.

use lapin::{
    BasicProperties, ExchangeKind,
    options::{ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use test_support::{Daemon, wait_until};

use crate::rig::{PATIENCE, Rig};

const BODY: &[u8] = br#"{"eventType":"USER_UPDATED","userId":"u"}"#;

async fn declare_exchange(rig: &Rig, name: &str, kind: ExchangeKind) {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let channel = rig.rabbit.channel().await;
    let name = rig.rabbit.name(name);
    channel.exchange_declare(name.as_str().into(), kind, options, FieldTable::default()).await.unwrap();
}

async fn declare_queue(rig: &Rig, name: &str, arguments: FieldTable) {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let channel = rig.rabbit.channel().await;
    channel.queue_declare(rig.rabbit.name(name).as_str().into(), options, arguments).await.unwrap();
}

/// As document 001 asserts them, and document 000 declares them.
#[tokio::test]
async fn a_queue_of_the_older_services_is_used_as_it_is() {
    let rig = Rig::new().await;
    declare_exchange(&rig, "events", ExchangeKind::Topic).await;
    let mut arguments = FieldTable::default();
    arguments
        .insert("x-dead-letter-exchange".into(), AMQPValue::LongString(rig.rabbit.name("audit_dlq").into()));
    arguments.insert("x-message-ttl".into(), AMQPValue::LongInt(3_600_000));
    declare_queue(&rig, "audit-service.events", arguments).await;
    let bridge = rig.bridge().await;
    rig.rabbit.publish("events", "user.created", BasicProperties::default(), BODY).await;
    assert_eq!(rig.produced(1).await, 1);
    assert!(bridge.log().contains("rabbitmq_declared"), "the dead letters' exchange and queue were made");
    assert!(bridge.stop().await.success());
    rig.rabbit.remove().await;
}

#[tokio::test]
async fn what_the_bridge_makes_is_durable_and_dead_letters_without_a_time_to_live() {
    let rig = Rig::new().await;
    let bridge = rig.bridge().await;
    // Declared again with the same arguments it is the same queue; with others RabbitMQ refuses.
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(1000));
    arguments
        .insert("x-dead-letter-exchange".into(), AMQPValue::LongString(rig.rabbit.name("audit_dlq").into()));
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    declare_queue(&rig, "audit-service.events", arguments).await;
    declare_exchange(&rig, "events", ExchangeKind::Topic).await;
    declare_exchange(&rig, "audit.flow", ExchangeKind::Topic).await;
    declare_exchange(&rig, "audit_dlq", ExchangeKind::Topic).await;
    assert!(bridge.stop().await.success());
    rig.rabbit.remove().await;
}

#[tokio::test]
async fn a_missing_exchange_is_waited_for_and_named_when_others_make_it() {
    let rig = Rig::new().await;
    let bindings = format!("[\"{}:user.*\"]", rig.rabbit.name("events"));
    let config = rig.config().set("rabbitmq", "declare", "\"never\"").set("rabbitmq", "bindings", bindings);
    let bridge = Daemon::rabbitmq_bridge(&config);
    wait_until("the bridge answers", PATIENCE, || async {
        reqwest::get(bridge.telemetry_url("/health/live")).await.ok()
    })
    .await;
    bridge.says("rabbitmq", &format!("exchange {} is absent", rig.rabbit.name("audit_dlq"))).await;
    declare_exchange(&rig, "audit_dlq", ExchangeKind::Fanout).await;
    bridge
        .says("rabbitmq", &format!("queue {} is absent", rig.rabbit.name("audit-service.events.dlq")))
        .await;
    declare_queue(&rig, "audit-service.events.dlq", FieldTable::default()).await;
    bridge.says("rabbitmq", &format!("exchange {} is absent", rig.rabbit.name("events"))).await;
    declare_exchange(&rig, "events", ExchangeKind::Topic).await;
    declare_queue(&rig, "audit-service.events", FieldTable::default()).await;
    let bridge = bridge.ready().await;
    let (queue, exchange) = (rig.rabbit.name("audit-service.events"), rig.rabbit.name("events"));
    let options = QueueBindOptions::default();
    let channel = rig.rabbit.channel().await;
    let binding = channel.queue_bind(
        queue.as_str().into(),
        exchange.as_str().into(),
        "user.*".into(),
        options,
        FieldTable::default(),
    );
    binding.await.unwrap();
    rig.rabbit.publish("events", "user.created", BasicProperties::default(), BODY).await;
    assert_eq!(rig.produced(1).await, 1);
    assert!(bridge.stop().await.success());
    rig.rabbit.remove().await;
}

#[tokio::test]
async fn an_exchange_that_vanishes_is_made_anew_and_messages_flow_again() {
    let rig = Rig::new().await;
    let bridge = rig.bridge().await;
    let channel = rig.rabbit.channel().await;
    let name = rig.rabbit.name("events");
    channel.exchange_delete(name.as_str().into(), ExchangeDeleteOptions::default()).await.unwrap();
    wait_until("the exchange is there again and bound", PATIENCE, || async {
        let publisher = rig.rabbit.publisher().await;
        publisher.publish(&name, "user.created", BasicProperties::default(), BODY).await.then_some(())
    })
    .await;
    rig.produced(1).await;
    wait_until("it is said", PATIENCE, || async { bridge.log().contains("it was gone").then_some(()) }).await;
    assert!(bridge.stop().await.success());
    rig.rabbit.remove().await;
}

#[tokio::test]
async fn a_queue_that_is_deleted_is_made_anew() {
    let rig = Rig::new().await;
    let bridge = rig.bridge().await;
    let channel = rig.rabbit.channel().await;
    let queue = rig.rabbit.name("audit-service.events");
    channel.queue_delete(queue.as_str().into(), lapin::options::QueueDeleteOptions::default()).await.unwrap();
    wait_until("a message is taken again", PATIENCE, || async {
        let publisher = rig.rabbit.publisher().await;
        publisher
            .publish(&rig.rabbit.name("events"), "user.created", BasicProperties::default(), BODY)
            .await
            .then_some(())
    })
    .await;
    rig.produced(1).await;
    let ended = bridge.metric("audit_bridge_sessions_ended_total").await;
    assert!(ended >= 1.0, "the consumer's end was noticed");
    assert!(bridge.stop().await.success());
    rig.rabbit.remove().await;
}
