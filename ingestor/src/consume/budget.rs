//! A lane's bound: how many bytes may be between the poll thread and the database, and since when.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What all lanes together may hold. It is one for all, so that a lane may be ahead of the others: with a bound for each,
/// the poll thread waits for the lane whose batch has just begun, while the other lane's is done and nothing comes.
///
/// Records come in the order in which Kafka gives them, many of one partition and then of the next. So the records of a full
/// lane may stand before those of a hungry one; then the pool stretches by half, so that these are reached.
#[derive(Debug)]
pub struct Pool {
    limit: usize,
    /// What each lane holds.
    held: Mutex<Vec<usize>>,
    freed: Condvar,
}

impl Pool {
    /// A pool of so many bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: Mutex::default(), freed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so many bytes more may go to the lane. To one that holds nothing a parcel goes whatever its size, so that
    /// none starves; no lane gets more than three quarters, so that what it cannot store does not stop the others.
    fn fits(&self, held: &[usize], lane: usize, bytes: usize) -> bool {
        let (own, all) = (held[lane], held.iter().sum::<usize>() + bytes);
        let is_hungry = |other: usize| held[other] < self.limit / 8;
        let others_are_hungry = (0..held.len()).any(|other| other != lane && is_hungry(other));
        own == 0
            || own + bytes <= self.limit / 4 * 3 && all <= self.limit
            || others_are_hungry && all <= self.limit / 2 * 3
    }
}

/// What one lane may hold at once: of the pool, and by itself.
#[derive(Debug)]
pub struct Budget {
    pool: Arc<Pool>,
    lane: usize,
    permits: Mutex<Permits>,
}

#[derive(Debug, Default)]
struct Permits {
    taken: u64,
    since: BTreeMap<u64, Instant>,
}

impl Budget {
    /// The next lane's.
    pub fn new(pool: &Arc<Pool>) -> Arc<Self> {
        let mut held = pool.lock();
        held.push(0);
        let lane = held.len() - 1;
        drop(held);
        Arc::new(Self { pool: Arc::clone(pool), lane, permits: Mutex::default() })
    }

    /// Takes the bytes, waiting at most so long.
    pub fn take(self: &Arc<Self>, bytes: usize, wait: Duration) -> Option<Permit> {
        let pool = &self.pool;
        let fits = |held: &[usize]| pool.fits(held, self.lane, bytes);
        let (mut held, _) = pool
            .freed
            .wait_timeout_while(pool.lock(), wait, |held| !fits(held))
            .unwrap_or_else(PoisonError::into_inner);
        if !fits(&held) {
            return None;
        }
        held[self.lane] += bytes;
        drop(held);
        let mut permits = self.lock();
        permits.taken += 1;
        let number = permits.taken;
        permits.since.insert(number, Instant::now());
        Some(Permit { budget: Arc::clone(self), bytes, number })
    }

    /// Whether at most half of it is in use: the moment to read on after a pause.
    pub fn has_drained(&self) -> bool {
        self.pool.lock()[self.lane] <= self.pool.limit / 8 * 3
    }

    /// How long the oldest held bytes have been waiting; zero when idle.
    pub fn oldest_age(&self) -> Duration {
        self.lock().since.values().next().map_or(Duration::ZERO, Instant::elapsed)
    }

    fn lock(&self) -> MutexGuard<'_, Permits> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
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
        pool.lock()[self.budget.lane] -= self.bytes;
        self.budget.lock().since.remove(&self.number);
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
        let fed = late.take(20, Duration::ZERO).unwrap();
        let held = full.take(75, Duration::ZERO).unwrap();
        let last = late.take(5, Duration::ZERO).unwrap();
        assert!(late.take(1, Duration::ZERO).is_none(), "the pool is empty");
        drop((fed, last));
        let whole = late.take(30, Duration::ZERO).expect("a lane that holds nothing gets its parcel");
        drop(held);
        assert!(late.take(45, Duration::ZERO).is_some());
        drop(whole);
    }

    #[test]
    fn the_pool_stretches_while_another_lane_is_hungry() {
        let pool = Pool::new(80);
        let (full, other) = (Budget::new(&pool), Budget::new(&pool));
        let held = full.take(60, Duration::ZERO).unwrap();
        let over = full.take(50, Duration::ZERO).expect("the other lane's records are behind these");
        assert!(full.take(11, Duration::ZERO).is_none(), "by half, no more");
        let fed = other.take(10, Duration::ZERO).expect("it holds nothing");
        drop(over);
        assert!(full.take(1, Duration::ZERO).is_none(), "the other lane has something to do");
        drop(fed);
        assert!(full.take(1, Duration::ZERO).is_some());
        drop(held);
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
