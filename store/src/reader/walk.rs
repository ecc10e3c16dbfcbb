//! Walking recorded order: chunks for streams, pages for `sort=recorded`, in either direction.

use shared::filter::{EventFilter, Order, PageKey};
use shared::scope::Scope;
use tokio::time::Instant;
use tokio_postgres::Row;

use super::ahead::{Ahead, Pace, Read, Step};
use super::recorded::{self, AppendRange};
use super::session::{self, Budget, Sorting};
use super::statement::Statement;
use super::types::{ChunkLimits, Page, PageRequest, RecordedChunk, RecordedCursor};
use super::{Reader, bounded, explain};
use crate::error::StoreError;
use crate::row::EventRow;

/// What is walked, and how far in one go.
#[derive(Clone, Copy)]
struct Walk<'a> {
    scope: &'a Scope,
    filter: &'a EventFilter,
    /// The last append, inclusive.
    bound: i64,
    limits: ChunkLimits,
    order: Order,
    /// Whether a chunk must be full when there is enough.
    fills: bool,
}

impl Reader {
    /// The next matching rows in recorded order after the cursor, up to append `until` (inclusive). It may hold fewer
    /// rows than there are, none even: `reached` says how far it looked. `ahead` is for the walker to keep.
    pub async fn recorded_chunk(
        &self,
        scope: &Scope,
        filter: &EventFilter,
        after: RecordedCursor,
        until: i64,
        limits: ChunkLimits,
        ahead: &mut Ahead,
    ) -> Result<RecordedChunk, StoreError> {
        let walk = Walk { scope, filter, bound: until, limits, order: Order::Ascending, fills: false };
        self.walk(&walk, after, ahead).await
    }

    /// The plan by which the first events after the cursor are read; empty when nothing can match.
    pub async fn explain_recorded(
        &self,
        scope: &Scope,
        filter: &EventFilter,
        after: RecordedCursor,
        until: i64,
    ) -> Result<Vec<String>, StoreError> {
        let limits = ChunkLimits::default();
        let walk = Walk { scope, filter, bound: until, limits, order: Order::Ascending, fills: false };
        let mut ahead = Ahead::default();
        ahead.stand_at(after);
        self.look_ahead(&walk, after, &mut ahead).await?;
        let step = ahead.next_step(filter, walk.pace());
        let Some((statement, _)) = walk.statements(&step, 0).into_iter().next() else {
            return Ok(Vec::new());
        };
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
        let walk = Walk { scope, filter, bound, limits, order: *order, fills: true };
        let chunk = self.walk(&walk, start, &mut Ahead::default()).await?;
        let next = (ascending || !chunk.complete).then(|| chunk.reached.into());
        Ok(Page { events: chunk.rows, next })
    }

    async fn walk(
        &self,
        walk: &Walk<'_>,
        after: RecordedCursor,
        ahead: &mut Ahead,
    ) -> Result<RecordedChunk, StoreError> {
        let deadline = Instant::now() + walk.limits.scan;
        let mut chunk = Draft { rows: Vec::new(), bytes: 0, reached: after };
        let mut pace = walk.pace();
        ahead.stand_at(after);
        loop {
            if ahead.is_empty() {
                self.look_ahead(walk, chunk.reached, ahead).await?;
            }
            if ahead.is_at_end(walk.bound) {
                chunk.reached = chunk.reached.max_in(beyond(walk.bound, walk.order), walk.order);
                ahead.pass(chunk.reached, walk.order);
                return Ok(chunk.finish(walk));
            }
            let step = ahead.next_step(walk.filter, pace);
            let found = self.take(walk, &step, &mut chunk).await?;
            ahead.pass(chunk.reached, walk.order);
            pace = pace.after(step.rows, found.rows);
            if found.is_cut || walk.is_enough(&chunk) || Instant::now() >= deadline {
                return Ok(chunk.finish(walk));
            }
        }
    }

    /// Looks up the next appends, unless it is known that there are none.
    async fn look_ahead(
        &self,
        walk: &Walk<'_>,
        from: RecordedCursor,
        ahead: &mut Ahead,
    ) -> Result<(), StoreError> {
        if ahead.is_at_end(walk.bound) {
            return Ok(());
        }
        let statement = recorded::appends(from, walk.bound, walk.order);
        let found = session::read(&self.pool, walk.scope, &statement, Sorting::AsPlanned).await?;
        let found: Vec<AppendRange> = found.iter().map(AppendRange::read).collect::<Result<_, _>>()?;
        let is_all = !recorded::is_full(found.len());
        ahead.learn(found, walk.bound, is_all, walk.order);
        Ok(())
    }

    /// Reads a step into the chunk.
    async fn take(&self, walk: &Walk<'_>, step: &Step, chunk: &mut Draft) -> Result<Found, StoreError> {
        let statements = walk.statements(step, chunk.bytes);
        let mut answers = Vec::new();
        if !statements.is_empty() {
            let statements: Vec<_> =
                statements.iter().map(|(statement, budget)| (statement, *budget)).collect();
            // Without this the planner intersects the order index with all of the append's time range, again and again.
            answers = session::read_each(&self.pool, walk.scope, &statements, Sorting::Avoided).await?;
        }
        let before = chunk.rows.len();
        for ((read, _), (rows, is_cut)) in step.reads.iter().zip(answers) {
            let all_fit = chunk.add(read, rows, walk.limits.bytes)?;
            if is_cut || !all_fit {
                return Ok(Found { rows: chunk.rows.len() - before, is_cut: true });
            }
        }
        chunk.reached = beyond(step.settles, walk.order);
        Ok(Found { rows: chunk.rows.len() - before, is_cut: false })
    }
}

impl Walk<'_> {
    fn pace(&self) -> Pace {
        Pace::new(self.limits.rows as usize, !self.fills)
    }

    fn statements(&self, step: &Step, bytes: usize) -> Vec<(Statement, Budget)> {
        let bytes = self.limits.bytes.saturating_sub(bytes);
        let statement = |(read, rows): &(Read, usize)| {
            let limit = u32::try_from(*rows).unwrap_or(u32::MAX).saturating_add(1);
            let statement = match read {
                Read::One(append) => {
                    recorded::rows_of_one(self.scope, self.filter, append, self.order, limit)
                }
                Read::Many(appends) => {
                    recorded::rows_of_many(self.scope, self.filter, appends, self.order, limit)
                }
            };
            (statement, Budget { rows: *rows, bytes, ..Budget::UNBOUNDED })
        };
        step.reads.iter().map(statement).collect()
    }

    fn is_enough(&self, chunk: &Draft) -> bool {
        let (rows, most) = (chunk.rows.len(), self.limits.rows as usize);
        rows >= most || chunk.bytes >= self.limits.bytes || (!self.fills && rows * 2 >= most)
    }
}

/// What a step found.
struct Found {
    rows: usize,
    /// Rows were left out.
    is_cut: bool,
}

/// A chunk being made.
struct Draft {
    rows: Vec<EventRow>,
    bytes: usize,
    reached: RecordedCursor,
}

impl Draft {
    /// Adds rows while the bytes last, always the first; whether all found room.
    fn add(&mut self, read: &Read, rows: Vec<Row>, most_bytes: usize) -> Result<bool, StoreError> {
        for row in rows {
            let bytes = self.bytes.saturating_add(row.raw_size_bytes());
            if !self.rows.is_empty() && bytes > most_bytes {
                return Ok(false);
            }
            self.bytes = bytes;
            let row = EventRow::new(row)?;
            let append_no = match read {
                Read::One(append) => append.append_no,
                Read::Many(_) => row.extra(0)?,
            };
            self.reached = RecordedCursor { append_no, offset: Some(row.position().offset) };
            self.rows.push(row);
        }
        Ok(true)
    }

    fn finish(self, walk: &Walk<'_>) -> RecordedChunk {
        let complete = is_behind(self.reached, walk.bound, walk.order);
        RecordedChunk { rows: self.rows, reached: self.reached, complete }
    }
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
