//! The poll thread's hand on the assignment: partitions begin, start anew, stop.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{Offset, TopicPartitionList, consumer::Consumer, error::KafkaError};
use shared::account::DispositionKind;
use store::Log;
use tracing::{debug, error, info, warn};

use super::{
    claim::{Assignment, Claim},
    command::{Command, RewindReason},
    log::{ReadLog, split_queue},
    plan::{Beginning, StopReason},
    poller::Poller,
    reading::{Reading, Run},
    starter::StartRequest,
    table::{State, after, back_off, list_of},
};
use crate::metrics;

/// How long a position left over from an earlier assignment is waited for to go.
const RESET_WAIT: Duration = Duration::from_millis(200);

impl Poller {
    /// An error is librdkafka's fatal one.
    pub(super) fn obey_commands(&mut self) -> Result<(), KafkaError> {
        let mut begun = Vec::new();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Begin { claim, log, beginning } => begun.push((claim, log, beginning)),
                Command::Stop { claim, reason } => {
                    if let Some(owned) = self.consumer.context().table().holding(&claim) {
                        owned.stop(reason);
                    }
                }
                Command::Rewind { claims, reason, since } => self.rewind_since(&claims, reason, since),
                Command::Diverged { assignment, offset } => self.stop_diverged(&assignment, offset),
                Command::Failed { claim, error } => self.fail(&error, Some(&claim))?,
            }
        }
        self.begin(&begun);
        Ok(())
    }

    fn begin(&mut self, begun: &[(Arc<Claim>, Box<Log>, Beginning)]) {
        let (mut logs, mut list) = (Vec::new(), TopicPartitionList::new());
        for (claim, log, beginning) in begun {
            let reading = Reading::from(beginning.next, beginning.verify);
            let first = reading.fetch_from();
            let Some(opened) = self.open(claim, log, reading, beginning.skipped) else { continue };
            // Refused only for offsets that are not plain numbers.
            let _ = list.add_partition_offset(&claim.topic, claim.partition, Offset::Offset(first));
            logs.push(opened);
        }
        if logs.is_empty() {
            return;
        }
        if let Err(error) = self.consumer.incremental_assign(&list) {
            warn!(%error, "assign_failed");
            self.unassign(&list);
            let claims: Vec<_> = logs.iter().map(|log| Arc::clone(&log.assignment.claim)).collect();
            self.rewind(&claims, RewindReason::Consumer);
            return;
        }
        self.trust_positions(&logs);
        for log in logs {
            self.doors[log.assignment.lane()].give(log);
        }
    }

    /// The log of a claim that still holds, to be fetched.
    fn open(
        &mut self,
        claim: &Arc<Claim>,
        log: &Log,
        reading: Reading,
        skipped: Option<Run>,
    ) -> Option<Arc<ReadLog>> {
        let settings = &self.settings;
        let context = Arc::clone(self.consumer.context());
        let mut table = context.table();
        let quietest = table.quietest_lane(self.doors.len());
        let owned = table.holding(claim)?;
        let Some(records) = split_queue(&self.consumer, claim) else {
            drop(table);
            self.rewind(&[Arc::clone(claim)], RewindReason::Consumer);
            return None;
        };
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
        if let Some(run) = skipped {
            error_on_gap(&assignment, run);
        }
        let doors = Arc::clone(&self.doors);
        let opened = Arc::new(ReadLog::new(assignment, records, reading, skipped, doors));
        if log.next_offset > owned.stored_next {
            // Somebody has stored it; who, does not matter to those who wait.
            owned.waits_since = None;
        }
        owned.stored_next = log.next_offset;
        owned.state = State::Reading(Arc::clone(&opened));
        Some(opened)
    }

    /// Until librdkafka has stopped an earlier fetch of a partition, its position is the old one; nobody takes records of
    /// these yet, so once it reads as unset it belongs to the new assignment.
    fn trust_positions(&self, logs: &[Arc<ReadLog>]) {
        let deadline = Instant::now() + RESET_WAIT;
        loop {
            let Ok(positions) = self.consumer.position() else { return };
            let mut left_over = false;
            for log in logs {
                let claim = &log.assignment.claim;
                let found = positions.find_partition(&claim.topic, claim.partition);
                if found.is_some_and(|it| it.offset() != Offset::Invalid) {
                    left_over = true;
                } else if let Some(source) = log.open().as_mut() {
                    source.trust_position();
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
        self.rewind_since(claims, reason, Instant::now());
    }

    /// The same, of what was read since then.
    fn rewind_since(&mut self, claims: &[Arc<Claim>], reason: RewindReason, since: Instant) {
        self.note_progress();
        let context = Arc::clone(self.consumer.context());
        let mut fetched = Vec::new();
        for claim in claims {
            let mut table = context.table();
            let Some(owned) = table.holding(claim) else { continue };
            if owned.log().is_some() {
                fetched.push(Arc::clone(claim));
            }
            let wait = back_off(owned.rewinds.max(u32::from(reason.needs_pause())));
            owned.rewinds += 1;
            if reason.is_of_database() {
                owned.waits_since.get_or_insert(since);
            }
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
        let mut table = self.consumer.context().table();
        if table.holding(claim).is_none() {
            return;
        }
        error!(log = ?name, offset, reason = StopReason::LogDiverged.as_str(),
            remedy = "trailctl ledger new-incarnation", "partition_stopped");
        let Some(renewed) = table.renew(&claim.topic, claim.partition) else { return };
        if let Some(owned) = table.holding(&renewed) {
            owned.stop(StopReason::LogDiverged);
        }
        drop(table);
        self.unassign(&list_of([claim]));
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
