//! How the reading of a partition begins: the database's position against what Kafka still has.

use shared::account::DispositionKind;
use store::logs::{LastRecord, Log};

use super::reading::Run;

/// What to do when records are gone from Kafka that were never read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnGap {
    /// Record, count, alarm, go on.
    Continue,
    /// Record nothing and wait for `trailctl ledger accept-gap`.
    Stop,
}

/// The first and the end offset that Kafka has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// The first.
    pub low: i64,
    /// One after the last that a reader of committed records may see.
    pub high: i64,
}

/// How a partition begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Read.
    Begin(Beginning),
    /// Do not read; look again later.
    Stop(StopReason),
}

/// Where the reading starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Offsets to be accounted for first.
    pub skipped: Option<Run>,
    /// The first offset to hand on.
    pub next: i64,
    /// The stored last record, which is fetched first and compared.
    pub verify: Option<LastRecord>,
    /// The stored last record is gone from Kafka, so it cannot be compared.
    pub last_record_gone: bool,
}

/// Why a partition is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StopReason {
    /// The log in Kafka is not the log in the database: its end is below the position, or its last record is another.
    LogDiverged,
    /// Records are gone, and the settings want that accepted by a person.
    Gap,
}

impl StopReason {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::LogDiverged, Self::Gap];

    /// The name in metrics, logs and the readiness detail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogDiverged => "log-diverged",
            Self::Gap => "gap",
        }
    }
}

/// Decides how to begin (semantics.md 4).
pub fn plan(log: &Log, kafka: Watermarks, on_gap: OnGap) -> Plan {
    let Watermarks { low, high } = kafka;
    if high < log.next_offset {
        return Plan::Stop(StopReason::LogDiverged);
    }
    if low > log.next_offset {
        return behind(log, low, on_gap);
    }
    let verify = log.last_record.filter(|last| last.offset >= low);
    let last_record_gone = verify.is_none() && log.last_record.is_some();
    Plan::Begin(Beginning { skipped: None, next: log.next_offset, verify, last_record_gone })
}

fn behind(log: &Log, low: i64, on_gap: OnGap) -> Plan {
    let kind = if log.next_offset == 0 { DispositionKind::BeforeStart } else { DispositionKind::Gap };
    let accepted = log.accepted_gap_to.is_some_and(|to| to >= low);
    if kind == DispositionKind::Gap && on_gap == OnGap::Stop && !accepted {
        return Plan::Stop(StopReason::Gap);
    }
    let skipped = Some(Run { from: log.next_offset, next: low, kind });
    Plan::Begin(Beginning { skipped, next: low, verify: None, last_record_gone: log.last_record.is_some() })
}

#[cfg(test)]
mod tests {
    use shared::position::LogName;

    use super::*;

    fn log(next_offset: i64, last: Option<i64>) -> Log {
        Log {
            log_id: 1,
            name: LogName { cluster: "c".into(), topic: "t".into(), partition: 0, incarnation: 1 },
            next_offset,
            last_record: last.map(|offset| LastRecord { offset, digest: [1; 32] }),
            accepted_gap_to: None,
        }
    }

    fn begins(plan: Plan) -> Beginning {
        match plan {
            Plan::Begin(beginning) => beginning,
            Plan::Stop(reason) => panic!("stopped: {reason:?}"),
        }
    }

    #[test]
    fn a_new_log_starts_at_the_beginning() {
        let beginning = begins(plan(&log(0, None), Watermarks { low: 0, high: 9 }, OnGap::Stop));
        assert_eq!((beginning.skipped, beginning.next, beginning.verify), (None, 0, None));
    }

    #[test]
    fn what_a_new_log_never_had_is_before_its_start() {
        let beginning = begins(plan(&log(0, None), Watermarks { low: 4, high: 9 }, OnGap::Stop));
        let run = Run { from: 0, next: 4, kind: DispositionKind::BeforeStart };
        assert_eq!((beginning.skipped, beginning.next), (Some(run), 4));
    }

    #[test]
    fn the_last_record_is_read_again() {
        let beginning = begins(plan(&log(7, Some(5)), Watermarks { low: 2, high: 9 }, OnGap::Continue));
        assert_eq!((beginning.next, beginning.verify.map(|last| last.offset)), (7, Some(5)));
    }

    #[test]
    fn a_last_record_gone_by_retention_is_said() {
        let beginning = begins(plan(&log(7, Some(5)), Watermarks { low: 6, high: 9 }, OnGap::Continue));
        assert_eq!((beginning.verify, beginning.last_record_gone), (None, true));
    }

    #[test]
    fn records_gone_unread_are_a_gap_or_stop() {
        let kafka = Watermarks { low: 8, high: 9 };
        let beginning = begins(plan(&log(7, Some(6)), kafka, OnGap::Continue));
        let run = Run { from: 7, next: 8, kind: DispositionKind::Gap };
        assert_eq!((beginning.skipped, beginning.next), (Some(run), 8));

        let mut stopped = log(7, Some(6));
        assert_eq!(plan(&stopped, kafka, OnGap::Stop), Plan::Stop(StopReason::Gap));
        stopped.accepted_gap_to = Some(7);
        assert_eq!(plan(&stopped, kafka, OnGap::Stop), Plan::Stop(StopReason::Gap));
        stopped.accepted_gap_to = Some(8);
        assert_eq!(begins(plan(&stopped, kafka, OnGap::Stop)).skipped, Some(run));
    }

    #[test]
    fn an_end_below_the_position_is_another_log() {
        let kafka = Watermarks { low: 0, high: 6 };
        assert_eq!(plan(&log(7, Some(6)), kafka, OnGap::Continue), Plan::Stop(StopReason::LogDiverged));
    }
}
