//! A stopped process keeps its locks, in the middle of a COPY too, and no timeout of PostgreSQL fires there: a writer
//! that waits too long finds the holder and terminates it (semantics.md 4).

use std::pin::pin;
use std::time::Duration;

use tokio_postgres::Client;

/// How long a writer waits before it looks for a holder, and how old the holder's transaction must be.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

const TERMINATE: &str = include_str!("../../sql/terminate_blockers.sql");

/// Awaits an answer of `main`'s backend; as long as it does not come, ends what blocks it, through `side`.
pub(super) async fn watched<T>(side: &Client, backend: i32, answer: impl Future<Output = T>) -> T {
    let mut answer = pin!(answer);
    loop {
        tokio::select! {
            answer = &mut answer => return answer,
            () = tokio::time::sleep(PATIENCE) => terminate(side, backend).await,
        }
    }
}

/// Ends the sessions of our own role that block this backend, are not blocked themselves, and are old enough to be
/// stopped rather than busy. What fails here is only said: the writer goes on waiting.
async fn terminate(side: &Client, backend: i32) {
    let seconds = PATIENCE.as_secs_f64();
    match tokio::time::timeout(PATIENCE, side.query(TERMINATE, &[&backend, &seconds])).await {
        Ok(Ok(holders)) => {
            for holder in holders {
                let pid: i32 = holder.get(0);
                tracing::warn!(pid, "terminated a session that held locks for over five seconds");
            }
        }
        Ok(Err(error)) => tracing::warn!(%error, "cannot look for the holder of a lock"),
        Err(_) => tracing::warn!("looking for the holder of a lock took too long"),
    }
}
