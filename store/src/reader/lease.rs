//! A pooled connection on loan to one read. Who gives up a read half-way (his client has hung up) ends its statement too:
//! the connection neither works on for nobody nor goes back to the pool with somebody else's answer on its way.

use std::ops::Deref;
use std::time::Duration;

use deadpool_postgres::{Client as Pooled, Object, Pool};
use tokio::runtime::Handle;
use tracing::Instrument as _;

use crate::connect;
use crate::error::StoreError;

/// How long a cancelled statement may take to end before it is cancelled again: a request that comes while the server is
/// between two statements cancels nothing.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often it is tried. A server that does not react by then is left to its own time limits.
const TRIES: u32 = 10;

/// The connection, until [`Lease::give_back`].
pub(super) struct Lease {
    client: Option<Pooled>,
}

impl Lease {
    pub(super) async fn take(pool: &Pool) -> Result<Self, StoreError> {
        Ok(Self { client: Some(pool.get().await?) })
    }

    /// The read has come to its end, good or bad, and nothing more is on its way.
    pub(super) fn give_back(mut self) {
        drop(self.client.take());
    }
}

impl Deref for Lease {
    type Target = Pooled;

    fn deref(&self) -> &Pooled {
        self.client.as_ref().expect("only giving back takes it, which ends the lease")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(end(client).in_current_span())),
            Err(_) => drop(Object::take(client)),
        }
    }
}

/// Ends what the server does for this connection, and the connection. Until then it counts as one of the pool's: clients
/// that hang up again and again must not occupy more of the server than those that wait.
async fn end(client: Pooled) {
    let token = client.cancel_token();
    {
        // Answered once the server is done with everything before.
        let idle = client.batch_execute("rollback");
        let mut idle = std::pin::pin!(idle);
        for _ in 0..TRIES {
            let cancelling = tokio::time::timeout(PATIENCE, connect::cancel(&token));
            if let Ok(Err(error)) = cancelling.await {
                tracing::debug!(%error, "a statement that nobody waits for could not be cancelled");
            }
            if tokio::time::timeout(PATIENCE, idle.as_mut()).await.is_ok() {
                break;
            }
        }
    }
    // Never back to the pool: a late cancellation would hit its next user.
    drop(Object::take(client));
}
