//! The side ledger: what was sent, and where Kafka says that it stands.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bus::{Delivered, Producer, ProducerLimits};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use crate::{
    feed::{Feed, Meant},
    kafka,
};

/// One record that was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// What it is.
    pub meant: Meant,
    /// SHA-256 of its value.
    pub digest: [u8; 32],
    /// Where it was acknowledged; `None` = the outcome is not known.
    pub place: Option<Delivered>,
}

/// Everything that was sent, in order.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The records.
    pub sent: Vec<Sent>,
    /// Each aggregate and the last version that was sent of it.
    pub versions: Vec<(String, i64)>,
}

impl Ledger {
    /// How many records were not acknowledged.
    pub fn unknown(&self) -> usize {
        self.sent.iter().filter(|sent| sent.place.is_none()).count()
    }
}

/// A producer at work.
#[derive(Debug)]
pub struct Producing {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Ledger>,
}

const TICK: Duration = Duration::from_millis(50);

/// Sends the feed to this broker, so many records a second, until it is finished.
pub fn produce(bootstrap: &str, feed: Feed, rate: usize) -> Producing {
    let limits = ProducerLimits { delivery_timeout: Duration::from_mins(4), ..ProducerLimits::default() };
    let producer = Producer::new(&kafka::settings(bootstrap), "end-to-end", limits).expect("a producer");
    let stop = Arc::new(AtomicBool::new(false));
    let task = tokio::spawn(run(producer, feed, rate, Arc::clone(&stop)));
    Producing { stop, task }
}

impl Producing {
    /// Sends nothing more, waits for every acknowledgement, and gives the ledger.
    pub async fn finish(self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the producer does not panic")
    }
}

async fn run(producer: Producer, mut feed: Feed, rate: usize, stop: Arc<AtomicBool>) -> Ledger {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let a_tick = (rate * 50 / 1000).max(1);
    let mut waiting = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        for _ in 0..a_tick {
            let planned = feed.next_record();
            let digest = Sha256::digest(planned.record.value.as_deref().unwrap_or_default()).into();
            let delivery = producer.enqueue(planned.record).await.ok();
            waiting.push((planned.meant, digest, delivery));
        }
    }
    let mut ledger = Ledger { sent: Vec::with_capacity(waiting.len()), versions: feed.versions().collect() };
    for (meant, digest, delivery) in waiting {
        let place = match delivery {
            Some(delivery) => delivery.await.ok(),
            None => None,
        };
        ledger.sent.push(Sent { meant, digest, place });
    }
    ledger
}
