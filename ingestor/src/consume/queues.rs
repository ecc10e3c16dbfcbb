//! A queue for each partition. In librdkafka's common queue the records of a full lane stand before those of a hungry one,
//! and whenever that queue was full the partitions are fetched again from the first: the last ones would wait until all
//! others are read to their ends.

use std::{collections::VecDeque, sync::Arc};

use rdkafka::consumer::{BaseConsumer, base_consumer::PartitionQueue};

use super::{bell::Bell, claim::Claim, context::GroupContext};

/// Where the records of one claim come from.
pub struct LogQueue {
    /// Whose.
    pub claim: Arc<Claim>,
    /// Its records and errors; nothing of other partitions.
    pub records: PartitionQueue<GroupContext>,
}

/// The queues in the order in which they are looked at: who was looked at goes to the end.
pub struct Queues {
    waiting: VecDeque<LogQueue>,
    bell: Arc<Bell>,
}

impl Queues {
    /// None yet; they ring when they are no longer empty.
    pub fn new(bell: Arc<Bell>) -> Self {
        Self { waiting: VecDeque::new(), bell }
    }

    /// Gives the partition a queue of its own. Before it is assigned: nothing of it ever comes by the common queue, so
    /// that no record can be overtaken by a later one.
    pub fn open(&mut self, consumer: &Arc<BaseConsumer<GroupContext>>, claim: &Arc<Claim>) -> bool {
        // The one before first: as it goes it would silence this one.
        self.waiting
            .retain(|other| (&other.claim.topic, other.claim.partition) != (&claim.topic, claim.partition));
        let Some(mut records) = consumer.split_partition_queue(&claim.topic, claim.partition) else {
            return false;
        };
        let bell = Arc::clone(&self.bell);
        records.set_nonempty_callback(move || bell.ring());
        self.waiting.push_back(LogQueue { claim: Arc::clone(claim), records });
        true
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.waiting.len()
    }

    /// The next one; without [`Self::put_back`] it is gone.
    pub fn take_first(&mut self) -> Option<LogQueue> {
        self.waiting.pop_front()
    }

    /// To be looked at again, after all others.
    pub fn put_back(&mut self, queue: LogQueue) {
        self.waiting.push_back(queue);
    }

    /// Lets all of them go.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }
}
