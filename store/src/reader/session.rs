//! One read = one read-only transaction on a pooled connection, its four messages sent in one flush.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use deadpool_postgres::{
    Client as Pooled, ClientWrapper, Connect, Hook, HookError, Manager, ManagerConfig, Pool, PoolBuilder,
    RecyclingMethod, Runtime,
};
use futures::future::{self, BoxFuture};
use futures::{FutureExt, TryStreamExt};
use postgres_types::ToSql;
use shared::scope::Scope;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, Row};

use super::lease::Lease;
use super::statement::Statement;
use crate::connect::{self, Prepared};
use crate::error::StoreError;
use crate::url::DatabaseUrl;

/// The settings of every reading session (semantics.md 7, 11; a custom plan over 252 leaves takes 12 ms to make).
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("plan_cache_mode", "force_generic_plan"),
    ("max_parallel_workers_per_gather", "0"),
];

/// How long a statement may take: the setting above, for each transaction anew.
pub(super) const LONGEST: Duration = Duration::from_secs(5);
/// How long a request waits for a free connection before it is told that the database is unavailable.
const WAIT: Duration = Duration::from_secs(1);
/// How long a new connection may take to make.
const CONNECT: Duration = Duration::from_secs(5);
/// Prepared statements that a connection keeps; a caller who varies his filters must not fill the server's memory.
const MOST_STATEMENTS: usize = 200;

const ENTER: &str = include_str!("../../sql/enter_scope.sql");
const IDENTITY: &str = include_str!("../../sql/server_identity.sql");

/// Whether the planner may sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sorting {
    /// As it sees fit: small results, looked up by an index that has another order.
    AsPlanned,
    /// Only what an index has ordered already (incrementally over ties); never a whole month for one page.
    Avoided,
}

/// What a collected stream of rows may hold, and cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub(super) rows: usize,
    pub(super) bytes: usize,
    pub(super) time: Duration,
}

impl Budget {
    pub(super) const UNBOUNDED: Self = Self { rows: usize::MAX, bytes: usize::MAX, time: LONGEST };
}

/// How the pool makes each of its connections: by the URL as it is then, for passwords and certificates change.
struct OurConnect {
    url: DatabaseUrl,
    application_name: String,
    settings: &'static [(&'static str, &'static str)],
    /// What is used while a file is just being replaced.
    first: Prepared,
}

impl Connect for OurConnect {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        let now = connect::configured(&self.url, &self.application_name, self.settings);
        let to = now.unwrap_or_else(|_| self.first.clone());
        async move { connect::open(&to).await }.boxed()
    }
}

pub(crate) fn pool(
    url: &DatabaseUrl,
    application_name: &str,
    settings: &'static [(&'static str, &'static str)],
    max_connections: usize,
) -> Result<Pool, StoreError> {
    built(builder(url, application_name, settings, max_connections)?)
}

/// A pool of reading sessions that refuses a connection to another server than the first one led to, or to another run of it.
pub(super) fn pool_of_one_server(
    url: &DatabaseUrl,
    application_name: &str,
    max_connections: usize,
) -> Result<Pool, StoreError> {
    let first = Arc::new(OnceLock::new());
    let check = Hook::async_fn(move |client: &mut ClientWrapper, _| {
        let first = Arc::clone(&first);
        async move {
            let row = client.query_one(IDENTITY, &[]).await.map_err(HookError::Backend)?;
            let server: String = row.try_get(0).map_err(HookError::Backend)?;
            if *first.get_or_init(|| server.clone()) == server {
                return Ok(());
            }
            Err(HookError::message("another server answers at this address than before"))
        }
        .boxed()
    });
    built(builder(url, application_name, SETTINGS, max_connections)?.post_create(check))
}

fn builder(
    url: &DatabaseUrl,
    application_name: &str,
    settings: &'static [(&'static str, &'static str)],
    max_connections: usize,
) -> Result<PoolBuilder, StoreError> {
    let first = connect::configured(url, application_name, settings)?;
    let config = first.config.clone();
    let ours =
        OurConnect { url: url.clone(), application_name: application_name.to_owned(), settings, first };
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    Ok(Pool::builder(Manager::from_connect(config, ours, recycling))
        .max_size(max_connections)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(CONNECT))
        .recycle_timeout(Some(CONNECT)))
}

fn built(builder: PoolBuilder) -> Result<Pool, StoreError> {
    builder.build().map_err(|error| StoreError::Database(Box::new(error)))
}

/// Runs a statement within the scope.
pub(super) async fn read(
    pool: &Pool,
    scope: &Scope,
    statement: &Statement,
    sorting: Sorting,
) -> Result<Vec<Row>, StoreError> {
    let (rows, _) = read_within(pool, scope, statement, sorting, Budget::UNBOUNDED).await?;
    Ok(rows)
}

/// Runs a statement and keeps rows while the budget lasts (always the first); answers whether any were left out.
pub(super) async fn read_within(
    pool: &Pool,
    scope: &Scope,
    statement: &Statement,
    sorting: Sorting,
    budget: Budget,
) -> Result<(Vec<Row>, bool), StoreError> {
    let mut read = read_each(pool, scope, &[(statement, budget)], sorting).await?;
    Ok(read.pop().expect("one answer for each statement"))
}

/// The same for several statements in one transaction, which the server works off one after the other without waiting
/// for us.
pub(super) async fn read_each(
    pool: &Pool,
    scope: &Scope,
    statements: &[(&Statement, Budget)],
    sorting: Sorting,
) -> Result<Vec<(Vec<Row>, bool)>, StoreError> {
    let client = Lease::take(pool).await?;
    let read = run_each(&client, scope, statements, sorting).await;
    client.give_back();
    Ok(read?)
}

async fn run_each(
    client: &Pooled,
    scope: &Scope,
    statements: &[(&Statement, Budget)],
    sorting: Sorting,
) -> Result<Vec<(Vec<Row>, bool)>, Error> {
    if client.statement_cache.size() > MOST_STATEMENTS {
        client.statement_cache.clear();
    }
    let mut prepared = Vec::with_capacity(statements.len());
    for (statement, _) in statements {
        prepared.push(prepare(client, statement).await?);
    }
    let entering = client.prepare_cached(ENTER).await?;
    let time = statements.iter().map(|(_, budget)| budget.time).max().unwrap_or(LONGEST);
    let each = prepared.iter().zip(statements);
    let collecting = each
        .map(|(prepared, (statement, budget))| collect(client, prepared, statement.parameters(), *budget));
    // Polled in this order, so sent in this order, in one flush; a failed statement makes COMMIT a rollback.
    let (begun, entered, rows, ended) = future::join4(
        client.batch_execute("begin read only"),
        enter_with(client, &entering, scope, sorting, time),
        future::join_all(collecting),
        client.batch_execute("commit"),
    )
    .await;
    begun?;
    entered?;
    let rows = rows.into_iter().collect::<Result<_, _>>()?;
    ended?;
    Ok(rows)
}

/// Sets the scope of the open transaction, and whether it may sort.
pub(super) async fn enter(client: &Pooled, scope: &Scope, sorting: Sorting) -> Result<(), Error> {
    let entering = client.prepare_cached(ENTER).await?;
    enter_with(client, &entering, scope, sorting, LONGEST).await
}

async fn enter_with(
    client: &Pooled,
    entering: &tokio_postgres::Statement,
    scope: &Scope,
    sorting: Sorting,
    time: Duration,
) -> Result<(), Error> {
    let (word, organization) = match scope {
        Scope::All => ("all", ""),
        Scope::Organization(own) => ("organization", own.as_str()),
    };
    let sort = if sorting == Sorting::Avoided { "off" } else { "on" };
    let timeout = format!("{}ms", time.as_millis().max(1));
    client.query(entering, &[&word, &organization, &sort, &timeout]).await.map(drop)
}

async fn prepare(client: &Pooled, statement: &Statement) -> Result<tokio_postgres::Statement, Error> {
    client.prepare_cached(&statement.sql).await
}

async fn collect<'a>(
    client: &Pooled,
    statement: &tokio_postgres::Statement,
    values: impl ExactSizeIterator<Item = &'a (dyn ToSql + Sync)>,
    budget: Budget,
) -> Result<(Vec<Row>, bool), Error> {
    let rows = client.query_raw(statement, values).await?;
    let mut rows = std::pin::pin!(rows);
    let (mut kept, mut bytes) = (Vec::new(), 0usize);
    while let Some(row) = rows.try_next().await? {
        bytes = bytes.saturating_add(row.raw_size_bytes());
        if !kept.is_empty() && (kept.len() >= budget.rows || bytes > budget.bytes) {
            return Ok((kept, true));
        }
        kept.push(row);
    }
    Ok((kept, false))
}
