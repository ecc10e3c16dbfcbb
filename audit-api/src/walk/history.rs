//! The history of one aggregate, in history order (semantics.md 6).

use shared::scope::Scope;
use store::{AggregateKey, HistoryKey, HistoryRange, Reader, StoreError};

use super::{Chunk, RowBudget, Walk};
use crate::respond::REPLAY_LIMITS;

/// Through a history, from a place in it.
pub struct HistoryWalk {
    reader: Reader,
    scope: Scope,
    key: AggregateKey,
    range: HistoryRange,
    after: Option<HistoryKey>,
    budget: RowBudget,
}

impl HistoryWalk {
    /// Through this part of the history, behind `after`.
    pub fn new(
        reader: Reader,
        scope: Scope,
        key: AggregateKey,
        range: HistoryRange,
        after: Option<HistoryKey>,
    ) -> Self {
        Self { reader, scope, key, range, after, budget: RowBudget::new() }
    }
}

impl Walk for HistoryWalk {
    async fn next(&mut self) -> Result<Chunk, StoreError> {
        let limit = self.budget.rows();
        let read = self.reader.history_page(&self.scope, &self.key, &self.range, self.after, limit);
        let (rows, more) = read.await?;
        self.budget.learn(&rows, REPLAY_LIMITS.bytes);
        self.after = rows.last().map(HistoryKey::from).or(self.after);
        Ok(Chunk { rows, complete: !more, reached: None })
    }
}
