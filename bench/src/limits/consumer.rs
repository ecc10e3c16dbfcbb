//! How fast one consumer takes a topic and drops it: what Kafka alone allows.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use test_support::unique;

use crate::preload::{Topic, client_config};

const PATIENCE: Duration = Duration::from_secs(30);

/// Records a second, counted from the first record.
pub(crate) async fn records_per_second(topic: &Topic) -> Result<f64> {
    let topic = topic.clone();
    tokio::task::spawn_blocking(move || read_to_end(&topic)).await?
}

#[expect(clippy::cast_precision_loss, reason = "no count here has more than 53 bits")]
fn read_to_end(topic: &Topic) -> Result<f64> {
    let consumer: BaseConsumer = client_config()?
        .set("group.id", unique("nothing"))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..i32::try_from(topic.ends.len())? {
        assignment.add_partition_offset(&topic.name, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let next = || {
        consumer
            .poll(PATIENCE)
            .with_context(|| format!("nothing came from {}", topic.name))?
            .context("reading")
    };
    next()?;
    let started = Instant::now();
    for _ in 1..topic.records() {
        next()?;
    }
    Ok(topic.records() as f64 / started.elapsed().as_secs_f64())
}
