//! Changes that need a lock which stops writers: waited for a moment only, then tried again, so that nobody queues
//! behind a wait.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::progress::Reporter;
use crate::error::StoreError;

const HOLDER: &str = include_str!("../../sql/lock_holder.sql");

/// How long one attempt waits for a lock, in milliseconds: writers wait so long at most. The last is longer than
/// `deadlock_timeout` (1 s by default), after which an autovacuum in the way gives up.
const LOCK_TIMEOUTS: [u32; 4] = [250, 500, 1_000, 2_000];
/// The longest that a change may take once it has its locks; it only changes the catalogue.
const STATEMENT_TIMEOUT: &str = "10s";
/// The first pause between attempts, in which writers go on; it doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// When it is given up.
const PATIENCE: Duration = Duration::from_mins(10);

/// What stops a change: something to tell the caller, or tables that are no longer what was read of them.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A table or an index went away, or a deadlock ended the change: look again.
    Moved,
    /// Anything else.
    Store(StoreError),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let moved = [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_OBJECT, SqlState::T_R_DEADLOCK_DETECTED];
        if error.code().is_some_and(|code| moved.contains(code)) {
            Self::Moved
        } else {
            Self::Store(error.into())
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Runs one change of the catalogue in a transaction of its own.
pub(super) async fn change(
    client: &Client,
    statement: &str,
    reporter: &mut Reporter<'_>,
) -> Result<(), Trouble> {
    let started = Instant::now();
    let mut pause = PAUSE;
    for attempt in 0.. {
        let lock_timeout = LOCK_TIMEOUTS[attempt.min(LOCK_TIMEOUTS.len() - 1)];
        let whole = format!(
            "begin; set local lock_timeout = {lock_timeout}; set local statement_timeout = '{STATEMENT_TIMEOUT}'; \
             {statement}; commit"
        );
        let Err(error) = client.batch_execute(&whole).await else { break };
        if client.is_closed() {
            return Err(error.into());
        }
        client.batch_execute("rollback").await?;
        let waited =
            [SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED, SqlState::T_R_DEADLOCK_DETECTED];
        if !error.code().is_some_and(|code| waited.contains(code)) {
            return Err(error.into());
        }
        if started.elapsed() >= PATIENCE {
            return Err(given_up(client).await?.into());
        }
        reporter.waiting(attempt + 1);
        tokio::time::sleep(pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    reporter.waiting(0);
    Ok(())
}

async fn given_up(client: &Client) -> Result<StoreError, Error> {
    let holder = match client.query_opt(HOLDER, &[]).await? {
        Some(row) => {
            let (pid, role, application): (i32, &str, &str) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            format!("the process {pid} ({role}, {application}) holds one: end it, then run this again")
        }
        None => "run this again".to_owned(),
    };
    let minutes = PATIENCE.as_secs() / 60;
    Ok(StoreError::Refused(format!("waited {minutes} minutes for a lock on audit.events: {holder}")))
}

/// A name of ours in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("audit.\"{}\"", name.replace('"', "\"\""))
}
