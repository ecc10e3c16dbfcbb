//! Where times and ids come from: the machine, or whatever a test says.

use std::sync::Arc;

use shared::{
    clock::{Clock, SystemClock},
    timestamp::Timestamp,
};
use uuid::Uuid;

type Ids = dyn Fn() -> Uuid + Send + Sync;

/// The clock and the source of event ids; cheap to clone.
#[derive(Clone)]
pub struct Mint {
    clock: Arc<dyn Clock>,
    ids: Arc<Ids>,
}

impl std::fmt::Debug for Mint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mint")
    }
}

impl Mint {
    /// The machine's clock, and UUIDs of version 7.
    pub fn system() -> Self {
        Self::new(SystemClock, fresh_id)
    }

    /// A clock and a source of ids of your own, so that a test sees the same events every time.
    pub fn new(clock: impl Clock, ids: impl Fn() -> Uuid + Send + Sync + 'static) -> Self {
        Self { clock: Arc::new(clock), ids: Arc::new(ids) }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A fresh id.
    pub fn id(&self) -> Uuid {
        (self.ids)()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where producing services mint ids")]
fn fresh_id() -> Uuid {
    Uuid::now_v7()
}
