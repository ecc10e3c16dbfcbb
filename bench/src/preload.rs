//! The kept topics: each workload is produced once to the real broker and found there by every later run.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bus::{Outgoing, Producer, ProducerLimits};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use shared::avro::frame;
use test_support::{TestRegistry, kafka_settings};

use crate::workload::Workload;

/// Partitions of every kept topic.
pub(crate) const PARTITIONS: i32 = 12;

const ANSWER: Duration = Duration::from_secs(30);

/// A topic that holds a whole workload, and nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    /// Its name.
    pub(crate) name: String,
    /// The end offset of each partition.
    pub(crate) ends: Vec<i64>,
}

impl Topic {
    /// All records.
    pub(crate) fn records(&self) -> u64 {
        self.ends.iter().map(|end| end.unsigned_abs()).sum()
    }
}

/// The topic of a workload: found complete, or produced now.
pub(crate) async fn preloaded(workload: &Workload) -> Result<Topic> {
    let name = workload.topic();
    let schema_id = TestRegistry::connect().await.canonical_id();
    if let Some(ends) = end_offsets(&name)? {
        let topic = Topic { name: name.clone(), ends };
        if topic.records() == workload.events {
            return Ok(topic);
        }
        delete(&name).await?;
    }
    delete_outdated().await?;
    create(&name).await?;
    produce(workload, &name, schema_id).await?;
    let ends = end_offsets(&name)?.context("the topic that was just produced is gone")?;
    let topic = Topic { name, ends };
    ensure!(
        topic.records() == workload.events,
        "{} holds {} records, not {}",
        topic.name,
        topic.records(),
        workload.events
    );
    Ok(topic)
}

async fn produce(workload: &Workload, name: &str, schema_id: u32) -> Result<()> {
    let producer = Producer::new(&kafka_settings(), "bench", ProducerLimits::default())?;
    let mut last = None;
    for number in 0..workload.events {
        if number % 1_000_000 == 0 {
            eprintln!("producing {name}: {number} of {}", workload.events);
        }
        let record = workload.record(number);
        let outgoing = Outgoing {
            topic: name.to_owned(),
            key: Some(record.key),
            value: Some(frame(schema_id, &record.value).into()),
            ..Outgoing::default()
        };
        // Not awaited one by one: the offsets are counted in the end, and the producer neither loses nor repeats.
        last = Some(producer.enqueue(outgoing).await?);
    }
    if let Some(delivery) = last {
        delivery.await?;
    }
    producer.flush(Duration::from_mins(2)).await?;
    Ok(())
}

/// Kept for ever: the broker's own retention would empty it between two runs. In LZ4, as the peer's own measurements have
/// it, whatever the producer sends: that is the broker's work, before anything is measured.
async fn create(name: &str) -> Result<()> {
    let topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1))
        .set("retention.ms", "-1")
        .set("compression.type", "lz4")
        .set("max.message.bytes", "4194304");
    for made in admin()?.create_topics([&topic], &options()).await? {
        made.map_err(|(topic, code)| anyhow::anyhow!("making {topic}: {code}"))?;
    }
    until("its leaders are known", || Ok(end_offsets(name)?.is_some())).await
}

/// Deletes a topic and waits until it is gone.
pub(crate) async fn delete(name: &str) -> Result<()> {
    for deleted in admin()?.delete_topics(&[name], &options()).await? {
        deleted.map_err(|(topic, code)| anyhow::anyhow!("deleting {topic}: {code}"))?;
    }
    until("it is gone", || Ok(end_offsets(name)?.is_none())).await
}

/// Topics of older generators only take room.
async fn delete_outdated() -> Result<()> {
    let names: Vec<String> = {
        let consumer: BaseConsumer = client_config()?.create()?;
        let metadata = consumer.fetch_metadata(None, ANSWER).context("asking Kafka for its topics")?;
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
    };
    for name in names.iter().filter(|name| Workload::is_outdated(name)) {
        delete(name).await?;
    }
    Ok(())
}

/// The end offsets of a topic; `None` when there is no such topic.
fn end_offsets(name: &str) -> Result<Option<Vec<i64>>> {
    let consumer: BaseConsumer = client_config()?.create()?;
    let metadata = consumer.fetch_metadata(None, ANSWER).context("asking Kafka for its topics")?;
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else { return Ok(None) };
    let partitions = i32::try_from(topic.partitions().len())?;
    let ends =
        (0..partitions).map(|partition| Some(consumer.fetch_watermarks(name, partition, ANSWER).ok()?.1));
    Ok(ends.collect())
}

async fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    for _ in 0..200 {
        if holds()? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("waited 20 s for a topic in vain until {what}")
}

/// How this benchmark's own clients reach Kafka.
pub(crate) fn client_config() -> Result<rdkafka::ClientConfig> {
    Ok(bus::kafka_client_config(&kafka_settings(), "bench")?)
}

fn admin() -> Result<AdminClient<DefaultClientContext>> {
    Ok(client_config()?.create()?)
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER))
}
