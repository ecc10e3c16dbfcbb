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
    claim::Assignment,
    command::{Command, RewindReason},
    context::GroupContext,
    parcel::Item,
    reading::Step,
    record::{RecordCopier, digest_of},
    sender::{Every, LaneSender, Sent},
    starter::StartRequest,
    table::{State, list_of},
};
use crate::settings::Settings;

/// The longest that one poll waits; commands wait as long at most.
const POLL: Duration = Duration::from_millis(50);
/// Records taken in one go before anything else is looked after.
const ROUND: usize = 256;

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
            if self.poll_some()? == 0 && positions.is_due() {
                self.take_trailing();
            }
            self.send_all();
            self.start_taken();
            if second.is_due() {
                self.note_progress();
                self.report();
            }
            if courtesy.is_due() {
                self.tell_kafka();
            }
            self.resume_lanes();
        }
        Ok(())
    }

    /// Takes what waits, up to a bound, so that commands do not wait long; how many records it was.
    fn poll_some(&mut self) -> Result<usize, KafkaError> {
        let consumer = Arc::clone(&self.consumer);
        let mut wait = if self.lanes.iter().any(LaneSender::has_unsent) { Duration::ZERO } else { POLL };
        for taken in 0..ROUND {
            match consumer.poll(wait) {
                Some(Ok(message)) => self.take(&message),
                Some(Err(error)) => self.fail(&error)?,
                None => return Ok(taken),
            }
            wait = Duration::ZERO;
        }
        Ok(ROUND)
    }

    /// Stops fetching and closes the lanes; from here on nothing new is read.
    pub fn close_lanes(&mut self) {
        self.send_all();
        self.lanes.clear();
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
        if self.lanes[assignment.lane].push(assignment, item) {
            self.send(assignment.lane);
        }
    }

    pub(super) fn send(&mut self, lane: usize) {
        if self.lanes[lane].send() == Sent::Full && !self.lanes[lane].is_paused() {
            self.pause(lane);
        }
    }

    fn send_all(&mut self) {
        (0..self.lanes.len()).for_each(|lane| self.send(lane));
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

    fn fail(&mut self, error: &KafkaError) -> Result<(), KafkaError> {
        match error {
            KafkaError::MessageConsumptionFatal(_) => return Err(error.clone()),
            KafkaError::MessageConsumption(code) if is_transport(*code) => return Ok(()),
            _ => {}
        }
        // rdkafka does not say which partition it concerns, and after it a hole proves nothing (semantics.md 4).
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
