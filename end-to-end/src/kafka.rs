//! A topic as it is: every record, from the first to the end, by a reader of our own.

use std::time::Duration;

use bytes::Bytes;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};
use service::config::KafkaSettings;

/// A record and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its value.
    pub value: Option<Bytes>,
}

const PATIENCE: Duration = Duration::from_secs(30);

/// The settings that lead to this broker.
pub fn settings(bootstrap: &str) -> KafkaSettings {
    KafkaSettings { bootstrap_servers: Some(bootstrap.to_owned()), ..KafkaSettings::default() }
}

/// Everything that a topic holds, partition by partition in offset order, and where each partition ends.
pub async fn read_topic(bootstrap: &str, topic: &str) -> (Vec<Record>, Vec<i64>) {
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    let reading = tokio::task::spawn_blocking(move || read(&bootstrap, &topic));
    reading.await.expect("the reader does not panic")
}

fn read(bootstrap: &str, topic: &str) -> (Vec<Record>, Vec<i64>) {
    let (mut records, mut ends) = (Vec::new(), Vec::new());
    let consumer = consumer(bootstrap);
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("Kafka answers");
    let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    for partition in 0..i32::try_from(partitions).expect("few partitions") {
        let (first, end) = consumer.fetch_watermarks(topic, partition, PATIENCE).expect("Kafka answers");
        ends.push(end);
        if first < end {
            read_partition(bootstrap, topic, partition, &mut records);
        }
    }
    (records, ends)
}

fn read_partition(bootstrap: &str, topic: &str, partition: i32, into: &mut Vec<Record>) {
    let consumer = consumer(bootstrap);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
    consumer.assign(&list).expect("an assignment");
    loop {
        match consumer.poll(PATIENCE) {
            Some(Ok(message)) => into.push(Record {
                partition,
                offset: message.offset(),
                value: message.payload().map(Bytes::copy_from_slice),
            }),
            Some(Err(KafkaError::PartitionEOF(_))) => return,
            Some(Err(error)) => panic!("reading {topic}/{partition}: {error}"),
            None => panic!("reading {topic}/{partition}: nothing came for {PATIENCE:?}"),
        }
    }
}

fn consumer(bootstrap: &str) -> BaseConsumer {
    bus::kafka_client_config(&settings(bootstrap), "oracle")
        .expect("the broker is configured")
        .set("group.id", "end-to-end-oracle")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .expect("a consumer can be made")
}
