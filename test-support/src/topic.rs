//! Topics of a test's own on the real test Kafka.

use std::time::Duration;

use bus::{Delivered, Outgoing, Producer, ProducerLimits};
use bytes::Bytes;
use rdkafka::{
    TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    message::{Headers, Message},
};

use crate::{
    servers,
    unique::{self, unique},
    wait_until,
};

/// A topic that no other test has; a run two hours later deletes it.
#[derive(Debug, Clone)]
pub struct TestTopic {
    name: String,
    partitions: i32,
}

/// A record as a consumer gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumedRecord {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value.
    pub value: Option<Bytes>,
    /// Its headers, in order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

impl ConsumedRecord {
    /// The first header of this name, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        std::str::from_utf8(value.as_deref()?).ok()
    }
}

const REQUEST: Duration = Duration::from_secs(30);

impl TestTopic {
    /// A topic with the broker's defaults and records up to 4 MiB.
    pub async fn create(partitions: i32) -> Self {
        Self::create_with(partitions, &[]).await
    }

    /// A topic with this configuration.
    pub async fn create_with(partitions: i32, config: &[(&str, &str)]) -> Self {
        Self::create_named(&unique("topic"), partitions, config).await
    }

    /// A topic of this name, for tests of patterns; take [`unique`](fn@crate::unique) into the name.
    pub async fn create_named(name: &str, partitions: i32, config: &[(&str, &str)]) -> Self {
        remove_leftovers().await;
        let mut topic =
            NewTopic::new(name, partitions, TopicReplication::Fixed(1)).set("max.message.bytes", "4194304");
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let results = admin().create_topics([&topic], &options()).await.expect("the test Kafka answers");
        for result in results {
            result.expect("the topic is made");
        }
        let topic = Self { name: name.to_owned(), partitions };
        // The answer comes before every client sees the leaders.
        wait_until("the topic's leaders are known", REQUEST, || async { topic.end_offsets_if_known() }).await;
        topic
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number of partitions, as made.
    pub fn partitions(&self) -> i32 {
        self.partitions
    }

    /// Deletes it now, for tests of what happens then.
    pub async fn delete(&self) {
        let results = admin().delete_topics(&[&self.name], &options()).await.expect("the test Kafka answers");
        for result in results {
            result.expect("the topic is deleted");
        }
    }

    /// Gives it more partitions.
    pub async fn grow(&mut self, partitions: i32) {
        let count = usize::try_from(partitions).expect("a positive number");
        let results = admin().create_partitions([&NewPartitions::new(&self.name, count)], &options()).await;
        for result in results.expect("the test Kafka answers") {
            result.expect("the topic grows");
        }
        self.partitions = partitions;
        wait_until("the new partitions are known", REQUEST, || async { self.end_offsets_if_known() }).await;
    }

    /// Deletes the records below this offset of a partition, as retention would.
    pub async fn delete_records_before(&self, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.name, partition, rdkafka::Offset::Offset(offset)).expect("an offset");
        admin().delete_records(&list, &options()).await.expect("the records are deleted");
    }

    /// Produces one record and waits for its acknowledgement.
    pub async fn produce(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> Delivered {
        let record = Outgoing {
            topic: self.name.clone(),
            key: key.map(Bytes::copy_from_slice),
            value: value.map(Bytes::copy_from_slice),
            ..Outgoing::default()
        };
        self.send(record).await
    }

    /// Produces a record as it is given, to this topic.
    pub async fn send(&self, record: Outgoing) -> Delivered {
        let record = Outgoing { topic: self.name.clone(), ..record };
        producer().send(record).await.expect("the test Kafka takes the record")
    }

    /// Produces many records in order, pipelined; the places in the same order.
    pub async fn send_all(&self, records: impl IntoIterator<Item = Outgoing>) -> Vec<Delivered> {
        let producer = producer();
        let mut deliveries = Vec::new();
        for record in records {
            let record = Outgoing { topic: self.name.clone(), ..record };
            deliveries.push(producer.enqueue(record).await.expect("the record is taken"));
        }
        let mut places = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            places.push(delivery.await.expect("the test Kafka takes the record"));
        }
        places
    }

    /// The end offset of each partition.
    pub async fn end_offsets(&self) -> Vec<i64> {
        wait_until("the end offsets are known", REQUEST, || async { self.end_offsets_if_known() }).await
    }

    fn end_offsets_if_known(&self) -> Option<Vec<i64>> {
        end_offsets(&client_config(), &self.name, self.partitions)
    }

    /// Everything the topic holds now, partition by partition; committed records only.
    pub async fn read_all(&self) -> Vec<ConsumedRecord> {
        let ends = self.end_offsets().await;
        let name = self.name.clone();
        tokio::task::spawn_blocking(move || read_until(&client_config(), &name, &ends))
            .await
            .expect("the reader does not panic")
    }
}

/// The end offset of each partition; `None` = not to be had now.
pub(crate) fn end_offsets(config: &rdkafka::ClientConfig, topic: &str, partitions: i32) -> Option<Vec<i64>> {
    let consumer: BaseConsumer = config.create().expect("a consumer can be made");
    let end = |partition| Some(consumer.fetch_watermarks(topic, partition, Duration::from_secs(5)).ok()?.1);
    (0..partitions).map(end).collect()
}

/// Everything up to these end offsets, partition by partition.
pub(crate) fn read_until(config: &rdkafka::ClientConfig, topic: &str, ends: &[i64]) -> Vec<ConsumedRecord> {
    let mut records = Vec::new();
    for (partition, end) in (0..).zip(ends) {
        let consumer: BaseConsumer = config
            .clone()
            .set("group.id", unique("reader"))
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .create()
            .expect("a consumer can be made");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, rdkafka::Offset::Beginning).expect("an offset");
        consumer.assign(&list).expect("an assignment");
        if *end == 0 {
            continue;
        }
        loop {
            match consumer.poll(REQUEST) {
                Some(Ok(message)) => records.push(consumed(&message)),
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) => panic!("reading {topic}: {error}"),
                None => panic!("reading {topic}: nothing came for {REQUEST:?}"),
            }
        }
    }
    records
}

fn consumed(message: &rdkafka::message::BorrowedMessage<'_>) -> ConsumedRecord {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers.iter().map(|h| (h.key.to_owned(), h.value.map(Bytes::copy_from_slice))).collect()
    });
    ConsumedRecord {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        headers,
        timestamp_ms: message.timestamp().to_millis(),
    }
}

/// A producer for the test Kafka; takes records up to 4 MiB, so that what the ingestor refuses can be sent.
pub fn producer() -> Producer {
    Producer::new(&servers::kafka_settings(), "test", ProducerLimits::for_records_of(4 * 1024 * 1024))
        .expect("a producer can be made")
}

fn client_config() -> rdkafka::ClientConfig {
    bus::kafka_client_config(&servers::kafka_settings(), "test").expect("the test Kafka is configured")
}

fn admin() -> AdminClient<DefaultClientContext> {
    client_config().create().expect("an admin client can be made")
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST))
}

/// Once a process: deletes topics of tests that ended long ago, or the broker would slow down with every run.
async fn remove_leftovers() {
    static DONE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    DONE.get_or_init(|| async {
        let admin = admin();
        let Ok(metadata) = admin.inner().fetch_metadata(None, REQUEST) else { return };
        let names: Vec<&str> = metadata
            .topics()
            .iter()
            .map(rdkafka::metadata::MetadataTopic::name)
            .filter(|name| unique::is_leftover(name))
            .collect();
        if !names.is_empty() {
            // Another process may be deleting the same: whatever the answers, they will be gone.
            let _ = admin.delete_topics(&names, &options()).await;
        }
    })
    .await;
}
