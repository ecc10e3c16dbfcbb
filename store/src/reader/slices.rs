//! Pages by time for one organisation where no index leads to its events: the index of time is walked slice by slice,
//! and what a second of it has found is the page. So even an organisation with a handful of events among millions of
//! others gets its list, in pages that may be short and have a next one.

use std::time::Duration;

use shared::filter::{EventFilter, Order, PageKey, Pattern, Sort};
use shared::position::Position;
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use tokio::time::Instant;

use super::page::is_selective;
use super::session::{self, Budget, LONGEST, Sorting};
use super::statement::Statement;
use super::types::{Page, PageRequest};
use super::{Reader, bounded};
use crate::error::StoreError;
use crate::indexes::{Lookup, UsableIndexes};
use crate::row::EventRow;
use crate::sql_types::Micros;

const NEWEST: &str = include_str!("../../sql/newest_append_time.sql");

/// How long one page is looked for (semantics.md 7: short after a second of scanning).
const SCAN: Duration = Duration::from_secs(1);
/// How long one slice may take before a narrower one is tried.
const SLICE: Duration = Duration::from_millis(500);
/// A slice that took less is followed by one twice as wide.
const QUICK: Duration = Duration::from_millis(50);
/// A slice that took too long is cut to one of so many parts.
const PARTS: i64 = 8;

const DAY: i64 = 86_400_000_000;
/// The first slice: behind it each is twice as wide while that is quick, so that empty years cost little.
const FIRST: i64 = DAY;
/// Narrower slices are not tried: a millisecond that takes half a second is a server's trouble, not a width's.
const NARROWEST: i64 = 1_000;
/// Event times are at most a day ahead of the ingestor's clock (semantics.md 1); a day more for clocks that differ.
const AHEAD: i64 = 2 * DAY;
/// 2000-01-01: what is older has one partition, and going up starts with all of it.
const OLD: Timestamp = Timestamp::from_micros(946_684_800_000_000);

/// Whether the request is of one organisation alone and nothing but time leads to its events.
pub(super) fn are_needed(request: &PageRequest, indexes: UsableIndexes) -> bool {
    let filter = &request.filter;
    let without_globs = !filter.event_type.iter().any(|pattern| matches!(pattern, Pattern::Glob(_)));
    let by_type = !filter.event_type.is_empty() && without_globs && indexes.has(Lookup::EventType);
    let by_user = !filter.user_id.is_empty() && indexes.has(Lookup::User);
    request.sort == Sort::Time
        && request.scope.organization().is_some()
        && !indexes.has(Lookup::Organization)
        && !(by_type || by_user || is_selective(filter, indexes))
}

impl Reader {
    /// A page that may be short: what a second of looking has found.
    pub(super) async fn sliced_page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        let mut page = Page { events: Vec::new(), next: None };
        let Some(recorded) = self.newest_append_time().await? else { return Ok(page) };
        let mut slices = Slices::new(request, recorded);
        let started = Instant::now();
        let mut bytes = 0;
        loop {
            let slice = slices.next();
            let begun = Instant::now();
            let left = request.limit.saturating_sub(u32::try_from(page.events.len()).unwrap_or(u32::MAX));
            let budget =
                Budget { rows: left as usize, bytes: bounded::PAGE_BYTES.saturating_sub(bytes), time: SLICE };
            let found = match self.time_page(&slice.of(request, left), budget).await {
                Err(StoreError::Timeout) if started.elapsed() < LONGEST && slices.narrow(&slice) => continue,
                found => found?,
            };
            bytes += found.events.iter().map(EventRow::size).sum::<usize>();
            page.events.extend(found.events);
            if found.next.is_some() || slice.is_last {
                page.next = found.next;
                return Ok(page);
            }
            slices.advance(&slice, begun.elapsed() < QUICK);
            let is_full = page.events.len() >= request.limit as usize || bytes >= bounded::PAGE_BYTES;
            if is_full || started.elapsed() >= SCAN {
                page.next = slices.edge.map(|edge| PageKey::Time(edge, BEFORE_ALL));
                return Ok(page);
            }
        }
    }

    /// No event is newer than this and what may be ahead of it; `None` = there are no events.
    async fn newest_append_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let rows =
            session::read(&self.pool, &Scope::All, &Statement::new(NEWEST), Sorting::AsPlanned).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let Micros(recorded) = row.try_get(0)?;
        Ok(Some(recorded))
    }
}

/// Before every position at the same time: logs count from 1.
const BEFORE_ALL: Position = Position { log_id: 0, offset: 0 };

/// A range of event time; `None` = without a bound on that side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slice {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// How wide it is, where it can hold events.
    width: i64,
    /// Whether nothing of the request lies beyond it.
    is_last: bool,
}

impl Slice {
    fn of(&self, request: &PageRequest, limit: u32) -> PageRequest {
        let filter = EventFilter { from: self.from, to: self.to, ..request.filter.clone() };
        PageRequest { filter, limit, ..request.clone() }
    }
}

/// The way through the request's range of time, in the page's order.
#[derive(Debug)]
struct Slices {
    order: Order,
    /// The request's own bounds.
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// No event is at or behind this.
    newest: i64,
    /// Everything on the near side of this has been looked at; `None` = nothing yet, and no bound to start from.
    edge: Option<Timestamp>,
    width: i64,
    /// What is older than [`OLD`] takes too long in one slice.
    is_old_dense: bool,
}

impl Slices {
    fn new(request: &PageRequest, recorded: Timestamp) -> Self {
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
        let newest = recorded.as_micros().saturating_add(AHEAD);
        Self { order: request.order, from, to, newest, edge, width: FIRST, is_old_dense: false }
    }

    fn next(&self) -> Slice {
        match self.order {
            Order::Descending => self.next_older(),
            Order::Ascending => self.next_newer(),
        }
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
    fn narrow(&mut self, slice: &Slice) -> bool {
        self.width = slice.width / PARTS;
        self.is_old_dense = true;
        self.width >= NARROWEST
    }

    /// This one has been looked at.
    fn advance(&mut self, slice: &Slice, was_quick: bool) {
        self.edge = match self.order {
            Order::Descending => slice.from,
            Order::Ascending => slice.to,
        };
        if was_quick {
            self.width = self.width.saturating_mul(2);
        }
    }
}

#[cfg(test)]
mod tests {
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
        let mut slices = Slices::new(request, Timestamp::from_micros(NOW));
        let mut seen = Vec::new();
        loop {
            let slice = slices.next();
            seen.push(slice);
            if slice.is_last {
                return seen;
            }
            slices.advance(&slice, true);
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
            let mut slices = Slices::new(&request(order, None, None), Timestamp::from_micros(NOW));
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

    #[test]
    fn only_an_organisation_without_an_index_needs_them() {
        let mut request = request(Order::Descending, None, None);
        assert!(are_needed(&request, UsableIndexes::NONE));
        assert!(!are_needed(&request, UsableIndexes::NONE.with(Lookup::Organization)));
        request.filter.user_id = vec!["u".to_owned()];
        assert!(are_needed(&request, UsableIndexes::NONE));
        assert!(!are_needed(&request, UsableIndexes::NONE.with(Lookup::User)));
        request.scope = Scope::All;
        assert!(!are_needed(&request, UsableIndexes::NONE));
    }
}
