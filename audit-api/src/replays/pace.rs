//! A limit in events a second, by counting: what may be sent when.

use std::{num::NonZeroU32, time::Duration};

use tokio::time::Instant;

/// Lets events go so that in no time more than its seconds' worth, and one batch, have gone.
#[derive(Debug)]
pub(super) struct Pace {
    rate: NonZeroU32,
    next: Instant,
}

impl Pace {
    /// The first batch may go at once.
    pub(super) fn new(rate: NonZeroU32, now: Instant) -> Self {
        Self { rate, next: now }
    }

    /// The most events of one batch: a second's worth.
    pub(super) fn batch(&self) -> u32 {
        self.rate.get()
    }

    /// Counts a batch, and says how long it has to wait.
    pub(super) fn take(&mut self, events: u32, now: Instant) -> Duration {
        let at = self.next.max(now);
        self.next = at + Duration::from_secs(events.into()) / self.rate.get();
        at - now
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the batches are and whenever they come: counted from any of them on, no more have gone than the rate
        /// allows, and one batch.
        #[test]
        fn no_window_holds_more_than_the_rate_and_a_batch(
            rate in 1..5_000_u32,
            steps in prop::collection::vec((1..1_000_u32, 0..3_000_u64), 1..60),
        ) {
            let start = Instant::now();
            let mut pace = Pace::new(NonZeroU32::new(rate).expect("not zero"), start);
            let (mut now, mut sent) = (start, Vec::new());
            for (events, idle) in steps {
                now += Duration::from_millis(idle);
                now += pace.take(events, now);
                sent.push((now, u64::from(events)));
            }
            for first in 0..sent.len() {
                let mut count = 0;
                for &(at, events) in &sent[first..] {
                    let allowed = (at - sent[first].0).as_secs_f64() * f64::from(rate);
                    // Those before this batch have had their time; a nanosecond is lost to each by rounding.
                    prop_assert!(f64::from(u32::try_from(count).expect("small")) <= allowed + 0.01, "{count} in {allowed}");
                    count += events;
                }
            }
        }
    }

    #[test]
    fn a_rate_is_reached_too() {
        let start = Instant::now();
        let mut pace = Pace::new(NonZeroU32::new(100).expect("not zero"), start);
        let waits: Vec<_> = (0..3).map(|_| pace.take(50, start).as_millis()).collect();
        assert_eq!(waits, [0, 500, 1000]);
        assert_eq!(
            pace.take(1, start + Duration::from_secs(10)),
            Duration::ZERO,
            "what was not used is not saved up"
        );
    }
}
