//! What a walk along recorded order reads next: the appends ahead of it, and how many of them at once.

use std::collections::VecDeque;

use shared::filter::{EventFilter, Order};

use super::recorded::AppendRange;
use super::statement::whole_step;
use super::types::RecordedCursor;

/// An append of so many rows is worth a statement of its own; smaller ones are read together.
const ALONE: usize = 64;
/// Statements of one step at most.
const STATEMENTS: usize = 8;
/// Rows that a step looks through when few of those before matched: twice as many each time, between these.
const SPARSE: (usize, usize) = (2_000, 64_000);

/// The appends that a walk has met and not passed: kept from chunk to chunk, they are looked up once. Empty is always
/// right, and what belongs to another place is not used.
#[derive(Debug, Default)]
pub struct Ahead {
    at: RecordedCursor,
    appends: VecDeque<AppendRange>,
    /// There are no more up to this append.
    ends_at: Option<i64>,
}

impl Ahead {
    /// Forgets what does not belong to a walk that stands here.
    pub(super) fn stand_at(&mut self, cursor: RecordedCursor) {
        if self.at != cursor {
            *self = Self { at: cursor, ..Self::default() };
        }
    }

    /// Whether nothing is known of what comes next.
    pub(super) fn is_empty(&self) -> bool {
        self.appends.is_empty()
    }

    /// Whether it is known that nothing comes next, up to this append.
    pub(super) fn is_at_end(&self, bound: i64) -> bool {
        self.appends.is_empty() && self.ends_at == Some(bound)
    }

    /// What was found from here on, up to `bound`; `is_all` = there is no more.
    pub(super) fn learn(&mut self, found: Vec<AppendRange>, bound: i64, is_all: bool, order: Order) {
        self.appends = found.into_iter().map(|append| append.beyond(self.at, order)).collect();
        self.ends_at = is_all.then_some(bound);
    }

    /// The walk has reached this place.
    pub(super) fn pass(&mut self, reached: RecordedCursor, order: Order) {
        self.at = reached;
        let is_passed = |append: &AppendRange| match order {
            Order::Ascending => append.append_no < reached.append_no,
            Order::Descending => append.append_no > reached.append_no,
        };
        while self.appends.front().is_some_and(is_passed) {
            self.appends.pop_front();
        }
        if let Some(first) = self.appends.front_mut() {
            *first = first.beyond(reached, order);
        }
    }

    /// The next step: appends until their rows come to what is wanted, or the statements to what is sensible.
    pub(super) fn next_step(&self, filter: &EventFilter, pace: Pace) -> Step {
        let mut step = Step { reads: Vec::new(), rows: 0, settles: self.at.append_no };
        for append in &self.appends {
            if step.is_enough(append, pace) {
                break;
            }
            step.settles = append.append_no;
            if append.may_match(filter) {
                step.add(*append, pace);
            }
        }
        step
    }
}

/// How much one step reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Rows still to find.
    pub(super) wanted: usize,
    /// Whether fewer are as good, if that spares reading rows twice.
    pub(super) may_be_short: bool,
    /// Rows to look through for them; as many as wanted when most match, as far as known.
    looks_at: usize,
}

impl Pace {
    /// Of a chunk of so many rows, before anything is known of the filter.
    pub(super) fn new(wanted: usize, may_be_short: bool) -> Self {
        Self { wanted, may_be_short, looks_at: wanted }
    }

    fn is_dense(self) -> bool {
        self.looks_at <= self.wanted
    }

    /// After a step that looked through so many rows and found so many.
    pub(super) fn after(self, looked_at: usize, found: usize) -> Self {
        let wanted = self.wanted.saturating_sub(found);
        let is_dense = self.is_dense() && found * 2 >= looked_at;
        let more = (self.looks_at * 2).clamp(SPARSE.0, SPARSE.1);
        Self { wanted, looks_at: if is_dense { wanted } else { more }, ..self }
    }
}

/// What one statement reads.
#[derive(Debug)]
pub(super) enum Read {
    /// The rows of one append.
    One(AppendRange),
    /// The rows of several.
    Many(Vec<AppendRange>),
}

/// Statements that are sent together.
#[derive(Debug)]
pub(super) struct Step {
    /// The statements, each with the rows to take of it at most.
    pub(super) reads: Vec<(Read, usize)>,
    /// The rows that all of it may hold.
    pub(super) rows: usize,
    /// The append that it ends with.
    pub(super) settles: i64,
}

impl Step {
    /// Whether the append is left for the next step.
    fn is_enough(&self, append: &AppendRange, pace: Pace) -> bool {
        let is_cut = self.rows + append.rows() > pace.looks_at;
        let is_good = pace.may_be_short && pace.is_dense() && self.rows * 2 >= pace.looks_at;
        self.rows >= pace.looks_at || self.reads.len() >= STATEMENTS || (is_cut && is_good)
    }

    fn add(&mut self, append: AppendRange, pace: Pace) {
        let rows = append.rows();
        let left = pace.wanted.saturating_sub(self.rows).max(1);
        match self.reads.last_mut() {
            _ if pace.is_dense() && rows >= ALONE => {
                let is_cut = pace.may_be_short && rows > left;
                let take = if is_cut { whole_step(left) } else { left };
                self.reads.push((Read::One(append), take));
            }
            Some((Read::Many(appends), _)) => appends.push(append),
            _ => self.reads.push((Read::Many(vec![append]), left)),
        }
        // An append without rows still costs a look.
        self.rows += rows.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appends 1, 2, … of so many rows each.
    fn ahead(rows: &[i64]) -> Ahead {
        let mut ahead = Ahead::default();
        let found = (1..).zip(rows).map(|(append_no, rows)| AppendRange::of_rows(append_no, *rows)).collect();
        ahead.learn(found, 99, true, Order::Ascending);
        ahead
    }

    /// The rows to take by each statement, `+` before those of several appends.
    fn shape(step: &Step) -> String {
        let read = |(read, take): &(Read, usize)| match read {
            Read::One(_) => format!("{take}"),
            Read::Many(appends) => format!("+{}:{take}", appends.len()),
        };
        step.reads.iter().map(read).collect::<Vec<_>>().join(" ")
    }

    fn step(rows: &[i64], pace: Pace) -> (String, i64) {
        let step = ahead(rows).next_step(&EventFilter::default(), pace);
        (shape(&step), step.settles)
    }

    #[test]
    fn whole_appends_are_read_rather_than_parts() {
        let stream = Pace::new(1000, true);
        assert_eq!(step(&[800, 800], stream), ("1000".to_owned(), 1));
        assert_eq!(step(&[300, 300, 300, 300], stream), ("1000 700 400".to_owned(), 3));
        // A page is filled to its last row.
        assert_eq!(step(&[800, 800], Pace::new(1000, false)), ("1000 200".to_owned(), 2));
        // What is cut anyhow is asked for in steps, so that nothing is sent in vain.
        assert_eq!(step(&[300, 5000], stream), ("1000 500".to_owned(), 2));
        assert_eq!(step(&[300, 5000], Pace::new(1000, false)), ("1000 700".to_owned(), 2));
    }

    #[test]
    fn small_appends_are_read_together() {
        let stream = Pace::new(1000, true);
        assert_eq!(step(&[1, 1, 0, 1], stream), ("+3:1000".to_owned(), 4));
        assert_eq!(step(&[1, 1, 200, 1], stream), ("+2:1000 998 +1:798".to_owned(), 4));
        assert_eq!(step(&[100; 20], stream).1, 8, "a few statements are enough for one step");
    }

    #[test]
    fn where_little_matches_more_is_looked_through() {
        let stream = Pace::new(1000, true);
        let pace = stream.after(1000, 600);
        assert_eq!((pace.wanted, pace.looks_at), (400, 400));
        let pace = stream.after(1000, 10);
        assert_eq!((pace.wanted, pace.looks_at), (990, 2000));
        assert_eq!(step(&[800, 800, 800, 800], pace), ("+3:990".to_owned(), 3));
        let pace = (0..9).fold(pace, |pace, _| pace.after(pace.looks_at, pace.looks_at));
        assert_eq!(pace.looks_at, 64_000);
    }

    #[test]
    fn what_is_known_belongs_to_one_place() {
        let mut ahead = ahead(&[10, 10]);
        ahead.pass(RecordedCursor { append_no: 1, offset: Some(3) }, Order::Ascending);
        let rest = ahead.next_step(&EventFilter::default(), Pace::new(1000, true));
        assert_eq!(rest.rows, 6 + 10);
        ahead.stand_at(RecordedCursor { append_no: 1, offset: Some(3) });
        assert!(!ahead.is_empty());
        ahead.pass(RecordedCursor::after_append(2), Order::Ascending);
        assert!(ahead.is_at_end(99) && !ahead.is_at_end(100));
        ahead.stand_at(RecordedCursor::START);
        assert!(ahead.is_empty() && !ahead.is_at_end(99));
    }
}
