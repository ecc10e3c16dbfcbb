//! The poll thread: the only one that polls, assigns and unassigns.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Receiver,
    },
    time::Duration,
};

use rdkafka::{
    Message, Offset,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::BorrowedMessage,
};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

use super::{
    bell::Bell,
    claim::{Assignment, Claim},
    command::{Command, RewindReason},
    context::GroupContext,
    parcel::Item,
    queues::{LogQueue, Queues},
    reading::Step,
    record::{RecordCopier, digest_of},
    sender::{Every, LANE_BYTES, LaneSender, PARCEL_COUNT},
    starter::StartRequest,
    table::{State, list_of},
};
use crate::{metrics, settings::Settings};

/// The longest that one poll waits; commands wait as long at most.
const POLL: Duration = Duration::from_millis(50);
/// How many bytes a lane has more than another when logs move.
const MUCH_MORE: usize = LANE_BYTES / 8;

/// What the poll thread tells others about itself.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: AtomicU64,
}

impl Pulse {
    /// Grows as long as the poll thread is going round.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the poll loop works with.
pub struct Poller {
    /// What to go by.
    pub settings: Arc<Settings>,
    /// The member of the group.
    pub consumer: Arc<BaseConsumer<GroupContext>>,
    /// From lanes and starter.
    pub commands: Receiver<Command>,
    /// To the starter.
    pub starter: UnboundedSender<StartRequest>,
    /// Into the lanes.
    pub lanes: Vec<LaneSender>,
    /// Shows that the loop is alive.
    pub pulse: Arc<Pulse>,
    /// Copies messages.
    pub copier: RecordCopier,
    /// From Kafka.
    pub queues: Queues,
    /// Rings when there is something to do.
    pub bell: Arc<Bell>,
}

impl Poller {
    /// Asks the group for partitions of the configured topics and patterns.
    pub fn subscribe(&self) -> Result<(), KafkaError> {
        let topics: Vec<&str> = self.settings.subscription.iter().map(String::as_str).collect();
        self.consumer.subscribe(&topics)
    }

    /// Polls until `stop` says so, then lets the lanes go; an error is librdkafka's fatal one: the member is dead.
    pub fn run(&mut self, stop: impl Fn() -> bool) -> Result<(), KafkaError> {
        let mut positions = Every::new(Duration::from_millis(250));
        let mut second = Every::new(Duration::from_secs(1));
        let mut courtesy = Every::new(Duration::from_secs(5));
        while !stop() {
            self.pulse.beat();
            self.obey_commands();
            let taken = self.poll_some()?;
            if taken == 0 && positions.is_due() {
                self.take_trailing();
            }
            self.send_all();
            self.start_taken();
            if taken == 0 {
                self.bell.wait(POLL);
            }
            if second.is_due() {
                self.note_progress();
                self.report();
            }
            if courtesy.is_due() {
                self.tell_kafka();
            }
        }
        Ok(())
    }

    /// Takes what waits, up to a bound, so that commands do not wait long; how many records it was.
    fn poll_some(&mut self) -> Result<usize, KafkaError> {
        self.serve_group()?;
        let mut taken = 0;
        for _ in 0..self.queues.count() {
            let Some(queue) = self.queues.take_first() else { break };
            let Some(lane) = self.lane_of(&queue.claim) else { continue };
            taken += self.drain(&queue, lane)?;
            self.queues.put_back(queue);
        }
        Ok(taken)
    }

    /// Rebalances, statistics and errors of the whole client; records come by the partitions' own queues only.
    fn serve_group(&mut self) -> Result<(), KafkaError> {
        let consumer = Arc::clone(&self.consumer);
        while let Some(event) = consumer.poll(Duration::ZERO) {
            match event {
                Ok(message) => self.start_anew(message.topic(), message.partition()),
                Err(error) => self.fail(&error, None)?,
            }
        }
        Ok(())
    }

    /// A record that did not come by its partition's queue has no place among those that did.
    fn start_anew(&mut self, topic: &str, partition: i32) {
        warn!(topic, partition, "record_beside_its_queue: the partition starts anew at its stored position");
        let claim =
            self.consumer.context().table().get_mut(topic, partition).map(|owned| Arc::clone(&owned.claim));
        if let Some(claim) = claim {
            self.rewind(&[claim], RewindReason::Consumer);
        }
    }

    /// The lane of a claim that is being read. A log of which nothing is on its way leaves a lane that has much more than
    /// another: with lanes that logs keep, one runs dry while another has too much. Otherwise it stays, since each log in a
    /// batch costs rows of its own, and batches of half the logs cost half of them.
    fn lane_of(&self, claim: &Arc<Claim>) -> Option<usize> {
        let mut table = self.consumer.context().table();
        let State::Reading { assignment, paused: false, .. } = &table.holding(claim)?.state else {
            return None;
        };
        let emptiest = self.emptiest_lane();
        if assignment.is_idle()
            && self.lanes[assignment.lane()].held() > self.lanes[emptiest].held() + MUCH_MORE
        {
            assignment.move_to(emptiest);
        }
        Some(assignment.lane())
    }

    /// Takes a parcel's worth at most, as long as the lane has room: what it cannot take stays with librdkafka, which then
    /// fetches no more of this partition.
    fn drain(&mut self, queue: &LogQueue, lane: usize) -> Result<usize, KafkaError> {
        for taken in 0..PARCEL_COUNT {
            if !self.lanes[lane].has_room() {
                metrics::lane_full();
                return Ok(taken);
            }
            match queue.records.poll(Duration::ZERO) {
                Some(Ok(message)) => self.take(&message),
                Some(Err(error)) => self.fail(&error, Some(&queue.claim))?,
                None => return Ok(taken),
            }
        }
        Ok(PARCEL_COUNT)
    }

    /// Stops fetching and closes the lanes; from here on nothing new is read.
    pub fn close_lanes(&mut self) {
        self.send_all();
        self.lanes.clear();
        self.queues.clear();
        let mut table = self.consumer.context().table();
        let fetched = list_of(table.iter().filter(|owned| owned.is_fetched()).map(|owned| &owned.claim));
        for owned in table.iter_mut() {
            if let State::Reading { paused, .. } = &mut owned.state {
                *paused = true;
            }
        }
        drop(table);
        self.unassign(&fetched);
    }

    /// Keeps the member alive while the lanes finish.
    pub fn idle(&self) {
        self.pulse.beat();
        if let Some(Err(error)) = self.consumer.poll(POLL) {
            info!(%error, "consumer_error_while_stopping");
        }
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let context = Arc::clone(self.consumer.context());
        let mut table = context.table();
        let Some(owned) = table.get_mut(message.topic(), message.partition()) else { return };
        let State::Reading { assignment, reading, .. } = &mut owned.state else { return };
        let step = reading.record(message.offset(), || digest_of(message));
        let assignment = Arc::clone(assignment);
        drop(table);
        match step {
            Step::Take { hole, unverified } => {
                if unverified {
                    warn!(log = ?assignment.name, "last_record_not_delivered: it cannot be compared, reading goes on");
                }
                if let Some(run) = hole {
                    self.push(&assignment, Item::Skipped(run));
                }
                let item = self.copier.copy(message);
                self.push(&assignment, item);
            }
            Step::Verified | Step::Repeated => {}
            Step::Diverged => self.stop_diverged(&assignment, message.offset()),
        }
    }

    pub(super) fn push(&mut self, assignment: &Arc<Assignment>, item: Item) {
        self.lanes[assignment.lane()].push(assignment, item);
    }

    /// The lane that holds least.
    fn emptiest_lane(&self) -> usize {
        (0..self.lanes.len()).min_by_key(|lane| self.lanes[*lane].held()).unwrap_or(0)
    }

    fn send_all(&mut self) {
        self.lanes.iter_mut().for_each(LaneSender::send);
    }

    /// After an empty poll: markers and aborted records at the end of a log show only in the consumer's position.
    fn take_trailing(&mut self) {
        let Ok(positions) = self.consumer.position() else { return };
        let context = Arc::clone(self.consumer.context());
        let mut runs = Vec::new();
        for element in positions.elements() {
            let Offset::Offset(position) = element.offset() else { continue };
            let mut table = context.table();
            let Some(owned) = table.get_mut(element.topic(), element.partition()) else { continue };
            let State::Reading { assignment, reading, .. } = &mut owned.state else { continue };
            if let Some(run) = reading.position(position) {
                runs.push((Arc::clone(assignment), run));
            }
        }
        for (assignment, run) in runs {
            self.push(&assignment, Item::Skipped(run));
        }
    }

    fn fail(&mut self, error: &KafkaError, claim: Option<&Arc<Claim>>) -> Result<(), KafkaError> {
        match error {
            KafkaError::MessageConsumptionFatal(_) => return Err(error.clone()),
            KafkaError::MessageConsumption(code) if is_transport(*code) => return Ok(()),
            _ => {}
        }
        // After an error a hole proves nothing (semantics.md 4).
        if let Some(claim) = claim {
            warn!(%error, topic = &*claim.topic, partition = claim.partition, "consumer_error: the partition starts anew");
            self.rewind(&[Arc::clone(claim)], RewindReason::Consumer);
            return Ok(());
        }
        // rdkafka does not say which partition it concerns.
        warn!(%error, "consumer_error: all partitions start anew at their stored positions");
        let context = Arc::clone(self.consumer.context());
        let reading = |state: &State| matches!(state, State::Reading { .. });
        let claims: Vec<_> =
            context.table().iter().filter(|it| reading(&it.state)).map(|it| Arc::clone(&it.claim)).collect();
        self.rewind(&claims, RewindReason::Consumer);
        Ok(())
    }
}

/// Errors of connections pass by themselves and skip nothing.
fn is_transport(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;

    matches!(
        code,
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
}
