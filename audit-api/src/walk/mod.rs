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

/// How many rows to ask for where the store bounds rows and not bytes: so many that they take about a mebibyte,
/// judged by the chunk before.
#[derive(Debug)]
struct RowBudget(u32);

impl RowBudget {
    const FIRST: u32 = 64;
    const MOST: u32 = 1000;
    const BYTES: usize = 1 << 20;

    fn new() -> Self {
        Self(Self::FIRST)
    }

    fn rows(&self) -> u32 {
        self.0
    }

    fn learn(&mut self, rows: &[EventRow]) {
        let bytes: usize = rows.iter().map(EventRow::size).sum();
        let Some(mean) = bytes.checked_div(rows.len()) else { return };
        let fitting = u32::try_from(Self::BYTES / mean.max(1)).unwrap_or(Self::MOST);
        // Growth by doubling: one chunk of small events must not vouch for a thousand large ones.
        self.0 = fitting.clamp(1, Self::MOST).min(self.0.saturating_mul(2));
    }
}
