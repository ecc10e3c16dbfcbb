//! Pages by time for one organisation where no index leads to its events: the index of time is walked slice by slice,
//! and what a second of it has found is the page. So even an organisation with a handful of events among millions of
//! others gets its list, in pages that may be short and have a next one.

use std::time::Duration;

use shared::filter::{PageKey, Pattern, Sort};
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use tokio::time::Instant;

use super::page::is_selective;
use super::session::{self, Budget, LONGEST, Sorting};
use super::slices::{BEFORE_ALL, DAY, Slices};
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
/// Event times are at most a day ahead of the ingestor's clock (semantics.md 1); a day more for clocks that differ.
const AHEAD: i64 = 2 * DAY;

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
        // Behind the first slice each is twice as wide while that is quick, so that empty years cost little.
        let mut slices = Slices::new(request, recorded.as_micros().saturating_add(AHEAD), DAY);
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
            slices.advance(&slice);
            if begun.elapsed() < QUICK {
                slices.widen(2);
            }
            let is_full = page.events.len() >= request.limit as usize || bytes >= bounded::PAGE_BYTES;
            if is_full || started.elapsed() >= SCAN {
                page.next = slices.edge.map(|edge| PageKey::Time(edge, BEFORE_ALL));
                return Ok(page);
            }
        }
    }

    /// No event is newer than this and what may be ahead of it; `None` = there are no events.
    pub(super) async fn newest_append_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let rows =
            session::read(&self.pool, &Scope::All, &Statement::new(NEWEST), Sorting::AsPlanned).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let Micros(recorded) = row.try_get(0)?;
        Ok(Some(recorded))
    }
}

#[cfg(test)]
mod tests {
    use shared::filter::{EventFilter, Order};

    use super::*;

    #[test]
    fn only_an_organisation_without_an_index_needs_them() {
        let mut request = PageRequest {
            filter: EventFilter::default(),
            scope: Scope::Organization("acme".to_owned()),
            sort: Sort::Time,
            order: Order::Descending,
            limit: 10,
            after: None,
        };
        assert!(are_needed(&request, UsableIndexes::NONE));
        assert!(!are_needed(&request, UsableIndexes::NONE.with(Lookup::Organization)));
        request.filter.user_id = vec!["u".to_owned()];
        assert!(are_needed(&request, UsableIndexes::NONE));
        assert!(!are_needed(&request, UsableIndexes::NONE.with(Lookup::User)));
        request.scope = Scope::All;
        assert!(!are_needed(&request, UsableIndexes::NONE));
    }
}
