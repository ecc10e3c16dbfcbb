//! What the poll thread tells of its progress: to Kafka, to the back-off, to the metrics.

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer},
};
use tracing::info;

use super::{poller::Poller, table::State};
use crate::metrics;

impl Poller {
    /// Tells Kafka the positions, for tools that show lag; the account does not need it.
    pub fn tell_kafka(&self) {
        let mut list = TopicPartitionList::new();
        for owned in self.consumer.context().table().iter_mut() {
            if let Some(stored) = owned.assignment().map(|it| it.stored_next()) {
                owned.note_stored(stored);
                if owned.stored_next > owned.told {
                    owned.told = owned.stored_next;
                    let offset = Offset::Offset(owned.stored_next);
                    // Refused only for offsets that are not plain numbers.
                    let _ = list.add_partition_offset(&owned.claim.topic, owned.claim.partition, offset);
                }
            }
        }
        if list.count() > 0
            && let Err(error) = self.consumer.commit(&list, CommitMode::Async)
        {
            info!(%error, "courtesy_commit_failed");
        }
    }

    /// A position that moved ends the back-off.
    pub(super) fn note_progress(&self) {
        for owned in self.consumer.context().table().iter_mut() {
            if let Some(stored) = owned.assignment().map(|it| it.stored_next()) {
                owned.note_stored(stored);
            }
        }
    }

    pub(super) fn report(&self) {
        let table = self.consumer.context().table();
        let lag = table.iter().filter_map(|owned| Some((owned.end? - owned.stored_next).max(0))).sum();
        let stopped =
            |reason| table.iter().filter(|it| matches!(it.state, State::Stopped(r) if r == reason)).count();
        metrics::partitions(table.iter().count(), stopped);
        // A batch that the database did not take in time is dropped and read again; its records wait all the same.
        let rewound = table.iter().filter_map(|owned| owned.waits_since).map(|since| since.elapsed());
        let oldest = self.doors.iter().map(|door| door.oldest_age()).chain(rewound).max().unwrap_or_default();
        metrics::lag(lag, oldest);
    }
}
