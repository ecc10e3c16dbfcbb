//! How full the pool of connections is: for metrics.

use super::Reader;

/// The pool at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Open connections that nobody uses.
    pub idle: usize,
    /// Connections in use.
    pub used: usize,
    /// Requests that wait for one.
    pub waiting: usize,
}

impl Reader {
    /// The pool now.
    pub fn pool_use(&self) -> PoolUse {
        let status = self.pool.status();
        PoolUse {
            idle: status.available,
            used: status.size.saturating_sub(status.available),
            waiting: status.waiting,
        }
    }
}
