//! A lane's bound: how many bytes may be between the poll thread and the database, and since when.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What all lanes together may hold. It is one for all, so that a lane may be ahead of the others: with a bound for each,
/// the poll thread waits for the lane whose batch has just begun, while the other lane's is done and nothing comes.
#[derive(Debug)]
pub struct Pool {
    limit: usize,
    held: Mutex<usize>,
    freed: Condvar,
}

impl Pool {
    /// A pool of so many bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: Mutex::default(), freed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one lane may hold at once: of the pool, and by itself.
#[derive(Debug)]
pub struct Budget {
    pool: Arc<Pool>,
    limit: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    taken: u64,
    since: BTreeMap<u64, Instant>,
}

impl Budget {
    /// At most three quarters of the pool: what a lane cannot store must not stop the others.
    pub fn new(pool: &Arc<Pool>) -> Arc<Self> {
        Arc::new(Self { pool: Arc::clone(pool), limit: pool.limit / 4 * 3, held: Mutex::default() })
    }

    /// Takes the bytes, waiting at most so long. To a lane that holds nothing a parcel goes whatever its size, so that
    /// none starves.
    pub fn take(self: &Arc<Self>, bytes: usize, wait: Duration) -> Option<Permit> {
        let fits = |all: usize| {
            let own = self.lock().bytes;
            own == 0 || own + bytes <= self.limit && all + bytes <= self.pool.limit
        };
        let (mut all, _) = self
            .pool
            .freed
            .wait_timeout_while(self.pool.lock(), wait, |all| !fits(*all))
            .unwrap_or_else(PoisonError::into_inner);
        if !fits(*all) {
            return None;
        }
        *all += bytes;
        let mut held = self.lock();
        held.bytes += bytes;
        held.taken += 1;
        let number = held.taken;
        held.since.insert(number, Instant::now());
        Some(Permit { budget: Arc::clone(self), bytes, number })
    }

    /// Whether at most half of it is in use: the moment to read on after a pause.
    pub fn has_drained(&self) -> bool {
        self.lock().bytes <= self.limit / 2
    }

    /// How long the oldest held bytes have been waiting; zero when idle.
    pub fn oldest_age(&self) -> Duration {
        self.lock().since.values().next().map_or(Duration::ZERO, Instant::elapsed)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes taken from a [`Budget`]; dropping it gives them back.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
    number: u64,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let pool = &self.budget.pool;
        *pool.lock() -= self.bytes;
        let mut held = self.budget.lock();
        held.bytes -= self.bytes;
        held.since.remove(&self.number);
        drop(held);
        pool.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_does_not_fit_until_it_is_given_back() {
        let budget = Budget::new(&Pool::new(100));
        let first = budget.take(60, Duration::ZERO).unwrap();
        assert!(budget.take(16, Duration::ZERO).is_none(), "three quarters of the pool");
        let second = budget.take(15, Duration::ZERO).unwrap();
        drop(first);
        assert!(budget.has_drained());
        drop(second);
        assert_eq!(budget.oldest_age(), Duration::ZERO);
    }

    #[test]
    fn what_one_lane_leaves_another_may_take_and_none_starves() {
        let pool = Pool::new(100);
        let (full, late) = (Budget::new(&pool), Budget::new(&pool));
        let held = full.take(75, Duration::ZERO).unwrap();
        let first = late.take(25, Duration::ZERO).unwrap();
        assert!(late.take(1, Duration::ZERO).is_none(), "the pool is empty");
        drop(first);
        let whole = late.take(30, Duration::ZERO).expect("a lane that holds nothing gets its parcel");
        drop(held);
        assert!(late.take(45, Duration::ZERO).is_some());
        drop(whole);
    }

    #[test]
    fn lets_an_oversized_parcel_pass_alone() {
        let budget = Budget::new(&Pool::new(10));
        let whole = budget.take(1_000, Duration::ZERO).unwrap();
        assert!(budget.take(1, Duration::ZERO).is_none());
        drop(whole);
        assert!(budget.take(1, Duration::ZERO).is_some());
    }

    #[test]
    fn wakes_a_waiter() {
        let budget = Budget::new(&Pool::new(10));
        let held = budget.take(10, Duration::ZERO).unwrap();
        let waiting = Arc::clone(&budget);
        let waiter = std::thread::spawn(move || waiting.take(5, Duration::from_secs(10)).is_some());
        drop(held);
        assert!(waiter.join().unwrap());
    }
}
