//! The requests to the cluster about its topics.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    error::RDKafkaErrorCode,
    metadata::Metadata,
};
use service::config::KafkaSettings;

use super::{TopicDescription, TopicError, TopicRule, TopicState};
use crate::{faults, kafka_client_config};

const REQUEST: Duration = Duration::from_secs(15);

/// How long the reason may take when the cluster cannot be reached.
const WHY: Duration = Duration::from_secs(10);

pub(super) struct Cluster {
    admin: Arc<AdminClient<DefaultClientContext>>,
    config: ClientConfig,
}

impl Cluster {
    pub(super) fn connect(settings: &KafkaSettings) -> Result<Self, TopicError> {
        let config = kafka_client_config(settings, "audit-topics")?;
        Ok(Self { admin: Arc::new(config.create()?), config })
    }

    /// Brokers and topics.
    pub(super) async fn metadata(&self, topic: Option<String>) -> Result<Metadata, TopicError> {
        let (admin, config) = (Arc::clone(&self.admin), self.config.clone());
        // librdkafka's metadata request blocks.
        let fetching = tokio::task::spawn_blocking(move || {
            admin.inner().fetch_metadata(topic.as_deref(), REQUEST).map_err(|error| {
                match faults::ask_why(&config, WHY) {
                    Some(reason) => TopicError::Unreachable { reason },
                    None => error.into(),
                }
            })
        });
        fetching.await.map_err(|_| TopicError::Interrupted)?
    }

    /// The topics (without their configuration) and the number of brokers.
    pub(super) async fn describe(
        &self,
        topic: Option<String>,
    ) -> Result<(Vec<TopicDescription>, i32), TopicError> {
        let metadata = self.metadata(topic).await?;
        let count = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
        let topics =
            metadata.topics().iter().filter(|topic| topic.error().is_none()).map(|topic| TopicDescription {
                name: topic.name().to_owned(),
                partitions: count(topic.partitions().len()),
                replication: topic
                    .partitions()
                    .first()
                    .map_or(0, |partition| count(partition.replicas().len())),
                config: BTreeMap::new(),
            });
        Ok((topics.collect(), count(metadata.brokers().len())))
    }

    pub(super) async fn with_config(
        &self,
        mut topic: TopicDescription,
    ) -> Result<TopicDescription, TopicError> {
        let options = AdminOptions::new().request_timeout(Some(REQUEST));
        let resource = ResourceSpecifier::Topic(&topic.name);
        for answer in self.admin.describe_configs(&[resource], &options).await? {
            let entries =
                answer.map_err(|code| TopicError::Refused { topic: topic.name.clone(), code })?.entries;
            topic.config.extend(entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))));
        }
        Ok(topic)
    }

    pub(super) async fn create(&self, rule: &TopicRule, replication: i32) -> Result<TopicState, TopicError> {
        let retention = rule.least_retention.as_millis().to_string();
        let max_message_bytes = rule.max_message_bytes.to_string();
        let in_sync = TopicRule::least_in_sync(replication).to_string();
        let topic = NewTopic::new(&rule.name, rule.partitions, TopicReplication::Fixed(replication))
            .set("cleanup.policy", "delete")
            .set("retention.ms", &retention)
            .set("max.message.bytes", &max_message_bytes)
            .set("min.insync.replicas", &in_sync);
        let options = AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST));
        for result in self.admin.create_topics([&topic], &options).await? {
            match result {
                // Someone else made it in between: as good.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => return Err(TopicError::Refused { topic, code }),
            }
        }
        Ok(TopicState::Created { partitions: rule.partitions, replication })
    }

    /// The first offset that a partition still holds, and the one that its next record will have.
    pub(super) async fn offsets(&self, topic: &str, partition: i32) -> Result<(i64, i64), TopicError> {
        let (admin, topic) = (Arc::clone(&self.admin), topic.to_owned());
        // librdkafka's watermark request blocks.
        let fetching =
            tokio::task::spawn_blocking(move || admin.inner().fetch_watermarks(&topic, partition, REQUEST));
        Ok(fetching.await.map_err(|_| TopicError::Interrupted)??)
    }
}
