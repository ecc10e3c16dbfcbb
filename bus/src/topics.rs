//! The topics: what they must be, made where absent, reported where they differ, never deleted (contract.md, Kafka).

mod cluster;
mod rules;

use std::collections::BTreeMap;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use service::config::{ConfigError, KafkaSettings};

use cluster::Cluster;
pub use rules::{TopicRule, TopicRules};

/// A topic as the cluster has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: i32,
    /// The replicas of its first partition.
    pub replication: i32,
    /// Its configuration, defaults included.
    pub config: BTreeMap<String, String>,
}

/// What `apply` found or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicReport {
    /// The topic.
    pub topic: String,
    /// What became of it.
    pub state: TopicState,
    /// Its replicas; 0 where it is absent.
    pub replication: i32,
}

/// What became of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicState {
    /// It was absent and has been made.
    Created {
        /// With so many partitions.
        partitions: i32,
        /// And so many replicas.
        replication: i32,
    },
    /// It is absent; a dry run makes nothing.
    Absent,
    /// It is as the rule wants it.
    AsWanted,
    /// It differs; nothing was changed. One sentence a difference.
    Differs(Vec<String>),
}

/// The cluster does not answer, or refuses.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// The request failed as a whole.
    #[error("the Kafka cluster: {0}")]
    Cluster(#[from] KafkaError),
    /// No broker is connected; the text says why, and what to do.
    #[error("no broker of the Kafka cluster is connected: {reason}")]
    Unreachable {
        /// The sentence of [`crate::BrokerFaults`].
        reason: String,
    },
    /// One topic was refused.
    #[error("topic {topic}: {code}")]
    Refused {
        /// The topic.
        topic: String,
        /// Kafka's reason.
        code: RDKafkaErrorCode,
    },
    /// A setting is missing.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    /// The request was interrupted.
    #[error("the request to the Kafka cluster was interrupted")]
    Interrupted,
}

/// Makes the topics that are absent and reports the others; never changes or deletes one.
pub async fn apply(
    settings: &KafkaSettings,
    rules: &TopicRules,
    dry_run: bool,
) -> Result<Vec<TopicReport>, TopicError> {
    let cluster = Cluster::connect(settings)?;
    let (found, brokers) = cluster.describe(None).await?;
    let mut reports = Vec::with_capacity(rules.topics.len());
    for rule in &rules.topics {
        let known = found.iter().find(|topic| topic.name == rule.name);
        let state = match known {
            Some(topic) => {
                let topic = cluster.with_config(topic.clone()).await?;
                let differences = rule.differences(&topic, brokers);
                if differences.is_empty() { TopicState::AsWanted } else { TopicState::Differs(differences) }
            }
            None if dry_run => TopicState::Absent,
            None => cluster.create(rule, rule.replication.min(brokers).max(1)).await?,
        };
        let replication = match state {
            TopicState::Created { replication, .. } => replication,
            _ => known.map_or(0, |topic| topic.replication),
        };
        reports.push(TopicReport { topic: rule.name.clone(), state, replication });
    }
    Ok(reports)
}

/// The topics of these names that exist, with their configuration.
pub async fn describe(
    settings: &KafkaSettings,
    names: &[String],
) -> Result<Vec<TopicDescription>, TopicError> {
    let cluster = Cluster::connect(settings)?;
    let (found, _) = cluster.describe(None).await?;
    let mut described = Vec::new();
    for topic in found.into_iter().filter(|topic| names.contains(&topic.name)) {
        described.push(cluster.with_config(topic).await?);
    }
    Ok(described)
}

/// Where the cluster's brokers are, `host:port` each, as they tell their clients.
pub async fn brokers(settings: &KafkaSettings) -> Result<Vec<String>, TopicError> {
    let metadata = Cluster::connect(settings)?.metadata(None).await?;
    Ok(metadata.brokers().iter().map(|broker| format!("{}:{}", broker.host(), broker.port())).collect())
}

/// Whether there is a topic of this name.
pub async fn exists(settings: &KafkaSettings, name: &str) -> Result<bool, TopicError> {
    // All of them are asked for: a broker that makes topics on demand would make one that is asked for by name.
    let (found, _) = Cluster::connect(settings)?.describe(None).await?;
    Ok(found.iter().any(|topic| topic.name == name))
}

/// The first offset that a partition still holds: everything below is gone from Kafka.
pub async fn first_offset(settings: &KafkaSettings, topic: &str, partition: i32) -> Result<i64, TopicError> {
    Ok(Cluster::connect(settings)?.offsets(topic, partition).await?.0)
}

/// For each of these partitions the first offset that it still holds and the one that its next record will have; an error for
/// one that cannot be asked for.
pub async fn offsets(
    settings: &KafkaSettings,
    partitions: impl IntoIterator<Item = (String, i32)>,
) -> Result<Vec<Result<(i64, i64), TopicError>>, TopicError> {
    let cluster = Cluster::connect(settings)?;
    let mut found = Vec::new();
    for (topic, partition) in partitions {
        found.push(cluster.offsets(&topic, partition).await);
    }
    Ok(found)
}
