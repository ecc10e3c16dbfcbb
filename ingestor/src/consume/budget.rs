//! A lane's bound: how many bytes may be between the poll thread and the database, and since when.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What one lane may hold at once.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    held: Mutex<Held>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    taken: u64,
    since: BTreeMap<u64, Instant>,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: Mutex::default(), freed: Condvar::new() })
    }

    /// Takes the bytes, waiting at most so long. A parcel larger than the whole budget goes when nothing else is held.
    pub fn take(self: &Arc<Self>, bytes: usize, wait: Duration) -> Option<Permit> {
        let fits = |held: &Held| held.bytes == 0 || held.bytes + bytes <= self.limit;
        let (mut held, _) = self
            .freed
            .wait_timeout_while(self.lock(), wait, |held| !fits(held))
            .unwrap_or_else(PoisonError::into_inner);
        if !fits(&held) {
            return None;
        }
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
        let mut held = self.budget.lock();
        held.bytes -= self.bytes;
        held.since.remove(&self.number);
        drop(held);
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_does_not_fit_until_it_is_given_back() {
        let budget = Budget::new(100);
        let first = budget.take(80, Duration::ZERO).unwrap();
        assert!(budget.take(21, Duration::ZERO).is_none());
        let second = budget.take(20, Duration::ZERO).unwrap();
        drop(first);
        assert!(budget.has_drained());
        drop(second);
        assert_eq!(budget.oldest_age(), Duration::ZERO);
    }

    #[test]
    fn lets_an_oversized_parcel_pass_alone() {
        let budget = Budget::new(10);
        let whole = budget.take(1_000, Duration::ZERO).unwrap();
        assert!(budget.take(1, Duration::ZERO).is_none());
        drop(whole);
        assert!(budget.take(1, Duration::ZERO).is_some());
    }

    #[test]
    fn wakes_a_waiter() {
        let budget = Budget::new(10);
        let held = budget.take(10, Duration::ZERO).unwrap();
        let waiting = Arc::clone(&budget);
        let waiter = std::thread::spawn(move || waiting.take(5, Duration::from_secs(10)).is_some());
        drop(held);
        assert!(waiter.join().unwrap());
    }
}
