//! Who may still say something about a partition: the number that every record carries.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU8, AtomicUsize, Ordering},
    },
};

use shared::position::LogName;

/// One try at reading one partition: made when the group gives it to us, and anew at every rewind.
///
/// Records carry their claim, so whatever was read under an older one is dropped wherever it is met. That only saves
/// work: what decides is the position in the database (semantics.md 4).
#[derive(Debug)]
pub struct Claim {
    /// Never used twice in one process.
    pub number: u64,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    state: AtomicU8,
}

const CURRENT: u8 = 0;
const FAILED: u8 = 1;
const REVOKED: u8 = 2;

impl Claim {
    /// A claim that holds.
    pub fn new(number: u64, topic: Arc<str>, partition: i32) -> Self {
        Self { number, topic, partition, state: AtomicU8::new(CURRENT) }
    }

    /// Whether records read under it are still decoded.
    pub fn accepts_more(&self) -> bool {
        self.state.load(Ordering::Acquire) == CURRENT
    }

    /// Whether what was decoded under it may be appended: a failed claim keeps what came before its failure.
    pub fn may_append(&self) -> bool {
        self.state.load(Ordering::Acquire) != REVOKED
    }

    /// A lane gives up at one of its records; true for the first to say so.
    pub fn fail(&self) -> bool {
        self.state.compare_exchange(CURRENT, FAILED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The poll thread gives the partition up, or starts it anew.
    pub fn revoke(&self) {
        self.state.store(REVOKED, Ordering::Release);
    }
}

/// A claim whose log is known and that is being read.
#[derive(Debug)]
pub struct Assignment {
    /// The claim it belongs to.
    pub claim: Arc<Claim>,
    /// The log in this store.
    pub log_id: i32,
    /// The log's name.
    pub name: Arc<LogName>,
    /// The organisation of records that name none; `""` = none.
    pub organization: Arc<str>,
    /// Whether this topic may hold `$protected` values (semantics.md 9).
    pub replay_topic: bool,
    /// Which lane reads it; only that lane changes it.
    lane: AtomicUsize,
    /// How many [`Hold`]s there are.
    held: AtomicUsize,
    stored_next: AtomicI64,
}

impl Assignment {
    /// An assignment that starts with what the database says.
    pub fn new(
        claim: Arc<Claim>,
        log_id: i32,
        name: LogName,
        organization: Arc<str>,
        replay_topic: bool,
        lane: usize,
        stored_next: i64,
    ) -> Self {
        let name = Arc::new(name);
        Self {
            claim,
            log_id,
            name,
            organization,
            replay_topic,
            lane: AtomicUsize::new(lane),
            held: AtomicUsize::new(0),
            stored_next: AtomicI64::new(stored_next),
        }
    }

    /// Which lane reads it.
    pub fn lane(&self) -> usize {
        self.lane.load(Ordering::Relaxed)
    }

    /// Whether nothing of it is on its way to the database, so that any lane may have what comes next.
    pub fn is_idle(&self) -> bool {
        self.held.load(Ordering::Acquire) == 0
    }

    /// What comes next goes to this lane. Only for one that [`Self::is_idle`]: two lanes would overtake each other.
    pub fn move_to(&self, lane: usize) {
        self.lane.store(lane, Ordering::Relaxed);
    }

    /// The log's position, as far as this process stored or read it.
    pub fn stored_next(&self) -> i64 {
        self.stored_next.load(Ordering::Relaxed)
    }

    /// A batch has moved the position.
    pub fn stored_up_to(&self, next: i64) {
        self.stored_next.fetch_max(next, Ordering::Relaxed);
    }
}

/// Something of an assignment is in a batch: from its first record until it is stored or dropped.
#[derive(Debug)]
pub struct Hold(Arc<Assignment>);

impl Hold {
    /// Keeps the assignment in its lane.
    pub fn new(assignment: &Arc<Assignment>) -> Self {
        assignment.held.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(assignment))
    }
}

impl Deref for Hold {
    type Target = Arc<Assignment>;

    fn deref(&self) -> &Arc<Assignment> {
        &self.0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_idle_when_nothing_of_it_is_on_its_way() {
        let claim = Arc::new(Claim::new(1, "t".into(), 0));
        let name = LogName { cluster: "c".to_owned(), topic: "t".to_owned(), partition: 0, incarnation: 1 };
        let assignment = Arc::new(Assignment::new(claim, 1, name, "".into(), false, 0, 0));
        let (first, second) = (Hold::new(&assignment), Hold::new(&assignment));
        drop(first);
        assert!(!assignment.is_idle());
        drop(second);
        assert!(assignment.is_idle());
    }
}
