//! The partitions that the group has given to this member, and what is being done with each.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::TopicPartitionList;

use super::{
    claim::{Assignment, Claim},
    plan::StopReason,
    reading::Reading,
};

/// A partition of ours.
#[derive(Debug)]
pub struct Owned {
    /// The claim that holds now.
    pub claim: Arc<Claim>,
    /// What is being done.
    pub state: State,
    /// Rewinds since the position last moved: sets the back-off.
    pub rewinds: u32,
    /// One after the last offset that Kafka says a reader may see, as last heard.
    pub end: Option<i64>,
    /// The position as last known.
    pub stored_next: i64,
    /// The position that was last told to Kafka.
    pub told: i64,
}

/// What is being done with a partition.
#[derive(Debug)]
pub enum State {
    /// The starter is finding out where to begin.
    Starting,
    /// It is being fetched, or would be if its lane were not full.
    Reading {
        /// What its records carry.
        assignment: Arc<Assignment>,
        /// Which offsets were handed on.
        reading: Reading,
        /// Its lane is full: it is not fetched for now.
        paused: bool,
    },
    /// It is not read until somebody decides.
    Stopped(StopReason),
}

impl Owned {
    /// Whether librdkafka has it in its assignment.
    pub fn is_fetched(&self) -> bool {
        matches!(self.state, State::Reading { paused: false, .. })
    }
}

/// All partitions of this member.
#[derive(Debug, Default)]
pub struct Table {
    topics: HashMap<Arc<str>, BTreeMap<i32, Owned>>,
    claims: u64,
}

impl Table {
    /// Takes a partition that the group gave us, with a fresh claim.
    pub fn take(&mut self, topic: &str, partition: i32) -> Arc<Claim> {
        let claim = self.next_claim(topic, partition);
        let owned = Owned {
            claim: Arc::clone(&claim),
            state: State::Starting,
            rewinds: 0,
            end: None,
            stored_next: 0,
            told: 0,
        };
        if let Some(old) = self.topics.entry(Arc::clone(&claim.topic)).or_default().insert(partition, owned) {
            old.claim.revoke();
        }
        claim
    }

    /// Starts a partition of ours anew under a fresh claim; `None` when it is not ours.
    pub fn renew(&mut self, topic: &str, partition: i32) -> Option<Arc<Claim>> {
        let claim = self.next_claim(topic, partition);
        let owned = self.get_mut(topic, partition)?;
        owned.claim.revoke();
        owned.claim = Arc::clone(&claim);
        owned.state = State::Starting;
        Some(claim)
    }

    /// Gives a partition up.
    pub fn release(&mut self, topic: &str, partition: i32) -> Option<Owned> {
        let owned = self.topics.get_mut(topic)?.remove(&partition)?;
        owned.claim.revoke();
        Some(owned)
    }

    /// The partition, when it is ours.
    pub fn get_mut(&mut self, topic: &str, partition: i32) -> Option<&mut Owned> {
        self.topics.get_mut(topic)?.get_mut(&partition)
    }

    /// The partition, when this claim on it still holds.
    pub fn holding(&mut self, claim: &Claim) -> Option<&mut Owned> {
        self.get_mut(&claim.topic, claim.partition).filter(|owned| owned.claim.number == claim.number)
    }

    /// Every partition.
    pub fn iter(&self) -> impl Iterator<Item = &Owned> {
        self.topics.values().flat_map(BTreeMap::values)
    }

    /// Every partition, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Owned> {
        self.topics.values_mut().flat_map(BTreeMap::values_mut)
    }

    /// The lane with the fewest logs being read.
    pub fn quietest_lane(&self, lanes: usize) -> usize {
        let mut load = vec![0_usize; lanes];
        for owned in self.iter() {
            if let State::Reading { assignment, .. } = &owned.state {
                load[assignment.lane()] += 1;
            }
        }
        (0..lanes).min_by_key(|lane| load[*lane]).unwrap_or(0)
    }

    fn next_claim(&mut self, topic: &str, partition: i32) -> Arc<Claim> {
        self.claims += 1;
        let topic = match self.topics.get_key_value(topic) {
            Some((topic, _)) => Arc::clone(topic),
            None => Arc::from(topic),
        };
        Arc::new(Claim::new(self.claims, topic, partition))
    }
}

/// The partitions of some claims, as librdkafka's list.
pub fn list_of<'a>(claims: impl IntoIterator<Item = &'a Arc<Claim>>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for claim in claims {
        list.add_partition(&claim.topic, claim.partition);
    }
    list
}

/// How long a rewound partition waits, before jitter: at once the first time, then 0.2 s doubling to 5 s.
pub fn back_off(rewinds: u32) -> Duration {
    match rewinds {
        0 => Duration::ZERO,
        n => (Duration::from_millis(100) * 2_u32.saturating_pow(n.min(8))).min(Duration::from_secs(5)),
    }
}

/// The moment after a back-off, with jitter, so that many members do not come back at once.
pub fn after(wait: Duration) -> Instant {
    Instant::now() + wait.mul_f64(rand::random_range(0.5..1.0))
}

#[cfg(test)]
mod tests {
    use shared::position::LogName;

    use super::*;
    use crate::consume::claim::Hold;

    #[test]
    fn a_claim_is_revoked_when_its_partition_is_taken_again_or_lost() {
        let mut table = Table::default();
        let first = table.take("t", 0);
        let second = table.take("t", 0);
        assert!(!first.may_append() && second.may_append());
        let third = table.renew("t", 0).unwrap();
        assert!(!second.may_append() && third.may_append());
        assert!(table.holding(&second).is_none() && table.holding(&third).is_some());
        table.release("t", 0);
        assert!(!third.may_append());
        assert!(table.renew("t", 0).is_none());
    }

    #[test]
    fn lanes_are_filled_evenly_and_a_log_moves_only_when_nothing_of_it_is_on_its_way() {
        let mut table = Table::default();
        let mut assignments = Vec::new();
        for partition in 0..7 {
            let claim = table.take("t", partition);
            let lane = table.quietest_lane(2);
            let name = LogName { cluster: "c".to_owned(), topic: "t".to_owned(), partition, incarnation: 1 };
            let assignment = Arc::new(Assignment::new(claim, partition, name, "".into(), false, lane, 0));
            assignments.push(Arc::clone(&assignment));
            let state = State::Reading { assignment, reading: Reading::from(0, None), paused: false };
            table.get_mut("t", partition).unwrap().state = state;
        }
        let on = |lane| assignments.iter().filter(|it| it.lane() == lane).count();
        assert_eq!((on(0), on(1)), (4, 3));

        let (first, second) = (Hold::new(&assignments[0]), Hold::new(&assignments[0]));
        drop(first);
        assert!(!assignments[0].is_idle());
        drop(second);
        assert!(assignments[0].is_idle());
    }

    #[test]
    fn back_off_grows_and_is_bounded() {
        assert_eq!(back_off(0), Duration::ZERO);
        assert_eq!(back_off(1), Duration::from_millis(200));
        assert_eq!(back_off(100), Duration::from_secs(5));
    }
}
