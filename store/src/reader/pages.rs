//! Pages by time, numbers of events, and the plans of pages: which way each request goes.

use shared::filter::{EventFilter, PageKey, Sort};
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use tokio_postgres::Row;

use super::page::{self, Bounds};
use super::session::{self, Budget, Sorting};
use super::statement::Statement;
use super::types::{Page, PageRequest};
use super::{Reader, bounded, events, explain, search, sliced};
use crate::error::StoreError;
use crate::indexes::UsableIndexes;
use crate::sql_types::Micros;

impl Reader {
    /// One page of the events that match (semantics.md 7).
    pub async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        if request.sort == Sort::Recorded {
            return self.recorded_page(request).await;
        }
        if sliced::are_needed(request, self.indexes()) {
            return self.sliced_page(request).await;
        }
        let budget = Budget { rows: request.limit as usize, bytes: bounded::PAGE_BYTES, ..Budget::UNBOUNDED };
        self.time_page(request, budget).await
    }

    pub(super) async fn time_page(&self, request: &PageRequest, budget: Budget) -> Result<Page, StoreError> {
        let indexes = self.indexes();
        if !search::has_index(&request.filter, indexes) {
            return self.time_page_by(request, budget, indexes, Bounds::Wide).await;
        }
        match self.looked_up_page(request, budget, indexes).await {
            Err(StoreError::Timeout) => {
                self.time_page_by(request, budget, search::without_index(indexes), Bounds::Wide).await
            }
            found => found,
        }
    }

    pub(super) async fn time_page_by(
        &self,
        request: &PageRequest,
        budget: Budget,
        indexes: UsableIndexes,
        bounds: Bounds,
    ) -> Result<Page, StoreError> {
        let limit = request.limit.saturating_add(1);
        let (statement, sorting) = page::time_page(request, limit, indexes, bounds);
        self.page_of(request, &statement, sorting, budget).await
    }

    /// The page of the events that match behind so many others, in time order: for clients that number their pages.
    ///
    /// What is skipped is walked past, so the caller bounds it. Answers less than the limit also where the rows would take
    /// more memory than a page may; then [`Page::next`] is there.
    pub async fn numbered_page(&self, request: &PageRequest, skip: u32) -> Result<Page, StoreError> {
        let limit = request.limit.saturating_add(1);
        let (statement, sorting) = page::skipping_page(request, limit, skip, self.indexes(), Bounds::Wide);
        let budget = Budget { rows: request.limit as usize, bytes: bounded::PAGE_BYTES, ..Budget::UNBOUNDED };
        self.page_of(request, &statement, sorting, budget).await
    }

    async fn page_of(
        &self,
        request: &PageRequest,
        statement: &Statement,
        sorting: Sorting,
        budget: Budget,
    ) -> Result<Page, StoreError> {
        let (rows, more) =
            session::read_within(&self.pool, &request.scope, statement, sorting, budget).await?;
        let events = events(rows)?;
        let next = events.last().filter(|_| more);
        let next = next.map(|event| PageKey::Time(event.timestamp(), event.position()));
        Ok(Page { events, next })
    }

    /// The plan of a page's statement, a line an entry: for `trailctl doctor`, and for the tests that pin it. Where a page
    /// is looked for by several, of the last one.
    pub async fn explain_page(&self, request: &PageRequest) -> Result<Vec<String>, StoreError> {
        let limit = request.limit.saturating_add(1);
        let (statement, sorting) = page::time_page(request, limit, self.indexes(), Bounds::Wide);
        explain::explain(&self.pool, &request.scope, &statement, sorting).await
    }

    /// How many events match; with a cap, at most that many are counted.
    pub async fn count(
        &self,
        filter: &EventFilter,
        scope: &Scope,
        cap: Option<u32>,
    ) -> Result<u64, StoreError> {
        let statement = page::count(filter, scope, cap, self.indexes());
        let rows = session::read(&self.pool, scope, &statement, Sorting::AsPlanned).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        Ok(count.unsigned_abs())
    }

    /// How many of the events that match did what (`metadata.action`, `""` = nothing said), and when the newest of them was.
    pub async fn count_by_action(
        &self,
        filter: &EventFilter,
        scope: &Scope,
    ) -> Result<Vec<(String, u64, Timestamp)>, StoreError> {
        let statement = page::by_action(filter, scope);
        let rows = session::read(&self.pool, scope, &statement, Sorting::AsPlanned).await?;
        rows.iter().map(of_action).collect()
    }
}

fn of_action(row: &Row) -> Result<(String, u64, Timestamp), StoreError> {
    let (count, Micros(newest)): (i64, Micros) = (row.try_get(1)?, row.try_get(2)?);
    Ok((row.try_get(0)?, count.unsigned_abs(), newest))
}
