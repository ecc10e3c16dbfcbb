//! One read = one read-only transaction on a pooled connection, its four messages sent in one flush.

use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error};

use crate::connect;
use crate::error::StoreError;

/// The settings of every reading session (semantics.md 7, 11; research: a custom plan over 252 leaves takes 12 ms).
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("plan_cache_mode", "force_generic_plan"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
];

/// How long a request waits for a free connection before it is told that the database is unavailable.
const WAIT: Duration = Duration::from_secs(5);

struct OurConnect;

impl Connect for OurConnect {
    fn connect(&self, config: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        let config = config.clone();
        async move { connect::open(&config).await }.boxed()
    }
}

pub(crate) fn pool(config: Config, max_connections: usize) -> Result<Pool, StoreError> {
    let manager =
        Manager::from_connect(config, OurConnect, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    Pool::builder(manager)
        .max_size(max_connections)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(WAIT))
        .recycle_timeout(Some(WAIT))
        .build()
        .map_err(|error| StoreError::Database(Box::new(error)))
}
