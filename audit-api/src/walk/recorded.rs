//! Recorded order: (append number, offset), the order of tails and whole-store replays (semantics.md 6).

use shared::{filter::EventFilter, scope::Scope};
use store::{Ahead, ChunkLimits, Reader, RecordedCursor, StoreError};

use super::{Chunk, RowBudget, Walk};

/// Through recorded order, up to an append that may move on.
pub struct RecordedWalk {
    reader: Reader,
    scope: Scope,
    filter: EventFilter,
    cursor: RecordedCursor,
    until: i64,
    limits: ChunkLimits,
    budget: RowBudget,
    ahead: Ahead,
}

impl RecordedWalk {
    /// Behind `cursor`, up to append `until`.
    pub fn new(
        reader: Reader,
        scope: Scope,
        filter: EventFilter,
        cursor: RecordedCursor,
        until: i64,
        limits: ChunkLimits,
    ) -> Self {
        Self {
            reader,
            scope,
            filter,
            cursor,
            until,
            limits,
            budget: RowBudget::new(),
            ahead: Ahead::default(),
        }
    }

    /// Up to where everything has been looked at.
    pub fn cursor(&self) -> RecordedCursor {
        self.cursor
    }

    /// Goes on to this append, when it is further.
    pub fn extend(&mut self, until: i64) {
        self.until = self.until.max(until);
    }

    /// Whether everything up to the end has been looked at.
    pub fn is_complete(&self) -> bool {
        self.cursor.append_no > self.until
    }
}

impl Walk for RecordedWalk {
    async fn next(&mut self) -> Result<Chunk, StoreError> {
        if self.is_complete() {
            return Ok(Chunk { rows: Vec::new(), complete: true, reached: Some(self.cursor) });
        }
        let limits = ChunkLimits { rows: self.limits.rows.min(self.budget.rows()), ..self.limits };
        let Self { reader, scope, filter, cursor, until, ahead, .. } = self;
        let chunk = reader.recorded_chunk(scope, filter, *cursor, *until, limits, ahead).await?;
        self.budget.learn(&chunk.rows, limits.bytes);
        self.cursor = if chunk.complete { RecordedCursor::after_append(self.until) } else { chunk.reached };
        Ok(Chunk { rows: chunk.rows, complete: chunk.complete, reached: Some(self.cursor) })
    }
}
