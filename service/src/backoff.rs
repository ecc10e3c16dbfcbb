//! How long to wait before the next attempt: exponential, capped, with full jitter.

use std::time::Duration;

use rand::RngExt;

/// A sequence of delays; [`Backoff::reset`] after a success.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    attempts: u32,
}

impl Backoff {
    /// Ceilings `first`, 2 × `first`, 4 × `first`, … up to `most`.
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, attempts: 0 }
    }

    /// Delays from 100 ms to 10 s: what every reconnecting loop here uses.
    pub const fn reconnecting() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(10))
    }

    /// The attempts since the last success.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Starts again at the first ceiling.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The longest that the next delay can be.
    pub fn ceiling(&self) -> Duration {
        let factor = 2_u32.saturating_pow(self.attempts.min(30));
        self.first.saturating_mul(factor).min(self.most)
    }

    /// The next delay for this share of the jitter (0 to 1): half the ceiling, and the share of the other half.
    ///
    /// Never zero, so that a failing dependency is not hammered; spread, so that many clients do not return at once.
    pub fn delay_with(&mut self, share: f64) -> Duration {
        let half = self.ceiling() / 2;
        self.attempts = self.attempts.saturating_add(1);
        half + half.mul_f64(share.clamp(0.0, 1.0))
    }

    /// The next delay, with random jitter.
    pub fn delay(&mut self) -> Duration {
        self.delay_with(rand::rng().random::<f64>())
    }

    /// Waits for the next delay.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.delay()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_up_to_the_most_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let delays: Vec<_> = (0..6).map(|_| backoff.delay_with(1.0).as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.attempts(), 6);
        backoff.reset();
        assert_eq!(backoff.delay_with(0.0), Duration::from_millis(50));
    }

    #[test]
    fn the_delay_stays_between_half_the_ceiling_and_the_ceiling() {
        let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        let shares = [-1.0, 0.0, 0.3, 1.0, 2.0].map(|share| backoff.clone().delay_with(share));
        let random = std::iter::repeat_with(|| backoff.clone().delay()).take(100);
        for delay in shares.into_iter().chain(random) {
            assert!((100..=200).contains(&delay.as_millis()), "{delay:?}");
        }
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
        let last = (0..1000).map(|_| backoff.delay_with(1.0)).last();
        assert_eq!(last, Some(Duration::from_mins(1)));
    }
}
