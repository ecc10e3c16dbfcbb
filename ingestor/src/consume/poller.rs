//! The poll thread: the only one that assigns and unassigns, and that serves the group. Records it does not touch.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Receiver,
    },
    time::{Duration, Instant},
};

use rdkafka::{
    Message, Offset,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

use super::{
    bell::Bell,
    claim::Claim,
    command::{Command, RewindReason},
    context::GroupContext,
    door::Doors,
    log::passes_by_itself,
    starter::StartRequest,
    table::list_of,
};
use crate::settings::Settings;

/// The longest between two looks at the group's events.
const POLL: Duration = Duration::from_millis(50);

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
    pub doors: Doors,
    /// Shows that the loop is alive.
    pub pulse: Arc<Pulse>,
    /// Rings when there is a command.
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
            self.serve_group()?;
            self.obey_commands()?;
            self.start_taken();
            if positions.is_due() {
                self.pass_on_positions();
            }
            if second.is_due() {
                self.note_progress();
                self.report();
            }
            if courtesy.is_due() {
                self.tell_kafka();
            }
            self.bell.wait(POLL);
        }
        Ok(())
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

    /// Stops fetching and closes the lanes; from here on nothing new is read.
    pub fn close_lanes(&mut self) {
        let table = self.consumer.context().table();
        let fetched = list_of(table.iter().filter(|owned| owned.log().is_some()).map(|owned| &owned.claim));
        table.iter().filter_map(|owned| owned.log()).for_each(|log| log.close());
        drop(table);
        self.doors.iter().for_each(|door| door.close());
        self.unassign(&fetched);
    }

    /// Keeps the member alive while the lanes finish.
    pub fn idle(&self) {
        self.pulse.beat();
        if let Some(Err(error)) = self.consumer.poll(POLL) {
            info!(%error, "consumer_error_while_stopping");
        }
    }

    /// Markers and aborted records at the end of a log show only in the consumer's position.
    fn pass_on_positions(&self) {
        let Ok(positions) = self.consumer.position() else { return };
        let mut table = self.consumer.context().table();
        for element in positions.elements() {
            let Offset::Offset(position) = element.offset() else { continue };
            let owned = table.get_mut(element.topic(), element.partition());
            let Some(log) = owned.and_then(|owned| owned.log()) else { continue };
            if log.open().as_mut().is_some_and(|source| source.note_position(position)) {
                self.doors[log.assignment.lane()].ring();
            }
        }
    }

    pub(super) fn fail(&mut self, error: &KafkaError, claim: Option<&Arc<Claim>>) -> Result<(), KafkaError> {
        match error {
            KafkaError::MessageConsumptionFatal(_) => return Err(error.clone()),
            _ if passes_by_itself(error) => return Ok(()),
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
        let claims: Vec<_> =
            context.table().iter().filter(|it| it.log().is_some()).map(|it| Arc::clone(&it.claim)).collect();
        self.rewind(&claims, RewindReason::Consumer);
        Ok(())
    }
}

/// A moment that comes round.
#[derive(Debug)]
struct Every {
    period: Duration,
    last: Instant,
}

impl Every {
    /// The first one is a period from now.
    fn new(period: Duration) -> Self {
        Self { period, last: Instant::now() }
    }

    /// Whether a period has passed since this was last true.
    fn is_due(&mut self) -> bool {
        let due = self.last.elapsed() >= self.period;
        if due {
            self.last = Instant::now();
        }
        due
    }
}
