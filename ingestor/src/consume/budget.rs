//! A lane's bound: how many bytes may be between the poll thread and the database, and since when.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::bell::Bell;

/// What one lane may hold at once.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    held: AtomicUsize,
    permits: Mutex<Permits>,
    /// Rings when something is given back.
    bell: Arc<Bell>,
}

#[derive(Debug, Default)]
struct Permits {
    taken: u64,
    since: BTreeMap<u64, Instant>,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: usize, bell: Arc<Bell>) -> Arc<Self> {
        Arc::new(Self { limit, held: AtomicUsize::new(0), permits: Mutex::default(), bell })
    }

    /// Whether there is room behind so many bytes more. Whoever asks before each record goes over the limit by one record
    /// at most, and a record that is larger than the limit passes alone.
    pub fn has_room(&self, behind: usize) -> bool {
        self.held() + behind < self.limit
    }

    /// Bytes that are held.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    /// Takes the bytes, for which room was looked for before.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Permit {
        self.held.fetch_add(bytes, Ordering::AcqRel);
        let mut permits = self.lock();
        permits.taken += 1;
        let number = permits.taken;
        permits.since.insert(number, Instant::now());
        Permit { budget: Arc::clone(self), bytes, number }
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
        self.budget.held.fetch_sub(self.bytes, Ordering::AcqRel);
        self.budget.lock().since.remove(&self.number);
        self.budget.bell.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_room_until_it_is_full_and_again_when_something_is_given_back() {
        let bell = Arc::new(Bell::default());
        let budget = Budget::new(100, Arc::clone(&bell));
        assert!(budget.has_room(99) && !budget.has_room(100));
        let first = budget.take(60);
        let second = budget.take(60);
        assert!(!budget.has_room(0));
        assert_eq!(budget.held(), 120);
        drop(first);
        assert!(bell.wait(Duration::ZERO), "it rang");
        assert!(budget.has_room(0));
        drop(second);
        assert_eq!((budget.held(), budget.oldest_age()), (0, Duration::ZERO));
    }
}
