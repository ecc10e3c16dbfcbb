//! The way into one lane: logs to read, a bell, and how much it holds.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::log::ReadLog;

/// Bytes that a lane may hold between librdkafka and the database: one batch being stored, the next being made.
pub const LANE_BYTES: usize = 6 * 1024 * 1024;
/// How many bytes a lane has more than another when logs move.
const MUCH_MORE: usize = LANE_BYTES / 8;

/// What others know of a lane, and how they reach it.
#[derive(Debug, Default)]
pub struct Door {
    bell: Notify,
    is_wanted: AtomicBool,
    is_closed: AtomicBool,
    logs: Mutex<Vec<Arc<ReadLog>>>,
    held: AtomicUsize,
    /// When the batches that are not stored yet were begun, the oldest first.
    begun: Mutex<VecDeque<Instant>>,
}

impl Door {
    /// There is something to do: records wait, or what the other calls here bring.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits until it rings, or has rung since the last wait.
    pub async fn heard(&self) {
        self.bell.notified().await;
    }

    /// The lane reads this log from now on.
    pub fn give(&self, log: Arc<ReadLog>) {
        lock(&self.logs).push(log);
        self.ring();
    }

    /// The logs that were given since the last call.
    pub fn take_logs(&self) -> Vec<Arc<ReadLog>> {
        std::mem::take(&mut *lock(&self.logs))
    }

    /// The appending half has nothing to do. A batch that is closed before would be as small as what has come by then.
    pub fn want_batch(&self) {
        self.is_wanted.store(true, Ordering::Release);
        self.ring();
    }

    /// Whether a batch is wanted.
    pub fn is_batch_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Acquire)
    }

    /// The batch that was wanted is on its way.
    pub fn batch_is_sent(&self) {
        self.is_wanted.store(false, Ordering::Release);
    }

    /// Nothing new is read; the lane ends when what it has is handed on.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.ring();
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Bytes read and not stored yet.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    /// Whether it has so much more than another that logs should move there.
    pub fn has_much_more_than(&self, other: &Self) -> bool {
        self.held() > other.held() + MUCH_MORE
    }

    /// How long the oldest record of the lane has been waiting for its commit; zero when there is none.
    pub fn oldest_age(&self) -> Duration {
        lock(&self.begun).front().map_or(Duration::ZERO, Instant::elapsed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a batch weighs in its lane, until it is stored or dropped.
#[derive(Debug)]
pub struct Weight {
    door: Arc<Door>,
    bytes: usize,
    has_begun: bool,
}

impl Weight {
    /// Of a batch that holds nothing yet.
    pub fn new(door: Arc<Door>) -> Self {
        Self { door, bytes: 0, has_begun: false }
    }

    /// The first record is in the batch.
    pub fn begin(&mut self) {
        self.has_begun = true;
        lock(&self.door.begun).push_back(Instant::now());
    }

    /// So many bytes more.
    pub fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.door.held.fetch_add(bytes, Ordering::AcqRel);
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.door.held.fetch_sub(self.bytes, Ordering::AcqRel);
        if self.has_begun {
            // A lane's batches end in the order in which they were begun.
            lock(&self.door.begun).pop_front();
        }
        self.door.ring();
    }
}

/// The doors of all lanes.
pub type Doors = Arc<[Arc<Door>]>;

/// The lane that holds least.
pub fn emptiest(doors: &Doors) -> usize {
    (0..doors.len()).min_by_key(|lane| doors[*lane].held()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    fn has_rung(door: &Door) -> bool {
        pin!(door.heard()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_batch_weighs_until_it_is_stored_and_then_the_lane_hears_of_it() {
        let door = Arc::new(Door::default());
        let (mut first, mut second) = (Weight::new(Arc::clone(&door)), Weight::new(Arc::clone(&door)));
        first.begin();
        second.begin();
        first.add(60);
        second.add(40);
        second.add(1);
        assert_eq!(door.held(), 101);
        assert!(!has_rung(&door));
        drop(first);
        assert!(has_rung(&door) && !has_rung(&door));
        assert_eq!(door.held(), 41);
        assert!(door.oldest_age() > Duration::ZERO);
        drop(second);
        assert_eq!((door.held(), door.oldest_age()), (0, Duration::ZERO));
    }

    #[test]
    fn logs_move_from_a_lane_that_has_much_more_to_the_emptiest() {
        let doors: Doors = (0..3).map(|_| Arc::new(Door::default())).collect();
        let mut weights: Vec<_> = doors.iter().map(|door| Weight::new(Arc::clone(door))).collect();
        for (weight, bytes) in weights.iter_mut().zip([MUCH_MORE + 2, 2, 1]) {
            weight.add(bytes);
        }
        assert_eq!(emptiest(&doors), 2);
        assert!(doors[0].has_much_more_than(&doors[2]));
        assert!(!doors[0].has_much_more_than(&doors[1]), "alike");
        assert!(!doors[1].has_much_more_than(&doors[0]));
    }
}
