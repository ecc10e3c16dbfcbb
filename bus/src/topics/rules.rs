//! What the topics must be, and where one differs (contract.md, Kafka).

use std::time::Duration;

use service::config::AuditConfig;

use super::{TopicDescription, TopicError, cluster::Cluster};
use crate::dead_letter;

const EVENT_PARTITIONS: i32 = 12;
const OTHER_PARTITIONS: i32 = 3;
const REPLICATION: i32 = 3;
const LEAST_RETENTION: Duration = Duration::from_hours(7 * 24);

/// What one topic must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicRule {
    /// Its name.
    pub name: String,
    /// Its partitions, when it is made; an existing topic keeps its own count, for order's sake.
    pub partitions: i32,
    /// The replicas wanted; a cluster with fewer brokers gets as many as it has brokers.
    pub replication: i32,
    /// Records are kept at least this long.
    pub least_retention: Duration,
    /// The largest record batch it takes.
    pub max_message_bytes: usize,
}

/// What the topics must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicRules {
    /// One rule a topic.
    pub topics: Vec<TopicRule>,
}

/// A record alone in its batch: Kafka counts the batch's head too.
const BATCH_OVERHEAD: usize = 1024;

impl TopicRules {
    /// The topics of this configuration: the ones the ingestor reads by name, the accesses, the dead letters.
    pub fn of(config: &AuditConfig) -> Self {
        let events = config.ingestor.max_record_bytes;
        let mut topics: Vec<TopicRule> = config
            .ingestor
            .topics
            .iter()
            .map(|name| TopicRule::new(name, EVENT_PARTITIONS, events))
            .collect();
        let accesses = &config.accesses.topic;
        if config.accesses.record && !topics.iter().any(|rule| rule.name == *accesses) {
            topics.push(TopicRule::new(accesses, OTHER_PARTITIONS, events));
        }
        topics.push(TopicRule::new(
            &config.dead_letters.topic,
            OTHER_PARTITIONS,
            events + dead_letter::ALLOWANCE,
        ));
        Self { topics }
    }

    /// These, and one for every topic of the cluster that the ingestor's patterns take; such a one has its own partitions.
    pub async fn of_cluster(config: &AuditConfig) -> Result<Self, TopicError> {
        let mut rules = Self::of(config);
        let (found, _) = Cluster::connect(&config.kafka)?.describe(None).await?;
        for topic in found.iter().filter(|topic| config.ingestor.subscribes_to(&topic.name)) {
            if !rules.topics.iter().any(|rule| rule.name == topic.name) {
                let most = config.ingestor.max_record_bytes;
                rules.topics.push(TopicRule::new(&topic.name, topic.partitions, most));
            }
        }
        Ok(rules)
    }
}

impl TopicRule {
    /// A topic with the standard replication and retention.
    pub fn new(name: &str, partitions: i32, max_record_bytes: usize) -> Self {
        Self {
            name: name.to_owned(),
            partitions,
            replication: REPLICATION,
            least_retention: LEAST_RETENTION,
            max_message_bytes: max_record_bytes + BATCH_OVERHEAD,
        }
    }

    pub(super) fn differences(&self, found: &TopicDescription, brokers: i32) -> Vec<String> {
        let mut differences = Vec::new();
        if found.partitions != self.partitions {
            differences
                .push(format!("has {} partitions, the rule says {}", found.partitions, self.partitions));
        }
        let replication = self.replication.min(brokers);
        if found.replication < replication {
            differences.push(format!("has {} replicas, {replication} are possible", found.replication));
        }
        match found.config.get("cleanup.policy").map(String::as_str) {
            Some("delete") | None => {}
            Some(other) => {
                differences.push(format!("cleanup.policy is {other}, which loses events: set delete"));
            }
        }
        if let Some(kept) = found.config.get("retention.ms").and_then(|text| text.parse::<i64>().ok()) {
            let least = i64::try_from(self.least_retention.as_millis()).unwrap_or(i64::MAX);
            if kept >= 0 && kept < least {
                differences.push(format!("retention.ms is {kept}, at least {least} is needed"));
            }
        }
        if let Some(most) = found.config.get("max.message.bytes").and_then(|text| text.parse::<usize>().ok())
            && most < self.max_message_bytes
        {
            differences
                .push(format!("max.message.bytes is {most}, records may need {}", self.max_message_bytes));
        }
        differences.extend(survival(found));
        differences
    }

    /// The replicas that must have a record before it is acknowledged: with three, any one broker may go.
    pub(super) fn least_in_sync(replication: i32) -> i32 {
        if replication >= REPLICATION { REPLICATION - 1 } else { 1 }
    }
}

/// What an acknowledged record does not survive. One replica is no difference: a cluster may have no more brokers.
fn survival(found: &TopicDescription) -> Vec<String> {
    let (mut differences, replication) = (Vec::new(), found.replication);
    let least = TopicRule::least_in_sync(replication);
    if let Some(in_sync) = found.config.get("min.insync.replicas").and_then(|text| text.parse::<i32>().ok()) {
        if in_sync < least {
            differences.push(format!(
                "min.insync.replicas is {in_sync}, so that one broker's loss may take acknowledged records with it: set {least}"
            ));
        } else if in_sync >= replication && replication > 1 {
            differences.push(format!(
                "min.insync.replicas is {in_sync} of {replication}, so that nothing is taken while one broker is away: set {}",
                replication - 1
            ));
        }
    }
    if replication > 1
        && found.config.get("unclean.leader.election.enable").is_some_and(|text| text == "true")
    {
        differences.push(
            "unclean.leader.election.enable is true, so that a replica that lacks acknowledged records may lead: set false"
                .to_owned(),
        );
    }
    if let Some(bytes) = found.config.get("retention.bytes").filter(|text| !text.starts_with('-')) {
        differences.push(format!(
            "retention.bytes is {bytes}, so that records may go before their time: set -1, or be sure that it is never reached"
        ));
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a topic with these replicas and settings, on three brokers.
    fn said(replication: i32, config: &[(&str, &str)]) -> String {
        let config = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let found = TopicDescription { name: "t".to_owned(), partitions: 12, replication, config };
        TopicRule::new("t", 12, 1000).differences(&found, 3).join("; ")
    }

    #[test]
    fn what_an_acknowledged_record_would_not_survive_is_said() {
        assert_eq!(said(3, &[("min.insync.replicas", "2"), ("unclean.leader.election.enable", "false")]), "");
        assert!(said(3, &[("min.insync.replicas", "1")]).ends_with("set 2"));
        assert!(said(3, &[("min.insync.replicas", "3")]).contains("while one broker is away: set 2"));
        assert!(said(3, &[("unclean.leader.election.enable", "true")]).contains("may lead: set false"));
        assert!(said(1, &[("min.insync.replicas", "1")]).starts_with("has 1 replicas, 3 are possible"));
    }

    #[test]
    fn a_bound_of_bytes_may_end_before_the_time_does() {
        assert_eq!(said(3, &[("retention.bytes", "-1")]), "");
        assert!(said(3, &[("retention.bytes", "1000000")]).starts_with("retention.bytes is 1000000"));
    }
}
