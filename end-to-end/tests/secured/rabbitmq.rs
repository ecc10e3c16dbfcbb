//! RabbitMQ by AMQPS: the bridge's hop.

use test_support::{
    Authority, Daemon, DaemonConfig, RabbitNode, TestRabbit, TestTopic, authority::GOOD_UNTIL, wait_until,
};

use crate::{PATIENCE, end_of, quoted, ran};

#[tokio::test]
async fn messages_come_by_amqps_alone_and_what_is_wrong_is_said() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let shown = authority.issue("rabbitmq", &["localhost"]);
    let node = RabbitNode::start_secured(&authority.file(), &shown).await;
    let rabbit = TestRabbit::on(&node.url()).await;
    let topic = TestTopic::create(1).await;
    let config = rabbit
        .configure(DaemonConfig::without_database())
        .set("rabbitmq", "topic", format!("{:?}", topic.name()))
        .set("rabbitmq", "ca_file", quoted(&authority.file()));
    let by = |host: &str, password: &str| format!("{:?}", node.secured_url(host, password));
    let good = config.clone().set("rabbitmq", "url", by("localhost", "audit"));

    let bridge = Daemon::rabbitmq_bridge(&good).ready().await;
    let body = br#"{"eventType":"USER_CREATED","userId":"u1","email":"u1@example.org"}"#;
    rabbit.publish("events", "user.created", lapin::BasicProperties::default(), body).await;
    wait_until("the message is an event", PATIENCE, || async {
        (topic.end_offsets().await.iter().sum::<i64>() == 1).then_some(())
    })
    .await;
    for certificate in ["peer", "authority"] {
        assert!(bridge.metric(&end_of("rabbitmq", certificate)).await >= GOOD_UNTIL, "{certificate}");
    }
    assert!(bridge.stop().await.success());
    let (_, said) = ran(&good, &["doctor"]).await;
    let seen = said.lines().find(|line| line.contains("certificate of rabbitmq localhost:"));
    assert!(seen.is_some_and(|line| line.contains("\"detail\":\"ends in ")), "{said}");

    let bad = [
        (config.clone().set("rabbitmq", "url", by("127.0.0.1", "audit")), "not for 127.0.0.1, but for"),
        (
            good.clone().set("rabbitmq", "ca_file", quoted(&stranger.file())),
            "authority that is not trusted: name",
        ),
        (config.set("rabbitmq", "url", by("localhost", "guessed")), "ACCESS_REFUSED"),
    ];
    for (config, reason) in bad {
        says(&config, reason).await;
    }
    authority.issue_expired("old", &["localhost"]).replace(&shown);
    node.control(&["eval", "ssl:clear_pem_cache()."]).await;
    says(&good, "has expired: renew it").await;
}

/// A bridge that cannot connect says why, and not with which password.
async fn says(config: &DaemonConfig, reason: &str) {
    let bridge = Daemon::rabbitmq_bridge(config);
    wait_until("the bridge runs", PATIENCE, || async {
        reqwest::get(bridge.telemetry_url("/health/live")).await.ok()
    })
    .await;
    bridge.says("rabbitmq", reason).await;
    assert!(!bridge.log().contains("guessed"), "a secret is in the log");
}
