//! What the poll thread sleeps by: it watches many queues, and none of them can be waited for alone.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Rung by whatever gives the poll thread something to do.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    /// Wakes the one who waits, or who will wait next.
    pub fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_one();
    }

    /// Waits until it rings or has rung since the last wait; false when it did not for so long.
    pub fn wait(&self, longest: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) = self
            .heard
            .wait_timeout_while(rung, longest, |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut rung)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_ring_is_heard_by_who_waits_and_by_who_comes_later_and_once() {
        let bell = Arc::new(Bell::default());
        bell.ring();
        bell.ring();
        assert!(bell.wait(Duration::ZERO));
        assert!(!bell.wait(Duration::ZERO));
        let rung = Arc::clone(&bell);
        let waiter = std::thread::spawn(move || rung.wait(Duration::from_secs(10)));
        bell.ring();
        assert!(waiter.join().unwrap());
    }
}
