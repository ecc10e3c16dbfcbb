//! The poll thread's hand on the assignment: partitions begin, start anew, pause, go on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{Offset, TopicPartitionList, consumer::Consumer};
use shared::account::DispositionKind;
use store::Log;
use tracing::{debug, error, info, warn};

use super::{
    claim::{Assignment, Claim},
    command::{Command, RewindReason},
    parcel::{Item, Run},
    plan::{Beginning, StopReason},
    poller::Poller,
    reading::Reading,
    starter::StartRequest,
    table::{State, after, back_off, list_of},
};
use crate::metrics;

/// How long a position left over from an earlier assignment is waited for to go.
const RESET_WAIT: Duration = Duration::from_millis(200);

impl Poller {
    pub(super) fn obey_commands(&mut self) {
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

    pub(super) fn begin(&mut self, begun: Vec<(Arc<Claim>, Box<Log>, Beginning)>) {
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

    pub(super) fn note_beginning(
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
        let organization = settings.organizations.get(&*claim.topic).cloned().unwrap_or_default();
        let replay_topic = settings.replay_topics.contains(&*claim.topic);
        let assignment = Arc::new(Assignment::new(
            Arc::clone(claim),
            log.log_id,
            log.name.clone(),
            organization,
            replay_topic,
            quietest,
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

    /// Fetches these partitions from where their readings stand.
    pub(super) fn assign(&mut self, claims: &[Arc<Claim>]) {
        let context = Arc::clone(self.consumer.context());
        let (mut list, mut queueless) = (TopicPartitionList::new(), Vec::new());
        for claim in claims {
            let mut table = context.table();
            let Some(owned) = table.holding(claim) else { continue };
            let State::Reading { reading, paused, .. } = &mut owned.state else { continue };
            if !*paused {
                continue;
            }
            if !self.queues.open(&self.consumer, claim) {
                queueless.push(Arc::clone(claim));
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
        if !queueless.is_empty() {
            self.rewind(&queueless, RewindReason::Consumer);
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
    pub(super) fn trust_positions(&self, list: &TopicPartitionList) {
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
    pub(super) fn unassign(&self, list: &TopicPartitionList) {
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
    pub(super) fn rewind(&mut self, claims: &[Arc<Claim>], reason: RewindReason) {
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
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "partition_rewound"
            );
            self.request(StartRequest::new(renewed, after(wait)));
        }
        self.unassign(&list_of(&fetched));
    }

    pub(super) fn stop_diverged(&mut self, assignment: &Arc<Assignment>, offset: i64) {
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

    pub(super) fn start_taken(&mut self) {
        for claim in self.consumer.context().newly_taken() {
            self.request(StartRequest::new(claim, Instant::now()));
        }
    }

    pub(super) fn request(&self, request: StartRequest) {
        // The starter ends only with the process.
        let _ = self.starter.send(request);
    }
}

fn error_on_gap(assignment: &Assignment, run: Run) {
    if run.kind == DispositionKind::Gap {
        error!(log = ?assignment.name, from = run.from, next = run.next,
            "gap: records are gone from Kafka that were never read");
    }
}
