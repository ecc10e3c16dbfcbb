//! What no event can be made of goes aside with its reason, untouched, and never blocks the next.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use test_support::Daemon;

use crate::rig::Rig;

fn good(number: usize) -> Vec<u8> {
    format!(r#"{{"eventType":"USER_UPDATED","userId":"u{number}"}}"#).into_bytes()
}

#[tokio::test]
async fn a_poison_message_goes_aside_untouched_and_the_ones_behind_it_flow() {
    let rig = Rig::new().await;
    // One at a time, so that a message that stays would stop everything.
    let bridge = Daemon::rabbitmq_bridge(&rig.config().set("rabbitmq", "prefetch", "1")).ready().await;
    let mut headers = FieldTable::default();
    headers.insert("theirs".into(), AMQPValue::LongInt(7));
    let odd = BasicProperties::default()
        .with_headers(headers)
        .with_content_type("application/json".into())
        .with_message_id("poison-1".into())
        .with_correlation_id("c".into())
        .with_expiration("600000".into())
        .with_user_id("audit".into());
    let bytes: Vec<u8> = (0..=255).collect();
    let huge = format!(r#"{{"eventType":"USER_UPDATED","userId":"u","note":"{}"}}"#, "x".repeat(2 << 20));
    rig.rabbit.publish("events", "user.created", BasicProperties::default(), &good(1)).await;
    rig.rabbit.publish("events", "user.created", odd.clone(), &bytes).await;
    rig.rabbit.publish("events", "user.created", BasicProperties::default(), &good(2)).await;
    rig.rabbit.publish("events", "user.created", BasicProperties::default(), huge.as_bytes()).await;
    rig.rabbit.publish("events", "user.created", BasicProperties::default(), b"").await;
    rig.rabbit.publish("events", "user.created", BasicProperties::default(), &good(3)).await;
    assert_eq!(rig.produced(3).await, 3);
    let letters = rig.rabbit.take("audit-service.events.dlq", 3).await;
    let said = |letter: usize, name: &str| {
        let headers = letters[letter].properties.headers().as_ref().unwrap().inner();
        headers[&*format!("audit.dead.letter.{name}")].as_long_string().unwrap().to_string()
    };
    let reasons: Vec<_> = (0..3).map(|letter| said(letter, "reason")).collect();
    assert_eq!(reasons, ["undecodable", "limit-exceeded", "undecodable"]);
    assert_eq!(
        (said(0, "exchange"), said(0, "queue")),
        (rig.rabbit.name("events"), rig.rabbit.name("audit-service.events"))
    );
    assert_eq!(said(0, "expiration"), "600000");
    assert_eq!(letters[0].data, bytes);
    assert_eq!(letters[0].routing_key.as_str(), "user.created");
    let kept = &letters[0].properties;
    assert_eq!(kept.headers().as_ref().unwrap().inner()["theirs"], AMQPValue::LongInt(7));
    assert_eq!((kept.message_id(), kept.correlation_id()), (odd.message_id(), odd.correlation_id()));
    assert_eq!((kept.content_type(), kept.user_id()), (odd.content_type(), odd.user_id()));
    assert_eq!(letters[1].data, huge.as_bytes());
    assert!((bridge.metric("audit_bridge_messages_dead_lettered_total").await - 3.0).abs() < f64::EPSILON);
    rig.drain(bridge).await;
    rig.rabbit.remove().await;
}

#[tokio::test]
async fn nothing_but_poison_flows_too() {
    let rig = Rig::new().await;
    let bridge = Daemon::rabbitmq_bridge(&rig.config().set("rabbitmq", "prefetch", "20")).ready().await;
    let publisher = rig.rabbit.publisher().await;
    let exchange = rig.rabbit.name("events");
    for number in 0..200 {
        let body = format!("poison {number}");
        assert!(publisher.publish(&exchange, "auth.x", BasicProperties::default(), body.as_bytes()).await);
    }
    let letters = rig.rabbit.take("audit-service.events.dlq", 200).await;
    let mut bodies: Vec<_> =
        letters.into_iter().map(|letter| String::from_utf8(letter.data).unwrap()).collect();
    bodies.sort_unstable();
    bodies.dedup();
    assert_eq!(bodies.len(), 200);
    rig.drain(bridge).await;
    rig.rabbit.remove().await;
}
