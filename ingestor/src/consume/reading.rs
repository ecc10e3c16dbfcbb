//! Where the reading of one partition stands: which offsets were handed on, and what a jump in them means.

use shared::account::DispositionKind;
use store::logs::LastRecord;

/// Consecutive offsets that no record stands for: `from` inclusive, `next` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first.
    pub from: i64,
    /// One after the last.
    pub next: i64,
    /// Why.
    pub kind: DispositionKind,
}

/// The reading of one partition within one assignment (semantics.md 4).
#[derive(Debug)]
pub struct Reading {
    next: i64,
    verify: Option<LastRecord>,
    position_trusted: bool,
}

/// What to do with a delivered record.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It is the next one; before it come these offsets, which Kafka will not deliver.
    Take {
        /// The hole in front of it.
        hole: Option<Run>,
        /// The stored last record was not delivered again, so nothing shows that the log is still the same.
        unverified: bool,
    },
    /// It is the stored last record, as it was: drop it.
    Verified,
    /// It was handed on before: drop it. librdkafka may repeat one around a pause.
    Repeated,
    /// The log in Kafka is not the log in the database.
    Diverged,
}

impl Reading {
    /// A reading that hands on from `next`; `verify` is the stored last record when it will be delivered first.
    pub fn from(next: i64, verify: Option<LastRecord>) -> Self {
        Self { next, verify, position_trusted: false }
    }

    /// The next offset to be handed on.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// Where to begin to fetch.
    pub fn fetch_from(&self) -> i64 {
        self.verify.as_ref().map_or(self.next, |last| last.offset)
    }

    /// Takes a record's offset into account. `digest` is asked for only when the record has to be compared.
    pub fn record(&mut self, offset: i64, digest: impl FnOnce() -> [u8; 32]) -> Step {
        // A message of this assignment proves that librdkafka's position belongs to it, too.
        self.position_trusted = true;
        let mut unverified = false;
        if let Some(last) = self.verify.take() {
            if offset == last.offset {
                return if digest() == last.digest { Step::Verified } else { Step::Diverged };
            }
            if offset < self.next {
                // Behind the last record and below the position the account knows no record.
                return Step::Diverged;
            }
            unverified = true;
        }
        if offset < self.next {
            return Step::Repeated;
        }
        let hole = (offset > self.next).then_some(self.hole_up_to(offset));
        self.next = offset + 1;
        Step::Take { hole, unverified }
    }

    /// The consumer's position after an empty poll: what lies between is markers and aborted records.
    pub fn position(&mut self, position: i64) -> Option<Run> {
        if !self.position_trusted || position <= self.next {
            return None;
        }
        self.verify = None;
        let run = self.hole_up_to(position);
        self.next = position;
        Some(run)
    }

    /// The consumer's position was seen to be reset, so from now on it speaks of this assignment.
    pub fn trust_position(&mut self) {
        self.position_trusted = true;
    }

    fn hole_up_to(&self, next: i64) -> Run {
        Run { from: self.next, next, kind: DispositionKind::NotDelivered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: [u8; 32] = [7; 32];

    fn verified_at(offset: i64, next: i64) -> Reading {
        Reading::from(next, Some(LastRecord { offset, digest: LAST }))
    }

    fn unasked() -> [u8; 32] {
        panic!("no comparison is due")
    }

    fn hole(from: i64, next: i64) -> Run {
        Run { from, next, kind: DispositionKind::NotDelivered }
    }

    #[test]
    fn takes_consecutive_records_and_names_holes() {
        let mut reading = Reading::from(5, None);
        assert_eq!(reading.record(5, unasked), Step::Take { hole: None, unverified: false });
        assert_eq!(reading.record(9, unasked), Step::Take { hole: Some(hole(6, 9)), unverified: false });
        assert_eq!(reading.next(), 10);
        assert_eq!(reading.record(9, unasked), Step::Repeated);
    }

    #[test]
    fn compares_and_drops_the_last_record() {
        let mut reading = verified_at(4, 5);
        assert_eq!(reading.fetch_from(), 4);
        assert_eq!(reading.record(4, || LAST), Step::Verified);
        assert_eq!(reading.fetch_from(), 5);
        assert_eq!(reading.record(5, unasked), Step::Take { hole: None, unverified: false });
    }

    #[test]
    fn other_bytes_are_another_log() {
        assert_eq!(verified_at(4, 5).record(4, || [8; 32]), Step::Diverged);
    }

    #[test]
    fn a_record_where_markers_were_is_another_log() {
        assert_eq!(verified_at(4, 8).record(6, unasked), Step::Diverged);
    }

    #[test]
    fn a_last_record_that_is_gone_cannot_be_compared() {
        let mut reading = verified_at(4, 5);
        assert_eq!(reading.record(7, unasked), Step::Take { hole: Some(hole(5, 7)), unverified: true });
    }

    #[test]
    fn a_position_counts_only_once_it_is_this_assignments() {
        let mut reading = Reading::from(5, None);
        assert_eq!(reading.position(9), None);
        reading.trust_position();
        assert_eq!(reading.position(9), Some(hole(5, 9)));
        assert_eq!(reading.position(9), None);
        assert_eq!(reading.record(9, unasked), Step::Take { hole: None, unverified: false });
        assert_eq!(reading.position(12), Some(hole(10, 12)));
    }
}
