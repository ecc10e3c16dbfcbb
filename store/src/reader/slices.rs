//! The way through a request's range of time, slice by slice in the page's order.

use shared::filter::{EventFilter, Order, PageKey};
use shared::position::Position;
use shared::timestamp::Timestamp;

use super::types::PageRequest;

/// A slice that took too long is cut to one of so many parts.
const PARTS: i64 = 8;

/// In microseconds, as every width here.
pub(super) const HOUR: i64 = 3_600_000_000;
pub(super) const DAY: i64 = 24 * HOUR;
/// Narrower slices are not tried: a millisecond that takes half a second is a server's trouble, not a width's.
const NARROWEST: i64 = 1_000;
/// 2000-01-01: what is older has one partition, and going up starts with all of it.
const OLD: Timestamp = Timestamp::from_micros(946_684_800_000_000);

/// Before every position at the same time: logs count from 1.
pub(super) const BEFORE_ALL: Position = Position { log_id: 0, offset: 0 };

/// A range of event time; `None` = without a bound on that side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// How wide it is, where it can hold events.
    width: i64,
    /// Whether nothing of the request lies beyond it.
    pub(super) is_last: bool,
}

impl Slice {
    pub(super) fn of(&self, request: &PageRequest, limit: u32) -> PageRequest {
        let filter = EventFilter { from: self.from, to: self.to, ..request.filter.clone() };
        PageRequest { filter, limit, ..request.clone() }
    }
}

/// The way through the request's range of time, in the page's order.
#[derive(Debug)]
pub(super) struct Slices {
    order: Order,
    /// The request's own bounds.
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// No event of interest is at or behind this.
    newest: i64,
    /// Everything on the near side of this has been looked at; `None` = nothing yet, and no bound to start from.
    pub(super) edge: Option<Timestamp>,
    width: i64,
    /// What is older than [`OLD`] takes too long in one slice.
    is_old_dense: bool,
}

impl Slices {
    /// From the request's near end on, with a slice of this width; as if there were no event at `newest` or behind it.
    pub(super) fn new(request: &PageRequest, newest: i64, width: i64) -> Self {
        let EventFilter { from, to, .. } = request.filter;
        let after = match request.after {
            Some(PageKey::Time(time, _)) => Some(time),
            _ => None,
        };
        let edge = match request.order {
            // The key's own time may hold more events; `to` is exclusive.
            Order::Descending => {
                let after = after.map(|time| Timestamp::from_micros(time.as_micros().saturating_add(1)));
                [to, after].into_iter().flatten().min()
            }
            Order::Ascending => from.max(after),
        };
        Self { order: request.order, from, to, newest, edge, width, is_old_dense: false }
    }

    pub(super) fn next(&self) -> Slice {
        match self.order {
            Order::Descending => self.next_older(),
            Order::Ascending => self.next_newer(),
        }
    }

    /// All that is left.
    pub(super) fn rest(&self) -> Slice {
        let (from, to) = match self.order {
            Order::Descending => (self.from, self.edge),
            Order::Ascending => (self.edge, self.to),
        };
        Slice { from, to, width: i64::MAX, is_last: true }
    }

    fn next_older(&self) -> Slice {
        let upper = self.edge.map_or(i64::MAX, Timestamp::as_micros).min(self.newest);
        let least = self.from.unwrap_or(Timestamp::MIN).as_micros();
        let lower = upper.saturating_sub(self.width);
        let is_last = lower <= least;
        let from = if is_last { self.from } else { Some(Timestamp::from_micros(lower)) };
        Slice { from, to: self.edge, width: upper.saturating_sub(lower.max(least)), is_last }
    }

    fn next_newer(&self) -> Slice {
        let lower = self.edge.unwrap_or(Timestamp::MIN).as_micros();
        let upper = if lower < OLD.as_micros() && !self.is_old_dense {
            OLD.as_micros()
        } else {
            lower.saturating_add(self.width)
        };
        let greatest = self.to.map_or(self.newest, |to| to.as_micros().min(self.newest));
        let is_last = upper >= greatest;
        let to = if is_last { self.to } else { Some(Timestamp::from_micros(upper)) };
        Slice { from: self.edge, to, width: upper.min(greatest).saturating_sub(lower), is_last }
    }

    /// Tries a narrower one in this one's place; answers whether that makes sense.
    pub(super) fn narrow(&mut self, slice: &Slice) -> bool {
        self.width = slice.width / PARTS;
        self.is_old_dense = true;
        self.width >= NARROWEST
    }

    /// This one has been looked at.
    pub(super) fn advance(&mut self, slice: &Slice) {
        self.edge = match self.order {
            Order::Descending => slice.from,
            Order::Ascending => slice.to,
        };
    }

    /// Makes the next slices so many times as wide.
    pub(super) fn widen(&mut self, times: i64) {
        self.width = self.width.saturating_mul(times);
    }
}

#[cfg(test)]
mod tests {
    use shared::filter::Sort;
    use shared::scope::Scope;

    use super::*;

    const NOW: i64 = 1_763_640_000_000_000;

    fn request(order: Order, from: Option<i64>, to: Option<i64>) -> PageRequest {
        let time = |micros: Option<i64>| micros.map(Timestamp::from_micros);
        PageRequest {
            filter: EventFilter { from: time(from), to: time(to), ..EventFilter::default() },
            scope: Scope::Organization("acme".to_owned()),
            sort: Sort::Time,
            order,
            limit: 10,
            after: None,
        }
    }

    /// All slices, each of which is quick.
    fn walk(request: &PageRequest) -> Vec<Slice> {
        let mut slices = Slices::new(request, NOW + 2 * DAY, DAY);
        let mut seen = Vec::new();
        loop {
            let slice = slices.next();
            seen.push(slice);
            if slice.is_last {
                return seen;
            }
            slices.advance(&slice);
            slices.widen(2);
        }
    }

    #[test]
    fn slices_cover_all_of_time_once_in_both_directions() {
        let older = walk(&request(Order::Descending, None, None));
        assert_eq!((older[0].to, older.last().unwrap().from), (None, None));
        assert!(older.windows(2).all(|pair| pair[0].from == pair[1].to && pair[0].from.is_some()));
        let newer = walk(&request(Order::Ascending, None, None));
        assert_eq!((newer[0].from, newer.last().unwrap().to), (None, None));
        assert!(newer.windows(2).all(|pair| pair[0].to == pair[1].from && pair[0].to.is_some()));
        assert!(older.len() < 25 && newer.len() < 25, "{} {}", older.len(), newer.len());
    }

    #[test]
    fn bounds_are_the_first_and_the_last_edge() {
        let (from, to) = (NOW - 400 * DAY, NOW - 30 * DAY);
        for order in [Order::Descending, Order::Ascending] {
            let slices = walk(&request(order, Some(from), Some(to)));
            let froms: Vec<_> = slices.iter().filter_map(|slice| slice.from).collect();
            let tos: Vec<_> = slices.iter().filter_map(|slice| slice.to).collect();
            assert_eq!(froms.iter().min().map(|time| time.as_micros()), Some(from));
            assert_eq!(tos.iter().max().map(|time| time.as_micros()), Some(to));
            assert!(slices.len() < 12, "{}", slices.len());
        }
        // A range that ends far in the future is not walked through from there.
        let slices = walk(&request(Order::Descending, Some(from), Some(Timestamp::MAX.as_micros())));
        assert!(slices[0].from.unwrap().as_micros() > NOW - 2 * DAY && slices.len() < 12);
    }

    #[test]
    fn a_slice_that_takes_too_long_is_narrowed_to_a_limit() {
        for order in [Order::Descending, Order::Ascending] {
            let mut slices = Slices::new(&request(order, None, None), NOW, DAY);
            let mut narrowed = 0;
            loop {
                let slice = slices.next();
                if !slices.narrow(&slice) {
                    break;
                }
                narrowed += 1;
                assert!(slices.next().width < slice.width && !slices.next().is_last);
            }
            assert!((5..20).contains(&narrowed), "{narrowed}");
        }
    }
}
