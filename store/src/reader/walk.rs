//! Walking recorded order: chunks for streams, pages for `sort=recorded`, in either direction.

use shared::filter::{EventFilter, Order, PageKey};
use shared::scope::Scope;
use tokio::time::Instant;

use super::recorded::{self, AppendRange};
use super::session::{self, Budget, Sorting};
use super::types::{ChunkLimits, Page, PageRequest, RecordedChunk, RecordedCursor};
use super::{Reader, bounded, events, explain};
use crate::error::StoreError;
use crate::row::EventRow;

impl Reader {
    /// The next matching rows in recorded order after the cursor, up to append `until` (inclusive). It may hold fewer
    /// rows than there are, none even: `reached` says how far it looked.
    pub async fn recorded_chunk(
        &self,
        scope: &Scope,
        filter: &EventFilter,
        after: RecordedCursor,
        until: i64,
        limits: ChunkLimits,
    ) -> Result<RecordedChunk, StoreError> {
        self.walk(scope, filter, after, until, limits, Order::Ascending).await
    }

    /// The plan by which the first events after the cursor are read; empty when nothing can match.
    pub async fn explain_recorded(
        &self,
        scope: &Scope,
        filter: &EventFilter,
        after: RecordedCursor,
        until: i64,
    ) -> Result<Vec<String>, StoreError> {
        let statement = recorded::appends(after, until, Order::Ascending);
        let found = session::read(&self.pool, scope, &statement, Sorting::AsPlanned).await?;
        let appends: Vec<AppendRange> = found.iter().map(AppendRange::read).collect::<Result<_, _>>()?;
        let groups = recorded::groups(&appends, filter, after, Order::Ascending);
        let Some((group, _)) = groups.into_iter().find(|(group, _)| !group.is_empty()) else {
            return Ok(Vec::new());
        };
        let statement = recorded::rows(scope, filter, &group, Order::Ascending, 1001);
        explain::explain(&self.pool, scope, &statement, Sorting::Avoided).await
    }

    pub(super) async fn recorded_page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        let PageRequest { filter, scope, order, .. } = request;
        let limits =
            ChunkLimits { rows: request.limit, bytes: bounded::PAGE_BYTES, ..ChunkLimits::default() };
        let after = match request.after {
            Some(PageKey::Recorded { append_no, offset }) => Some(RecordedCursor { append_no, offset }),
            _ => None,
        };
        let ascending = *order == Order::Ascending;
        let bound = if ascending { self.head().await? } else { 1 };
        let start = match after {
            Some(cursor) => cursor,
            None if ascending => RecordedCursor::START,
            None => RecordedCursor { append_no: self.head().await?, offset: None },
        };
        let chunk = self.walk(scope, filter, start, bound, limits, *order).await?;
        let next = (ascending || !chunk.complete).then(|| chunk.reached.into());
        Ok(Page { events: chunk.rows, next })
    }

    /// Recorded order in either direction, up to append `bound` (inclusive).
    async fn walk(
        &self,
        scope: &Scope,
        filter: &EventFilter,
        after: RecordedCursor,
        bound: i64,
        limits: ChunkLimits,
        order: Order,
    ) -> Result<RecordedChunk, StoreError> {
        let deadline = Instant::now() + limits.scan;
        let mut chunk = RecordedChunk { rows: Vec::new(), reached: after, complete: false };
        let mut bytes = 0;
        loop {
            let statement = recorded::appends(chunk.reached, bound, order);
            let found = session::read(&self.pool, scope, &statement, Sorting::AsPlanned).await?;
            let appends: Vec<AppendRange> = found.iter().map(AppendRange::read).collect::<Result<_, _>>()?;
            for (group, settled) in recorded::groups(&appends, filter, chunk.reached, order) {
                let budget = Budget {
                    rows: (limits.rows as usize).saturating_sub(chunk.rows.len()),
                    bytes: limits.bytes.saturating_sub(bytes),
                    ..Budget::UNBOUNDED
                };
                let (rows, more) = self.group_rows(scope, filter, &group, order, budget).await?;
                bytes += rows.iter().map(EventRow::size).sum::<usize>();
                let last = rows.last().map(place).transpose()?;
                chunk.rows.extend(rows);
                chunk.reached = match last {
                    Some(last) if more => last,
                    _ => beyond(settled, order),
                };
                let full = chunk.rows.len() >= limits.rows as usize || bytes >= limits.bytes;
                if more || full || Instant::now() >= deadline {
                    chunk.complete = is_behind(chunk.reached, bound, order);
                    return Ok(chunk);
                }
            }
            if !recorded::is_full(appends.len()) {
                chunk.reached = chunk.reached.max_in(beyond(bound, order), order);
                chunk.complete = true;
                return Ok(chunk);
            }
        }
    }

    async fn group_rows(
        &self,
        scope: &Scope,
        filter: &EventFilter,
        group: &[AppendRange],
        order: Order,
        budget: Budget,
    ) -> Result<(Vec<EventRow>, bool), StoreError> {
        if group.is_empty() {
            return Ok((Vec::new(), false));
        }
        let limit = u32::try_from(budget.rows).unwrap_or(u32::MAX).saturating_add(1);
        let statement = recorded::rows(scope, filter, group, order, limit);
        // Without this the planner intersects the order index with all of the append's time range, chunk after chunk.
        let (rows, more) =
            session::read_within(&self.pool, scope, &statement, Sorting::Avoided, budget).await?;
        Ok((events(rows)?, more))
    }
}

/// The place of a row that [`recorded::rows`] read.
fn place(row: &EventRow) -> Result<RecordedCursor, StoreError> {
    Ok(RecordedCursor { append_no: row.extra(0)?, offset: Some(row.position().offset) })
}

/// Behind everything of this append, in this direction.
fn beyond(append_no: i64, order: Order) -> RecordedCursor {
    match order {
        Order::Ascending => RecordedCursor::after_append(append_no),
        Order::Descending => RecordedCursor { append_no: append_no.saturating_sub(1), offset: None },
    }
}

/// Whether nothing is left between the cursor and the bound.
fn is_behind(cursor: RecordedCursor, bound: i64, order: Order) -> bool {
    match order {
        Order::Ascending => cursor.append_no > bound,
        Order::Descending => cursor.append_no < bound,
    }
}

impl RecordedCursor {
    /// The further of two cursors that stand at the start of an append.
    fn max_in(self, other: Self, order: Order) -> Self {
        match order {
            Order::Ascending if other.append_no > self.append_no => other,
            Order::Descending if other.append_no < self.append_no => other,
            _ => self,
        }
    }
}
