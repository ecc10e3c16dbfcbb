//! Ways through the store, chunk by chunk, each chunk a short transaction of its own: no stream holds one open.

mod history;
mod pages;
mod recorded;

use std::time::Duration;

use store::{EventRow, RecordedCursor, StoreError};

pub use history::HistoryWalk;
pub use pages::PageWalk;
pub use recorded::RecordedWalk;

/// The next rows of a walk.
#[derive(Debug)]
pub struct Chunk {
    /// The rows; may be none before the end, when a filter is sparse.
    pub rows: Vec<EventRow>,
    /// Whether this was all.
    pub complete: bool,
    /// Up to where recorded order has been looked at, on walks along it.
    pub reached: Option<RecordedCursor>,
}

/// A way through the store.
pub trait Walk: Send {
    /// The next rows. Must not be called again after a complete chunk.
    fn next(&mut self) -> impl Future<Output = Result<Chunk, StoreError>> + Send;
}

/// Tries of one chunk, and the first pause between them; it doubles each time, so that they take about six seconds.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(200);

/// The next rows, also over a moment in which the database cannot answer: a stream that has begun is worth a wait.
pub async fn next(walk: &mut impl Walk) -> Result<Chunk, StoreError> {
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match walk.next().await {
            Err(error) if error.is_transient() => tracing::debug!(%error, "a chunk is read again"),
            read => return read,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    walk.next().await
}

/// How many rows to ask for: so many that they take about a mebibyte, judged by the chunk before. The database sends
/// every row of a limit, also those that a budget of bytes then drops.
#[derive(Debug)]
struct RowBudget {
    step: usize,
}

impl RowBudget {
    /// A few steps, so that few statements are prepared; the store rounds limits up to one more than these.
    const STEPS: [u32; 7] = [1, 10, 50, 100, 200, 500, 1000];
    /// The first chunk, before anything is known.
    const FIRST: usize = 3;

    fn new() -> Self {
        Self { step: Self::FIRST }
    }

    fn rows(&self) -> u32 {
        Self::STEPS[self.step]
    }

    fn learn(&mut self, rows: &[EventRow], bytes: usize) {
        let size: usize = rows.iter().map(EventRow::size).sum();
        if let Some(mean) = size.checked_div(rows.len()) {
            self.adapt(mean, bytes);
        }
    }

    fn adapt(&mut self, mean: usize, bytes: usize) {
        let fitting = Self::STEPS.iter().rposition(|rows| *rows as usize * mean <= bytes).unwrap_or(0);
        // Up step by step: one chunk of small events must not vouch for a thousand large ones.
        self.step = fitting.min(self.step + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_follow_the_size_of_their_rows() {
        let mut budget = RowBudget::new();
        let mut rows = |mean| {
            budget.adapt(mean, 1 << 20);
            budget.rows()
        };
        assert_eq!([rows(500), rows(500), rows(500), rows(500)], [200, 500, 1000, 1000]);
        assert_eq!([rows(1 << 20), rows(4 << 20), rows(100_000)], [1, 1, 10]);
    }
}
