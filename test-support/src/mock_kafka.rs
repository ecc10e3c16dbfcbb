//! A Kafka in this process (librdkafka's mock) that a test can take away and give back: what the shared one cannot be asked.

use std::time::Duration;

use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};
use service::config::KafkaSettings;

use crate::{
    topic::{ConsumedRecord, end_offsets, read_until},
    wait_until,
};

/// Its only broker.
const BROKER: i32 = 1;

/// One broker, which ends with this value.
pub struct MockKafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl MockKafka {
    /// A broker with this topic.
    pub fn start(topic: &str, partitions: i32) -> Self {
        let cluster = MockCluster::new(BROKER).expect("the mock starts");
        cluster.create_topic(topic, partitions, 1).expect("the topic is made");
        Self { cluster }
    }

    /// How to reach it.
    pub fn settings(&self) -> KafkaSettings {
        KafkaSettings {
            bootstrap_servers: Some(self.cluster.bootstrap_servers()),
            ..KafkaSettings::default()
        }
    }

    /// Makes another topic.
    pub fn create_topic(&self, topic: &str, partitions: i32) {
        self.cluster.create_topic(topic, partitions, 1).expect("the topic is made");
    }

    /// Takes it away: connections break, and no new ones are taken.
    pub fn down(&self) {
        self.cluster.broker_down(BROKER).expect("the mock obeys");
    }

    /// Gives it back.
    pub fn up(&self) {
        self.cluster.broker_up(BROKER).expect("the mock obeys");
    }

    /// Everything that a topic holds, partition by partition.
    pub async fn read_all(&self, topic: &str, partitions: i32) -> Vec<ConsumedRecord> {
        let config = bus::kafka_client_config(&self.settings(), "test").expect("a bootstrap server");
        let ends = wait_until("the end offsets are known", Duration::from_secs(30), || async {
            end_offsets(&config, topic, partitions)
        })
        .await;
        let topic = topic.to_owned();
        let reading = tokio::task::spawn_blocking(move || read_until(&config, &topic, &ends));
        reading.await.expect("the reader does not panic")
    }
}
