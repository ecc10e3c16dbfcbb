//! The partitions that the group has given to this member, and what is being done with each.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::TopicPartitionList;

use super::{
    claim::{Assignment, Claim},
    log::ReadLog,
    plan::StopReason,
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
    /// Since when what was read of it waits for the database, over rewinds.
    pub waits_since: Option<Instant>,
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
    /// It is being fetched.
    Reading(Arc<ReadLog>),
    /// It is not read until somebody decides.
    Stopped(StopReason),
}

impl Owned {
    /// The log, while it is being read.
    pub fn log(&self) -> Option<&Arc<ReadLog>> {
        if let State::Reading(log) = &self.state { Some(log) } else { None }
    }

    /// What is read of it.
    pub fn assignment(&self) -> Option<&Arc<Assignment>> {
        self.log().map(|log| &log.assignment)
    }

    /// The position as it is stored now. One that moved ends the back-off and the wait.
    pub fn note_stored(&mut self, next: i64) {
        if next > self.stored_next {
            self.stored_next = next;
            self.rewinds = 0;
            self.waits_since = None;
        }
    }

    /// Nothing is read until somebody decides, so nothing waits for the database.
    pub fn stop(&mut self, reason: StopReason) {
        self.state = State::Stopped(reason);
        self.waits_since = None;
    }

    /// Makes everything read of it void, and has nothing more read: from here on it may be assigned anew.
    fn void(&self) {
        self.claim.revoke();
        if let Some(log) = self.log() {
            log.close();
        }
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
            waits_since: None,
            end: None,
            stored_next: 0,
            told: 0,
        };
        if let Some(old) = self.topics.entry(Arc::clone(&claim.topic)).or_default().insert(partition, owned) {
            old.void();
        }
        claim
    }

    /// Starts a partition of ours anew under a fresh claim; `None` when it is not ours.
    pub fn renew(&mut self, topic: &str, partition: i32) -> Option<Arc<Claim>> {
        let claim = self.next_claim(topic, partition);
        let owned = self.get_mut(topic, partition)?;
        owned.void();
        owned.claim = Arc::clone(&claim);
        owned.state = State::Starting;
        Some(claim)
    }

    /// Gives a partition up.
    pub fn release(&mut self, topic: &str, partition: i32) -> Option<Owned> {
        let owned = self.topics.get_mut(topic)?.remove(&partition)?;
        owned.void();
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
            if let Some(assignment) = owned.assignment() {
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
    use super::*;

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
    fn a_wait_goes_on_over_rewinds_until_the_position_moves() {
        let mut table = Table::default();
        table.take("t", 0);
        table.get_mut("t", 0).unwrap().waits_since = Some(Instant::now());
        table.renew("t", 0).unwrap();
        let owned = table.get_mut("t", 0).unwrap();
        owned.note_stored(0);
        assert!(owned.waits_since.is_some(), "nothing was stored");
        owned.note_stored(1);
        assert_eq!((owned.waits_since, owned.stored_next), (None, 1));
        owned.waits_since = Some(Instant::now());
        owned.stop(StopReason::LogDiverged);
        assert!(owned.waits_since.is_none(), "it waits for somebody, not for the database");
    }

    #[test]
    fn back_off_grows_and_is_bounded() {
        assert_eq!(back_off(0), Duration::ZERO);
        assert_eq!(back_off(1), Duration::from_millis(200));
        assert_eq!(back_off(100), Duration::from_secs(5));
    }
}
