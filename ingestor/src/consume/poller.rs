//! The poll thread: the only one that polls, assigns and unassigns.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Receiver,
    },
    time::{Duration, Instant},
};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::BorrowedMessage,
};
use store::Log;
use tokio::sync::mpsc::UnboundedSender;
use tracing::{debug, error, info, warn};

use super::{
    claim::{Assignment, Claim},
    command::{Command, RewindReason},
    context::GroupContext,
    parcel::Item,
    plan::{Beginning, StopReason},
    reading::{Reading, Step},
    record::{RecordCopier, digest_of},
    sender::{Every, LaneSender, Sent},
    starter::StartRequest,
    table::{State, after, back_off, list_of},
};
use crate::{metrics, settings::Settings};

/// The longest that one poll waits; commands wait as long at most.
const POLL: Duration = Duration::from_millis(50);
/// How long a position left over from an earlier assignment is waited for to go.
const RESET_WAIT: Duration = Duration::from_millis(200);

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
            let consumer = Arc::clone(&self.consumer);
            let wait = if self.lanes.iter().any(LaneSender::has_unsent) { Duration::ZERO } else { POLL };
            match consumer.poll(wait) {
                Some(Ok(message)) => self.take(&message),
                Some(Err(error)) => self.fail(&error)?,
                None => {
                    if positions.is_due() {
                        self.take_trailing();
                    }
                    self.send_all();
                }
            }
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

    /// Tells Kafka the positions, for tools that show lag; the account does not need it.
    pub fn tell_kafka(&self) {
        let mut list = TopicPartitionList::new();
        for owned in self.consumer.context().table().iter_mut() {
            if let State::Reading { assignment, .. } = &owned.state {
                owned.stored_next = assignment.stored_next();
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

    fn push(&mut self, assignment: &Arc<Assignment>, item: Item) {
        if self.lanes[assignment.lane].push(assignment, item) {
            self.send(assignment.lane);
        }
    }

    fn send(&mut self, lane: usize) {
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

    fn start_taken(&mut self) {
        for claim in self.consumer.context().newly_taken() {
            self.request(StartRequest::new(claim, Instant::now()));
        }
    }

    fn request(&self, request: StartRequest) {
        // The starter ends only with the process.
        let _ = self.starter.send(request);
    }

    fn obey_commands(&mut self) {
        let mut begun = Vec::new();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Begin { claim, log, beginning } => begun.push((claim, log, beginning)),
                Command::Stop { claim, reason } => {
                    if let Some(owned) = self.consumer.context().table().holding(&claim) {
                        owned.state = State::Stopped(reason);
                    }
                }
                Command::Rewind { claims, reason } => self.rewind(&claims, reason),
            }
        }
        if !begun.is_empty() {
            self.begin(begun);
        }
    }

    fn begin(&mut self, begun: Vec<(Arc<Claim>, Box<Log>, Beginning)>) {
        let mut runs = Vec::new();
        let mut claims = Vec::new();
        for (claim, log, beginning) in begun {
            if let Some(assignment) = self.note_beginning(&claim, &log, &beginning) {
                runs.extend(beginning.skipped.map(|run| (assignment, run)));
                claims.push(claim);
            }
        }
        self.assign(&claims);
        for (assignment, run) in runs {
            error_on_gap(&assignment, run);
            self.push(&assignment, Item::Skipped(run));
        }
    }

    fn note_beginning(
        &self,
        claim: &Arc<Claim>,
        log: &Log,
        beginning: &Beginning,
    ) -> Option<Arc<Assignment>> {
        let settings = &self.settings;
        let context = Arc::clone(self.consumer.context());
        let mut table = context.table();
        let quietest = table.quietest_lane(settings.lanes);
        let owned = table.holding(claim)?;
        let lane = *owned.lane.get_or_insert(quietest);
        let organization = settings.organizations.get(&*claim.topic).cloned().unwrap_or_default();
        let replay_topic = settings.replay_topics.contains(&*claim.topic);
        let assignment = Arc::new(Assignment::new(
            Arc::clone(claim),
            log.log_id,
            log.name.clone(),
            organization,
            replay_topic,
            lane,
            log.next_offset,
        ));
        owned.stored_next = log.next_offset;
        owned.state = State::Reading {
            assignment: Arc::clone(&assignment),
            reading: Reading::from(beginning.next, beginning.verify),
            paused: true,
        };
        Some(assignment)
    }

    /// Fetches these partitions from where their readings stand, but for those whose lane is full.
    fn assign(&mut self, claims: &[Arc<Claim>]) {
        let context = Arc::clone(self.consumer.context());
        let mut list = TopicPartitionList::new();
        for claim in claims {
            let mut table = context.table();
            let Some(owned) = table.holding(claim) else { continue };
            let State::Reading { assignment, reading, paused } = &mut owned.state else { continue };
            if !*paused || self.lanes[assignment.lane].is_paused() {
                continue;
            }
            reading.distrust_position();
            *paused = false;
            // Refused only for offsets that are not plain numbers.
            let _ = list.add_partition_offset(
                &claim.topic,
                claim.partition,
                Offset::Offset(reading.fetch_from()),
            );
        }
        if list.count() == 0 {
            return;
        }
        if let Err(error) = self.consumer.incremental_assign(&list) {
            warn!(%error, "assign_failed");
            self.unassign(&list);
            self.rewind(claims, RewindReason::Consumer);
            return;
        }
        self.trust_positions(&list);
    }

    /// Until librdkafka has stopped an earlier fetch of a partition, its position is the old one; only this thread's
    /// polls move it, so once it reads as unset it belongs to the new assignment.
    fn trust_positions(&self, list: &TopicPartitionList) {
        let context = self.consumer.context();
        let deadline = Instant::now() + RESET_WAIT;
        loop {
            let Ok(positions) = self.consumer.position() else { return };
            let mut left_over = false;
            for element in list.elements() {
                let found = positions.find_partition(element.topic(), element.partition());
                if found.is_some_and(|it| it.offset() != Offset::Invalid) {
                    left_over = true;
                    continue;
                }
                let mut table = context.table();
                let Some(owned) = table.get_mut(element.topic(), element.partition()) else { continue };
                if let State::Reading { reading, .. } = &mut owned.state {
                    reading.trust_position();
                }
            }
            if !left_over || Instant::now() >= deadline {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops fetching these. librdkafka refuses a list as a whole when one of it is not assigned; then each goes alone.
    fn unassign(&self, list: &TopicPartitionList) {
        if list.count() == 0 || self.consumer.incremental_unassign(list).is_ok() {
            return;
        }
        for element in list.elements() {
            let mut one = TopicPartitionList::new();
            one.add_partition(element.topic(), element.partition());
            if let Err(error) = self.consumer.incremental_unassign(&one) {
                debug!(%error, topic = element.topic(), partition = element.partition(), "unassign_failed");
            }
        }
    }

    /// The one mechanism for whatever failed: what was read is void, the partition starts where the database says.
    fn rewind(&mut self, claims: &[Arc<Claim>], reason: RewindReason) {
        self.note_progress();
        let context = Arc::clone(self.consumer.context());
        let mut fetched = Vec::new();
        for claim in claims {
            let mut table = context.table();
            let Some(owned) = table.holding(claim) else { continue };
            if owned.is_fetched() {
                fetched.push(Arc::clone(claim));
            }
            let wait = back_off(owned.rewinds.max(u32::from(reason.needs_pause())));
            owned.rewinds += 1;
            let Some(renewed) = table.renew(&claim.topic, claim.partition) else { continue };
            metrics::rewound(reason);
            info!(
                topic = &*claim.topic,
                partition = claim.partition,
                reason = reason.as_str(),
                wait_ms = wait.as_millis(),
                "partition_rewound"
            );
            self.request(StartRequest::new(renewed, after(wait)));
        }
        self.unassign(&list_of(&fetched));
    }

    fn stop_diverged(&mut self, assignment: &Arc<Assignment>, offset: i64) {
        let claim = &assignment.claim;
        let name = &assignment.name;
        error!(log = ?name, offset, reason = StopReason::LogDiverged.as_str(),
            remedy = "trailctl ledger new-incarnation", "partition_stopped");
        self.unassign(&list_of([claim]));
        let mut table = self.consumer.context().table();
        let Some(renewed) = table.renew(&claim.topic, claim.partition) else { return };
        if let Some(owned) = table.holding(&renewed) {
            owned.state = State::Stopped(StopReason::LogDiverged);
        }
        drop(table);
        self.request(StartRequest::diverged(renewed, name.incarnation));
    }

    fn pause(&mut self, lane: usize) {
        self.lanes[lane].pause();
        let mut fetched = Vec::new();
        for owned in self.consumer.context().table().iter_mut() {
            if let State::Reading { assignment, paused, .. } = &mut owned.state
                && assignment.lane == lane
                && !*paused
            {
                *paused = true;
                fetched.push(Arc::clone(&owned.claim));
            }
        }
        metrics::lane_paused();
        self.unassign(&list_of(&fetched));
    }

    fn resume_lanes(&mut self) {
        for lane in 0..self.lanes.len() {
            if !self.lanes[lane].is_paused() {
                continue;
            }
            self.send(lane);
            if self.lanes[lane].resumes() {
                let here = |state: &State| matches!(state, State::Reading { assignment, .. } if assignment.lane == lane);
                let context = Arc::clone(self.consumer.context());
                let claims: Vec<_> = context
                    .table()
                    .iter()
                    .filter(|it| here(&it.state))
                    .map(|it| Arc::clone(&it.claim))
                    .collect();
                self.assign(&claims);
            }
        }
    }

    /// A position that moved ends the back-off.
    fn note_progress(&self) {
        for owned in self.consumer.context().table().iter_mut() {
            if let State::Reading { assignment, .. } = &owned.state {
                let stored = assignment.stored_next();
                if stored > owned.stored_next {
                    owned.rewinds = 0;
                    owned.stored_next = stored;
                }
            }
        }
    }

    fn report(&self) {
        let table = self.consumer.context().table();
        let lag = table.iter().filter_map(|owned| Some((owned.end? - owned.stored_next).max(0))).sum();
        let stopped =
            |reason| table.iter().filter(|it| matches!(it.state, State::Stopped(r) if r == reason)).count();
        metrics::partitions(table.iter().count(), stopped);
        let oldest = self.lanes.iter().map(LaneSender::oldest_age).max().unwrap_or_default();
        metrics::lag(lag, oldest);
    }
}

fn error_on_gap(assignment: &Assignment, run: super::parcel::Run) {
    if run.kind == shared::account::DispositionKind::Gap {
        error!(log = ?assignment.name, from = run.from, next = run.next,
            "gap: records are gone from Kafka that were never read");
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
