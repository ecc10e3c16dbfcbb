//! How much one answer may hold in memory, and histories within it.

use shared::scope::Scope;

use super::session::{self, Budget, Sorting};
use super::types::{AggregateKey, HistoryKey, HistoryRange};
use super::{Reader, events, history, is_possible};
use crate::error::StoreError;
use crate::row::EventRow;

/// The most bytes of one page's rows, about: a thousand events of a mebibyte would take a gibibyte. The page is short
/// then, and has a next one.
pub(super) const PAGE_BYTES: usize = 8 << 20;

impl Reader {
    /// A page of an aggregate's history: at most `limit` events and about eight mebibytes, and whether more follow.
    pub async fn history_page(
        &self,
        scope: &Scope,
        key: &AggregateKey,
        range: &HistoryRange,
        after: Option<HistoryKey>,
        limit: u32,
    ) -> Result<(Vec<EventRow>, bool), StoreError> {
        if !is_possible(key) {
            return Ok((Vec::new(), false));
        }
        let statement = history::history(scope, key, range, after, limit.saturating_add(1));
        let budget = Budget { rows: limit as usize, bytes: PAGE_BYTES, ..Budget::UNBOUNDED };
        let (rows, more) =
            session::read_within(&self.pool, scope, &statement, Sorting::Avoided, budget).await?;
        Ok((events(rows)?, more))
    }
}
