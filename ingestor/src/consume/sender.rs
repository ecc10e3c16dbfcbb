//! From the poll thread to the lanes: parcels within a budget.

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

/// Bytes that a lane may hold between the poll thread and the database: one batch being stored, the next being made.
pub const LANE_BYTES: usize = 6 * 1024 * 1024;
/// A parcel is sent at this size, or when nothing more waits.
pub const PARCEL_COUNT: usize = 256;
const PARCEL_BYTES: usize = 256 * 1024;

/// The way into one lane.
#[derive(Debug)]
pub struct LaneSender {
    /// Bounds what is in the channel, which therefore needs no bound of its own.
    budget: Arc<Budget>,
    parcels: UnboundedSender<Parcel>,
    gathering: Gathering,
    parcel_count: usize,
}

impl LaneSender {
    /// A way into the lane behind `parcels`.
    pub fn new(budget: Arc<Budget>, parcels: UnboundedSender<Parcel>, batch_max_records: usize) -> Self {
        let parcel_count = PARCEL_COUNT.min(batch_max_records);
        Self { budget, parcels, gathering: Gathering::default(), parcel_count }
    }

    /// Whether another record may come.
    pub fn has_room(&self) -> bool {
        self.budget.has_room(self.gathering.bytes())
    }

    /// Adds an item to the next parcel.
    pub fn push(&mut self, assignment: &Arc<Assignment>, item: Item) {
        self.gathering.push(assignment, item);
        if self.gathering.count() >= self.parcel_count || self.gathering.bytes() >= PARCEL_BYTES {
            self.send();
        }
    }

    /// Sends what is gathered.
    pub fn send(&mut self) {
        if self.gathering.is_empty() {
            return;
        }
        let permit = self.budget.take(self.gathering.bytes());
        // A lane ends only after its senders, or with the whole process.
        let _ = self.parcels.send(self.gathering.seal(permit));
    }

    /// What it has: gathered, on its way, not stored yet; bytes.
    pub fn held(&self) -> usize {
        self.budget.held() + self.gathering.bytes()
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
