//! Which deliveries may be acknowledged: those that have found their place, as many as possible by one word.
//!
//! RabbitMQ counts deliveries on a channel from 1, and `multiple` acknowledges all up to one. A message that waits (for its
//! partition, or for the dead letters) must not hold up the ones behind it for long: they are acknowledged one by one.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Others wait for the oldest at most so long before they are acknowledged one by one.
const PATIENCE: Duration = Duration::from_millis(250);

/// One `basic.ack`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The delivery.
    pub tag: u64,
    /// All before it too.
    pub multiple: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Settled,
    Acknowledged,
}

/// The deliveries of one channel that are not all acknowledged yet.
#[derive(Debug)]
pub struct Ledger {
    /// The tag of the first in `open`.
    first: u64,
    open: VecDeque<(Instant, State)>,
    /// Settled and not acknowledged.
    due: usize,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { first: 1, open: VecDeque::new(), due: 0 }
    }
}

impl Ledger {
    /// A delivery came; tags come in order, without holes.
    pub fn delivered(&mut self, tag: u64, now: Instant) {
        debug_assert_eq!(tag, self.first + self.open.len() as u64, "RabbitMQ counts without holes");
        self.open.push_back((now, State::Waiting));
    }

    /// A delivery has found its place, in Kafka or among the dead letters.
    pub fn settled(&mut self, tag: u64) {
        let index = tag.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some((_, state)) = index.and_then(|index| self.open.get_mut(index))
            && *state == State::Waiting
        {
            *state = State::Settled;
            self.due += 1;
        }
    }

    /// What is to be acknowledged now; it counts as acknowledged from here on.
    pub fn take_due(&mut self, now: Instant) -> Vec<Ack> {
        let mut acks: Vec<Ack> = self.take_prefix().into_iter().collect();
        let is_late = self.oldest().is_some_and(|since| now.duration_since(since) > PATIENCE);
        if is_late && self.due > 0 {
            for (tag, (_, state)) in (self.first..).zip(&mut self.open) {
                if *state == State::Settled {
                    *state = State::Acknowledged;
                    acks.push(Ack { tag, multiple: false });
                }
            }
            self.due = 0;
        }
        acks
    }

    /// When the oldest came that waits.
    pub fn oldest(&self) -> Option<Instant> {
        self.open.iter().find(|(_, state)| *state == State::Waiting).map(|(since, _)| *since)
    }

    /// How many are not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.open.iter().filter(|(_, state)| *state != State::Acknowledged).count()
    }

    /// Everything up to the first that waits.
    fn take_prefix(&mut self) -> Option<Ack> {
        let mut last = None;
        while let Some((_, state)) = self.open.front().copied().filter(|(_, state)| *state != State::Waiting)
        {
            if state == State::Settled {
                last = Some(self.first);
                self.due -= 1;
            }
            self.open.pop_front();
            self.first += 1;
        }
        // Not the last of all: a tag that was acknowledged by itself may not be named again.
        last.map(|tag| Ack { tag, multiple: true })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ledger(tags: u64, now: Instant) -> Ledger {
        let mut ledger = Ledger::default();
        (1..=tags).for_each(|tag| ledger.delivered(tag, now));
        ledger
    }

    #[test]
    fn a_run_from_the_oldest_is_one_acknowledgement() {
        let now = Instant::now();
        let mut ledger = ledger(5, now);
        for tag in [2, 3, 1, 5] {
            ledger.settled(tag);
        }
        assert_eq!(ledger.take_due(now), [Ack { tag: 3, multiple: true }]);
        assert_eq!((ledger.take_due(now), ledger.unacknowledged()), (vec![], 2));
        ledger.settled(4);
        assert_eq!(ledger.take_due(now), [Ack { tag: 5, multiple: true }]);
        assert_eq!((ledger.oldest(), ledger.unacknowledged()), (None, 0));
    }

    #[test]
    fn behind_one_that_waits_long_the_others_are_acknowledged_one_by_one() {
        let now = Instant::now();
        let mut ledger = ledger(4, now);
        ledger.settled(2);
        ledger.settled(3);
        assert_eq!(ledger.take_due(now), []);
        let later = now + 2 * PATIENCE;
        let single = |tag| Ack { tag, multiple: false };
        assert_eq!(ledger.take_due(later), [single(2), single(3)]);
        assert_eq!(ledger.take_due(later), []);
        ledger.settled(1);
        assert_eq!(ledger.take_due(later), [Ack { tag: 1, multiple: true }], "3 was acknowledged already");
    }

    /// What RabbitMQ does with an acknowledgement; a tag it does not have closes the channel.
    fn acknowledge(outstanding: &mut BTreeSet<u64>, ack: Ack) {
        assert!(outstanding.contains(&ack.tag), "{ack:?} is unknown: the channel would be closed");
        outstanding.retain(|tag| if ack.multiple { *tag > ack.tag } else { *tag != ack.tag });
    }

    proptest! {
        #[test]
        fn whatever_the_order_each_settled_delivery_is_acknowledged_once_and_no_other(
            order in Just((1..=60_u64).collect::<Vec<_>>()).prop_shuffle(),
            looks in proptest::collection::vec(any::<Option<bool>>(), 60),
            settled_in_all in 0..=60_usize,
        ) {
            let now = Instant::now();
            let mut ledger = ledger(60, now);
            let mut outstanding: BTreeSet<u64> = (1..=60).collect();
            let mut settled = BTreeSet::new();
            for (tag, look) in order.iter().zip(looks).take(settled_in_all) {
                ledger.settled(*tag);
                settled.insert(*tag);
                let Some(late) = look else { continue };
                let time = if late { now + 2 * PATIENCE } else { now };
                for ack in ledger.take_due(time) {
                    acknowledge(&mut outstanding, ack);
                }
                prop_assert!((1..=60).all(|tag| settled.contains(&tag) || outstanding.contains(&tag)));
            }
            for ack in ledger.take_due(now + 2 * PATIENCE) {
                acknowledge(&mut outstanding, ack);
            }
            prop_assert_eq!(outstanding.len(), 60 - settled.len());
            prop_assert_eq!(ledger.unacknowledged(), 60 - settled.len());
        }
    }
}
