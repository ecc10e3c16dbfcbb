//! A whole list without pages: what `GET /v1/events` streams as NDJSON.

use store::{PageRequest, Reader, StoreError};

use super::{Chunk, RowBudget, Walk};
use crate::respond::REPLAY_LIMITS;

/// Page after page of one list.
pub struct PageWalk {
    reader: Reader,
    request: PageRequest,
    budget: RowBudget,
}

impl PageWalk {
    /// From the request's own start; its limit is not looked at.
    pub fn new(reader: Reader, request: PageRequest) -> Self {
        Self { reader, request, budget: RowBudget::new() }
    }
}

impl Walk for PageWalk {
    async fn next(&mut self) -> Result<Chunk, StoreError> {
        self.request.limit = self.budget.rows();
        let page = self.reader.page(&self.request).await?;
        self.budget.learn(&page.events, REPLAY_LIMITS.bytes);
        // Ascending recorded order always has a next key: there the end is a page that moves nothing on.
        let complete = page.next.is_none() || page.next == self.request.after;
        self.request.after = page.next;
        Ok(Chunk { rows: page.events, complete, reached: None })
    }
}
