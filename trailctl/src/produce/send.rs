//! Sends what was read, in order, with a bounded number of records in flight, and counts what Kafka acknowledged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bus::{Delivery, EventRecord, ProduceError, Producer};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// Where records go: to Kafka, or nowhere in a dry run.
pub enum Sender {
    /// To a topic.
    Kafka(KafkaSender),
    /// Nowhere; they are counted.
    Nowhere(u64),
}

/// The way to one topic.
pub struct KafkaSender {
    producer: Producer,
    topic: String,
    schema_id: u32,
    pace: Pace,
    deliveries: mpsc::UnboundedSender<Delivery>,
    acknowledged: Arc<AtomicU64>,
    failed: oneshot::Receiver<ProduceError>,
    watcher: JoinHandle<()>,
}

impl KafkaSender {
    /// A sender of at most `rate` records a second.
    pub fn new(producer: Producer, topic: String, schema_id: u32, rate: Option<u64>) -> Self {
        // Not bounded by itself: every delivery holds the producer's permits, which are.
        let (deliveries, waiting) = mpsc::unbounded_channel();
        let (first_failure, failed) = oneshot::channel();
        let acknowledged = Arc::new(AtomicU64::new(0));
        let watcher = tokio::spawn(watch(waiting, Arc::clone(&acknowledged), first_failure));
        Self { producer, topic, schema_id, pace: Pace::new(rate), deliveries, acknowledged, failed, watcher }
    }

    async fn send(&mut self, records: Vec<EventRecord>) -> Result<(), ProduceError> {
        for record in records {
            self.pace.wait().await;
            let delivery = self.producer.enqueue(record.into_outgoing(&self.topic, self.schema_id)).await?;
            // Err = the watcher met a failure and has ended; it is reported below.
            let _ = self.deliveries.send(delivery);
        }
        self.failed.try_recv().map_or(Ok(()), Err)
    }

    async fn finish(mut self) -> (u64, Result<(), ProduceError>) {
        drop(self.deliveries);
        // The watcher ends after the last acknowledgement, or the first failure; it cannot panic.
        let _ = self.watcher.await;
        (self.acknowledged.load(Ordering::SeqCst), self.failed.try_recv().map_or(Ok(()), Err))
    }
}

/// Awaits the acknowledgements in order; a failed one is told once, and the others are still counted.
async fn watch(
    mut deliveries: mpsc::UnboundedReceiver<Delivery>,
    acknowledged: Arc<AtomicU64>,
    first_failure: oneshot::Sender<ProduceError>,
) {
    let mut first_failure = Some(first_failure);
    while let Some(delivery) = deliveries.recv().await {
        match delivery.await {
            Ok(_) => {
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => {
                if let Some(tell) = first_failure.take() {
                    // Err = the sender is gone, and nobody is left to tell.
                    let _ = tell.send(error);
                }
            }
        }
    }
}

impl Sender {
    /// Hands records over, in order; waits while too many are in flight.
    pub async fn send(&mut self, records: Vec<EventRecord>) -> Result<(), ProduceError> {
        match self {
            Self::Kafka(sender) => sender.send(records).await,
            Self::Nowhere(count) => {
                *count += records.len() as u64;
                Ok(())
            }
        }
    }

    /// Records acknowledged so far.
    pub fn done(&self) -> u64 {
        match self {
            Self::Kafka(sender) => sender.acknowledged.load(Ordering::Relaxed),
            Self::Nowhere(count) => *count,
        }
    }

    /// Waits for the last acknowledgement; answers how many there were, and the first failure.
    pub async fn finish(self) -> (u64, Result<(), ProduceError>) {
        match self {
            Self::Kafka(sender) => sender.finish().await,
            Self::Nowhere(count) => (count, Ok(())),
        }
    }
}

/// Spreads records over time: the n-th is due n / rate seconds after the first.
#[derive(Debug)]
struct Pace {
    rate: Option<u64>,
    started: Option<Instant>,
    sent: u64,
}

impl Pace {
    fn new(rate: Option<u64>) -> Self {
        Self { rate, started: None, sent: 0 }
    }

    async fn wait(&mut self) {
        let Some(rate) = self.rate else { return };
        let started = *self.started.get_or_insert_with(Instant::now);
        let due = started + due_after(self.sent, rate);
        self.sent += 1;
        // Timers have a grain of a millisecond; what is due within it goes now.
        if due > Instant::now() + Duration::from_millis(1) {
            tokio::time::sleep_until(due.into()).await;
        }
    }
}

fn due_after(sent: u64, rate: u64) -> Duration {
    let nanos = u128::from(sent) * 1_000_000_000 / u128::from(rate);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_due_at_the_rate() {
        assert_eq!(due_after(0, 1000), Duration::ZERO);
        assert_eq!(due_after(1500, 1000), Duration::from_millis(1500));
        assert_eq!(due_after(u64::MAX, 1), Duration::from_nanos(u64::MAX));
    }

    #[tokio::test]
    async fn a_pace_holds_back_and_no_pace_does_not() {
        let started = Instant::now();
        let mut pace = Pace::new(Some(100));
        for _ in 0..11 {
            pace.wait().await;
        }
        assert!(started.elapsed() >= Duration::from_millis(95), "{:?}", started.elapsed());
        let started = Instant::now();
        let mut free = Pace::new(None);
        for _ in 0..100_000 {
            free.wait().await;
        }
        assert!(started.elapsed() < Duration::from_secs(1));
    }
}
