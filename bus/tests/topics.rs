//! Topic rules against a real Kafka: made where absent, reported where they differ, never changed.

use std::time::Duration;

use bus::topics::{self, TopicRule, TopicRules, TopicState};
use service::config::AuditConfig;
use test_support::{TestTopic, kafka_settings, unique};

#[tokio::test]
async fn an_absent_topic_is_made_and_then_is_as_wanted() {
    let rule = TopicRule::new(&unique("apply"), 12, 1024 * 1024);
    let rules = TopicRules { topics: vec![rule.clone()] };

    let dry = topics::apply(&kafka_settings(), &rules, true).await.unwrap();
    assert_eq!(dry[0].state, TopicState::Absent);
    assert_eq!(topics::describe(&kafka_settings(), std::slice::from_ref(&rule.name)).await.unwrap(), []);

    let made = topics::apply(&kafka_settings(), &rules, false).await.unwrap();
    assert_eq!(made[0].topic, rule.name);
    // The test cluster has one broker: the wanted three replicas become one.
    assert_eq!(made[0].state, TopicState::Created { partitions: 12, replication: 1 });

    let found = topics::describe(&kafka_settings(), std::slice::from_ref(&rule.name)).await.unwrap();
    assert_eq!((found[0].partitions, found[0].replication), (12, 1));
    assert_eq!(found[0].config["cleanup.policy"], "delete");
    assert_eq!(found[0].config["retention.ms"], (7 * 24 * 3_600_000).to_string());

    let again = topics::apply(&kafka_settings(), &rules, false).await.unwrap();
    assert_eq!(again[0].state, TopicState::AsWanted);
}

#[tokio::test]
async fn a_topic_that_differs_is_reported_and_left_as_it_is() {
    let config = [("cleanup.policy", "compact"), ("retention.ms", "3600000"), ("max.message.bytes", "1000")];
    let topic = TestTopic::create_with(2, &config).await;
    let rules = TopicRules { topics: vec![TopicRule::new(topic.name(), 12, 1024 * 1024)] };
    let before = topics::describe(&kafka_settings(), &[topic.name().to_owned()]).await.unwrap();
    let reports = topics::apply(&kafka_settings(), &rules, false).await.unwrap();
    let TopicState::Differs(differences) = &reports[0].state else { panic!("{reports:?}") };
    for part in ["partitions", "cleanup.policy", "retention.ms", "max.message.bytes"] {
        assert!(differences.iter().any(|text| text.contains(part)), "{part} is not in {differences:?}");
    }
    assert_eq!(differences.len(), 4, "{differences:?}");
    assert_eq!(topics::describe(&kafka_settings(), &[topic.name().to_owned()]).await.unwrap(), before);
}

#[tokio::test]
async fn unlimited_or_longer_retention_is_as_wanted() {
    for retention in ["-1", "31536000000"] {
        let topic = TestTopic::create_with(12, &[("retention.ms", retention)]).await;
        let rules = TopicRules { topics: vec![TopicRule::new(topic.name(), 12, 1024 * 1024)] };
        let reports = topics::apply(&kafka_settings(), &rules, false).await.unwrap();
        assert_eq!(reports[0].state, TopicState::AsWanted, "{retention}");
    }
}

#[tokio::test]
async fn the_first_offset_is_the_first_that_is_left() {
    let topic = TestTopic::create(1).await;
    for _ in 0..3 {
        topic.produce(None, Some(b"x")).await;
    }
    assert_eq!(topics::first_offset(&kafka_settings(), topic.name(), 0).await.unwrap(), 0);
    topic.delete_records_before(0, 2).await;
    assert_eq!(topics::first_offset(&kafka_settings(), topic.name(), 0).await.unwrap(), 2);
    assert!(topics::first_offset(&kafka_settings(), &unique("absent"), 0).await.is_err());
}

#[test]
fn the_rules_of_a_configuration_cover_events_accesses_and_dead_letters() {
    let rules = TopicRules::of(&AuditConfig::default());
    let names: Vec<_> = rules.topics.iter().map(|rule| (rule.name.as_str(), rule.partitions)).collect();
    assert_eq!(names, [("audit.events", 12), ("audit.events.access", 3), ("audit.dlq", 3)]);
    assert!(rules.topics.iter().all(|rule| rule.least_retention >= Duration::from_hours(7 * 24)));
    assert!(rules.topics[2].max_message_bytes >= rules.topics[0].max_message_bytes + 64 * 1024);
}
