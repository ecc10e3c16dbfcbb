//! Requests without a good token: each is recorded, up to so many. A flood of them, which needs no credentials, must not
//! fill the trail: what is over the bound is counted, and one record tells the count.

use std::time::Instant;

/// Records a second, over time.
const RATE: f64 = 10.0;
/// Records at once, after a silence.
const BURST: f64 = 50.0;

/// How many may still be recorded, and how many were not.
#[derive(Debug)]
pub(super) struct Strangers {
    room: f64,
    since: Instant,
    suppressed: u64,
}

impl Strangers {
    pub(super) fn new(now: Instant) -> Self {
        Self { room: BURST, since: now, suppressed: 0 }
    }

    /// Whether one more is recorded by itself; counts it when not.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.room = passed.mul_add(RATE, self.room).min(BURST);
        self.since = now;
        let admitted = self.room >= 1.0;
        if admitted {
            self.room -= 1.0;
        } else {
            self.suppressed += 1;
        }
        admitted
    }

    /// How many were not recorded since the last time.
    pub(super) fn take(&mut self) -> u64 {
        std::mem::take(&mut self.suppressed)
    }

    /// Counts again what could not be told.
    pub(super) fn give_back(&mut self, count: u64) {
        self.suppressed += count;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_is_recorded_at_a_bounded_rate_and_the_rest_is_counted() {
        let start = Instant::now();
        let mut strangers = Strangers::new(start);
        let admitted = |strangers: &mut Strangers, count: u32, now: Instant| {
            (0..count).filter(|_| strangers.admit(now)).count()
        };
        assert_eq!(admitted(&mut strangers, 1000, start), 50);
        assert_eq!(strangers.take(), 950);
        assert_eq!(admitted(&mut strangers, 1000, start + Duration::from_secs(1)), 10);
        strangers.give_back(5);
        assert_eq!(strangers.take(), 995);
        assert_eq!(strangers.take(), 0);
        assert_eq!(admitted(&mut strangers, 1000, start + Duration::from_hours(1)), 50);
    }
}
