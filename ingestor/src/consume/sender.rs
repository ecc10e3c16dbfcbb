//! From the poll thread to the lanes: parcels within budgets, and a pause for lanes that are full.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::UnboundedSender;

use super::{
    budget::Budget,
    claim::Assignment,
    parcel::{Gathering, Item, Parcel},
};

/// Bytes that each lane adds to what all may hold between the poll thread and the database, before that stretches.
pub const LANE_BYTES: usize = 3 * 1024 * 1024;
/// How long the poll thread waits for a full lane before it pauses the lane's partitions. Short against any session
/// timeout, long against a commit: a pause throws away what librdkafka has fetched ahead.
const PATIENCE: Duration = Duration::from_secs(1);
/// A parcel is sent at this size, or when nothing more waits.
const PARCEL_COUNT: usize = 256;
const PARCEL_BYTES: usize = 256 * 1024;

/// The way into one lane.
#[derive(Debug)]
pub struct LaneSender {
    /// Bounds what is in the channel, which therefore needs no bound of its own.
    budget: Arc<Budget>,
    parcels: UnboundedSender<Parcel>,
    gathering: Gathering,
    parcel_count: usize,
    paused: bool,
}

/// What became of an attempt to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The lane has it, or there was nothing to send.
    Yes,
    /// The lane is full.
    Full,
}

impl LaneSender {
    /// A way into the lane behind `parcels`.
    pub fn new(budget: Arc<Budget>, parcels: UnboundedSender<Parcel>, batch_max_records: usize) -> Self {
        let parcel_count = PARCEL_COUNT.min(batch_max_records);
        Self { budget, parcels, gathering: Gathering::default(), parcel_count, paused: false }
    }

    /// Adds an item to the next parcel; true when the parcel should be sent now.
    pub fn push(&mut self, assignment: &Arc<Assignment>, item: Item) -> bool {
        self.gathering.push(assignment, item);
        self.gathering.count() >= self.parcel_count || self.gathering.bytes() >= PARCEL_BYTES
    }

    /// Sends what is gathered. A full lane is waited for, unless it is paused already.
    pub fn send(&mut self) -> Sent {
        if self.gathering.is_empty() {
            return Sent::Yes;
        }
        let wait = if self.paused { Duration::ZERO } else { PATIENCE };
        let Some(permit) = self.budget.take(self.gathering.bytes(), wait) else { return Sent::Full };
        // A lane ends only after its senders, or with the whole process.
        let _ = self.parcels.send(self.gathering.seal(permit));
        Sent::Yes
    }

    /// Whether something is gathered that could be sent right now.
    pub fn has_unsent(&self) -> bool {
        !self.paused && !self.gathering.is_empty()
    }

    /// Notes that the lane's partitions are not fetched for now.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Whether the lane's partitions are not fetched for now.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether a paused lane has room again; if so, it counts as resumed.
    pub fn resumes(&mut self) -> bool {
        let resumes = self.paused && self.gathering.is_empty() && self.budget.has_drained();
        if resumes {
            self.paused = false;
        }
        resumes
    }

    /// How long the oldest record of the lane has been waiting for its commit.
    pub fn oldest_age(&self) -> Duration {
        self.budget.oldest_age()
    }
}

/// A moment that comes round.
#[derive(Debug)]
pub struct Every {
    period: Duration,
    last: Instant,
}

impl Every {
    /// The first one is a period from now.
    pub fn new(period: Duration) -> Self {
        Self { period, last: Instant::now() }
    }

    /// Whether a period has passed since this was last true.
    pub fn is_due(&mut self) -> bool {
        let due = self.last.elapsed() >= self.period;
        if due {
            self.last = Instant::now();
        }
        due
    }
}
