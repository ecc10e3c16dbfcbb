//! Pages by time of what an index over payloads leads to. The index has no time in it and answers with all that may match,
//! each of which is then looked at: little work for what few payloads contain. A page of what many contain is found sooner
//! in a narrow range of time, so some of those are looked at first, and then all the rest at once.

use std::time::Duration;

use shared::filter::PageKey;
use shared::timestamp::Timestamp;
use tokio::time::Instant;

use super::Reader;
use super::page::Bounds;
use super::session::Budget;
use super::slices::{BEFORE_ALL, HOUR, Slices};
use super::types::{Page, PageRequest};
use crate::error::StoreError;
use crate::indexes::UsableIndexes;
use crate::row::EventRow;

/// How long an index over payloads is asked. It answers in a few milliseconds for what few payloads contain; where it takes
/// longer, so many do that a page of them is soon found along time.
const LONGEST: Duration = Duration::from_millis(300);
/// A narrow range that took longer is the last one: its part of the index of time is read as well.
const QUICK: Duration = Duration::from_millis(5);
/// Narrow ranges that are looked at, and how many of them without finding anything.
const MOST: u32 = 6;
const MOST_EMPTY: u32 = 2;
/// How much wider than the range before a range is at most.
const MOST_WIDER: usize = 64;

impl Reader {
    /// The page by the index; [`StoreError::Timeout`] where that takes too long.
    pub(super) async fn looked_up_page(
        &self,
        request: &PageRequest,
        budget: Budget,
        indexes: UsableIndexes,
    ) -> Result<Page, StoreError> {
        let deadline = Instant::now() + budget.time.min(LONGEST);
        let mut page = Page { events: Vec::new(), next: None };
        let newest = self.newest_append_time().await?.unwrap_or(Timestamp::MAX).as_micros();
        let mut slices = Slices::new(request, newest, HOUR);
        let mut looks = Looks { left: MOST, left_empty: MOST_EMPTY };
        let mut left = budget;
        loop {
            let slice = if looks.left > 0 { slices.next() } else { slices.rest() };
            let begun = Instant::now();
            left.time = deadline.checked_duration_since(begun).ok_or(StoreError::Timeout)?;
            let limit = u32::try_from(left.rows).unwrap_or(u32::MAX).min(request.limit);
            let bounds = if slice.is_last { Bounds::Wide } else { Bounds::Narrow };
            let found = self.time_page_by(&slice.of(request, limit), left, indexes, bounds).await?;
            let rows = found.events.len();
            left.rows = left.rows.saturating_sub(rows);
            left.bytes = left.bytes.saturating_sub(found.events.iter().map(EventRow::size).sum());
            page.events.extend(found.events);
            if found.next.is_some() || slice.is_last {
                page.next = found.next;
                return Ok(page);
            }
            slices.advance(&slice);
            if left.rows == 0 || left.bytes == 0 {
                page.next = slices.edge.map(|edge| PageKey::Time(edge, BEFORE_ALL));
                return Ok(page);
            }
            slices.widen(looks.done(rows, left.rows, begun.elapsed()));
        }
    }
}

/// The narrow ranges still to look at.
struct Looks {
    left: u32,
    left_empty: u32,
}

impl Looks {
    /// One took this long and found so many of what the page wants: how many times as wide the next one is, so that it
    /// has all that is still wanted.
    fn done(&mut self, found: usize, wanted: usize, took: Duration) -> i64 {
        self.left -= 1;
        if found == 0 {
            self.left_empty -= 1;
        }
        if took > QUICK || self.left_empty == 0 {
            self.left = 0;
        }
        let times = (wanted + wanted / 2).div_ceil(found.max(1)).clamp(1, MOST_WIDER);
        i64::try_from(times).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    #[test]
    fn the_next_range_is_as_wide_as_what_is_wanted_needs() {
        let mut looks = Looks { left: MOST, left_empty: MOST_EMPTY };
        assert_eq!(looks.done(10, 90, AT_ONCE), 14);
        assert_eq!(looks.done(90, 10, AT_ONCE), 1);
        assert_eq!(looks.done(1, 1000, AT_ONCE), 64);
        assert_eq!(looks.done(0, 100, AT_ONCE), 64);
        assert_eq!(looks.left, MOST - 4);
    }

    #[test]
    fn narrow_ranges_end_where_they_find_nothing_or_take_long() {
        let mut looks = Looks { left: MOST, left_empty: MOST_EMPTY };
        looks.done(0, 100, AT_ONCE);
        assert!(looks.left > 0);
        looks.done(0, 100, AT_ONCE);
        assert_eq!(looks.left, 0);
        let mut slow = Looks { left: MOST, left_empty: MOST_EMPTY };
        slow.done(50, 50, QUICK * 2);
        assert_eq!(slow.left, 0);
    }
}
