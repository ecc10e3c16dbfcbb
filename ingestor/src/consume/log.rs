//! One partition being read: its records as librdkafka hands them out, and where the reading stands.
//!
//! Each partition has a queue of its own. In librdkafka's common queue the records of a full lane stand before those of a
//! hungry one, and whenever that queue was full the partitions are fetched again from the first: the last ones would wait
//! until all others are read to their ends.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rdkafka::{
    consumer::{BaseConsumer, base_consumer::PartitionQueue},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Message},
};
use store::RawRecord;
use tracing::warn;

use super::{
    claim::{Assignment, Claim},
    context::GroupContext,
    door::Doors,
    reading::{Reading, Run, Step},
    record::digest_of,
};

/// A partition's own queue; nothing of it comes by the common one.
pub type Records = PartitionQueue<GroupContext>;

/// Gives the partition a queue of its own. Before it is assigned, so that no record can be overtaken by a later one, and
/// after the one before is closed: as that one goes it would silence this one.
pub fn split_queue(consumer: &Arc<BaseConsumer<GroupContext>>, claim: &Claim) -> Option<Records> {
    consumer.split_partition_queue(&claim.topic, claim.partition)
}

/// One partition being read under one claim. A lane takes the records; the poll thread closes it.
#[derive(Debug)]
pub struct ReadLog {
    /// Whose records.
    pub assignment: Arc<Assignment>,
    source: Mutex<Option<Source>>,
}

impl ReadLog {
    /// A log whose records go, from `reading` on, to the lane that the assignment has; `first` is accounted for before them.
    pub fn new(
        assignment: Arc<Assignment>,
        mut records: Records,
        reading: Reading,
        first: Option<Run>,
        doors: Doors,
    ) -> Self {
        let rung = Arc::clone(&assignment);
        records.set_nonempty_callback(move || doors[rung.lane()].ring());
        let source = Source { records, reading, skipped: first, position: None, aside: None };
        Self { assignment, source: Mutex::new(Some(source)) }
    }

    /// To take from it; `None` once it is closed. Whoever holds it takes under this claim only: the partition cannot be
    /// assigned anew meanwhile.
    pub fn open(&self) -> MutexGuard<'_, Option<Source>> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is taken from here on. Waits for a lane that is taking.
    pub fn close(&self) {
        self.open().take();
    }
}

/// Where the records of one claim come from.
pub struct Source {
    records: Records,
    reading: Reading,
    /// To be accounted for before anything else.
    skipped: Option<Run>,
    /// librdkafka's position, as last asked for: it tells of markers and aborted records at the end.
    position: Option<i64>,
    /// Taken, and put aside because its schema was not known.
    aside: Option<Box<Aside>>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("reading", &self.reading).finish_non_exhaustive()
    }
}

/// A record that was taken and put aside.
pub struct Aside {
    /// Its offset.
    pub offset: i64,
    /// The record.
    pub record: RawRecord,
    /// Key, value and headers together, as Kafka delivered them.
    pub size: usize,
    /// [`shared::record::record_digest`], where it cannot be computed from the record any more.
    pub digest: Option<[u8; 32]>,
}

/// What comes next of a log.
pub enum Next<'a> {
    /// A record; before it come these offsets, which Kafka will not deliver.
    Record(BorrowedMessage<'a>, Option<Run>),
    /// The record that was put aside.
    Aside(Box<Aside>),
    /// Offsets that no record stands for.
    Skipped(Run),
    /// Nothing that concerns us: look again.
    Passed,
    /// Nothing waits.
    Nothing,
    /// The log in Kafka is not the log in the database, as this offset shows.
    Diverged(i64),
    /// librdkafka's error.
    Failed(KafkaError),
}

impl Source {
    /// Takes what comes next.
    pub fn next(&mut self, assignment: &Assignment) -> Next<'_> {
        if let Some(run) = self.skipped.take() {
            return Next::Skipped(run);
        }
        if let Some(aside) = self.aside.take() {
            return Next::Aside(aside);
        }
        let Self { records, reading, .. } = self;
        let message = match records.poll(Duration::ZERO) {
            Some(Ok(message)) => message,
            Some(Err(error)) if passes_by_itself(&error) => return Next::Passed,
            Some(Err(error)) => return Next::Failed(error),
            None => {
                let reached = self.position.take().and_then(|position| reading.position(position));
                return reached.map_or(Next::Nothing, Next::Skipped);
            }
        };
        match reading.record(message.offset(), || digest_of(&message)) {
            Step::Take { hole, unverified } => {
                if unverified {
                    warn!(log = ?assignment.name, "last_record_not_delivered: it cannot be compared, reading goes on");
                }
                Next::Record(message, hole)
            }
            Step::Verified | Step::Repeated => Next::Passed,
            Step::Diverged => Next::Diverged(message.offset()),
        }
    }

    /// The record is the next one again.
    pub fn put_aside(&mut self, record: Option<Aside>) {
        self.aside = record.map(Box::new);
    }

    /// Another record behind those that were taken; for a claim that has failed, so that it is read again.
    pub fn peek(&self) -> Option<BorrowedMessage<'_>> {
        self.records.poll(Duration::ZERO)?.ok()
    }

    /// Where librdkafka's position stands; true when that may be news. It must have been asked for before: what was
    /// delivered until then has been taken.
    pub fn note_position(&mut self, position: i64) -> bool {
        let is_news = position > self.reading.next();
        if is_news {
            self.position = Some(position);
        }
        is_news
    }

    /// The consumer's position was seen to be reset, so from now on it speaks of this assignment.
    pub fn trust_position(&mut self) {
        self.reading.trust_position();
    }
}

/// Errors of connections pass by themselves and skip nothing.
pub fn passes_by_itself(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;

    matches!(
        error,
        KafkaError::MessageConsumption(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::NetworkException
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::CoordinatorLoadInProgress
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_connections_pass_by_themselves() {
        use RDKafkaErrorCode as Code;

        assert!(passes_by_itself(&KafkaError::MessageConsumption(Code::BrokerTransportFailure)));
        assert!(
            !passes_by_itself(&KafkaError::MessageConsumption(Code::BadMessage)),
            "it may have skipped records"
        );
        assert!(!passes_by_itself(&KafkaError::MessageConsumptionFatal(Code::BrokerTransportFailure)));
    }
}
