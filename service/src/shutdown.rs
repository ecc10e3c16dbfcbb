//! Two steps of stopping: finish what has begun, then leave at once.

use tokio_util::sync::CancellationToken;

/// The request to stop, shared by everything in the process.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    immediate: CancellationToken,
}

impl Shutdown {
    /// Nothing has been requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a graceful stop: take no new work, finish what has begun.
    pub fn request(&self) {
        self.drain.cancel();
    }

    /// Asks for a stop at once: abandon what has begun. Implies [`Shutdown::request`].
    pub fn request_immediate(&self) {
        self.drain.cancel();
        self.immediate.cancel();
    }

    /// Whether a stop of any kind has been asked for.
    pub fn is_requested(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Whether a stop at once has been asked for.
    pub fn is_immediate(&self) -> bool {
        self.immediate.is_cancelled()
    }

    /// Returns when a stop of any kind is asked for.
    pub async fn requested(&self) {
        self.drain.cancelled().await;
    }

    /// Returns when a stop at once is asked for.
    pub async fn immediate(&self) {
        self.immediate.cancelled().await;
    }

    /// The graceful step as a token, for libraries that take one.
    pub fn token(&self) -> &CancellationToken {
        &self.drain
    }
}
