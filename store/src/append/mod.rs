//! The append: one transaction for one batch, exactly as semantics.md 3 and 4 have it.
//!
//! What comes before the transaction is in `prepare` (order, ids) and `months` (partitions); `transaction` has
//! its three flushes; between the first and the second, `settle` decides about every id. A race with another writer is
//! redone from the start, at most [`REDOES`] times.

mod account;
mod blockers;
mod event_rows;
mod months;
mod outcome;
mod prepare;
mod recent;
mod rows;
mod settle;
mod transaction;

use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::batch::Batch;
use crate::connect;
use crate::error::{StoreError, is_race};
use crate::schema::require_known_schema;
use crate::url::DatabaseUrl;
use months::Months;
use prepare::Prepared;
use transaction::{Statements, Step};

pub use outcome::{AppendError, Appended, AppendedSpan};
pub use recent::RecentIds;

/// How often a batch is done again after another writer was first (semantics.md 3).
const REDOES: u32 = 5;
/// The longest first pause before a redo; it doubles each time, and each is a random part of it.
const PAUSE: Duration = Duration::from_millis(20);
/// How long partitions of a month may take to make.
const MONTH_PATIENCE: Duration = Duration::from_secs(30);

/// For so many batches all ids are looked up, after one that repeated an id which nobody here had seen.
const WARY: u32 = 64;

const CLASSES: &str = include_str!("../../sql/retention_classes.sql");
const BACKEND: &str = include_str!("../../sql/backend_pid.sql");

/// The settings of the transaction's session. The joins of its look-ups must go through the indexes whatever the
/// statistics say: tables are empty at first and grow by millions.
const SETTINGS: &[(&str, &str)] = &[
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("max_parallel_workers_per_gather", "0"),
    ("idle_in_transaction_session_timeout", "10s"),
];

/// Stores batches: one connection for the transactions, a second one for months and for stopped holders of locks.
pub struct Writer {
    main: Client,
    side: Client,
    /// The server process behind `main`.
    backend: i32,
    statements: Statements,
    months: Months,
    classes: Vec<String>,
    /// A transaction may be open: the append before was dropped or failed in the middle.
    unclean: bool,
    recent: RecentIds,
    /// For how many more batches all ids are looked up.
    wary: u32,
}

impl Writer {
    /// Connects, and checks the schema's version and that every class has its partitions.
    pub async fn connect(
        url: &DatabaseUrl,
        application_name: &str,
        classes: &[&str],
    ) -> Result<Self, StoreError> {
        Self::beside(url, application_name, classes, RecentIds::default()).await
    }

    /// The same, beside other writers that know the same ids.
    pub async fn beside(
        url: &DatabaseUrl,
        application_name: &str,
        classes: &[&str],
        recent: RecentIds,
    ) -> Result<Self, StoreError> {
        let config = connect::configured(url, application_name, SETTINGS)?;
        let (main, _task) = connect::open(&config).await?;
        require_known_schema(&main).await?;
        let side = connect::connect(url, &format!("{application_name}-side")).await?;
        let known: Vec<String> =
            main.query(CLASSES, &[]).await?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        if let Some(unknown) = classes.iter().find(|class| !known.iter().any(|name| name == **class)) {
            return Err(StoreError::Refused(format!(
                "the retention class {unknown:?} has no partitions: run `trailctl migrate` with this configuration"
            )));
        }
        Ok(Self {
            backend: main.query_one(BACKEND, &[]).await?.try_get(0)?,
            statements: Statements::prepare(&main).await?,
            months: Months::load(&side).await?,
            classes: known,
            unclean: false,
            recent,
            wary: 0,
            main,
            side,
        })
    }

    /// Whether a connection is gone: connect a new writer.
    pub fn is_closed(&self) -> bool {
        self.main.is_closed() || self.side.is_closed()
    }

    /// Stores the batch, or nothing of it.
    ///
    /// Dropping the future leaves the outcome unknown, as [`AppendError::Unavailable`] does: read the positions again.
    pub async fn append(&mut self, batch: &mut Batch) -> Result<Appended, AppendError> {
        batch.check()?;
        self.require_classes(batch)?;
        let mut prepared = Prepared::new(batch);
        let ids = prepared.distinct_ids();
        let suspects = self.recent.suspects(&ids);
        let mut redo = 0;
        loop {
            let checked = if redo > 0 || self.wary > 0 { &ids } else { &suspects };
            self.ensure_months(&prepared).await?;
            // Boxed: the future of the whole transaction is large, and callers hold it.
            match Box::pin(self.attempt(&mut prepared, checked)).await {
                Ok((appended, found)) => {
                    self.learn(redo > 0 || found > suspects.len());
                    return Ok(appended);
                }
                Err(Step::PositionMoved) => {
                    self.roll_back().await?;
                    return Err(AppendError::PositionMoved);
                }
                Err(Step::Failed(error)) if redo < REDOES && self.is_worth_a_redo(&error) => {
                    tracing::debug!(%error, redo, "another writer was first: the batch is done again");
                    self.roll_back().await?;
                    pause(redo).await;
                    redo += 1;
                }
                Err(Step::Failed(error)) => {
                    let raced = error.code().is_some_and(is_race);
                    self.roll_back().await?;
                    return Err(if raced { AppendError::Contended } else { error.into() });
                }
                Err(Step::Defect(error)) => {
                    self.roll_back().await?;
                    return Err(AppendError::Unavailable(error));
                }
            }
        }
    }

    fn require_classes(&self, batch: &Batch) -> Result<(), AppendError> {
        let mut classes = batch.spans.iter().flat_map(|span| &span.classes);
        match classes.find(|class| !self.classes.iter().any(|known| known == &***class)) {
            Some(unknown) => Err(AppendError::UnknownClass(unknown.to_string())),
            None => Ok(()),
        }
    }

    async fn ensure_months(&mut self, prepared: &Prepared<'_>) -> Result<(), AppendError> {
        let made = self.months.ensure(&self.side, &prepared.months);
        tokio::time::timeout(MONTH_PATIENCE, made)
            .await
            .unwrap_or(Err(StoreError::Timeout))
            .map_err(AppendError::Unavailable)
    }

    /// Tries it once; with how many of the checked ids were stored before.
    async fn attempt(
        &mut self,
        prepared: &mut Prepared<'_>,
        checked: &[Uuid],
    ) -> Result<(Appended, usize), Step> {
        if self.unclean {
            self.main.batch_execute("rollback").await?;
        }
        self.unclean = true;
        let done =
            transaction::run(&self.main, &self.side, self.backend, &self.statements, prepared, checked).await;
        self.unclean = done.is_err();
        done
    }

    /// Repeats that nobody here had seen come together: a producer sends a day again, or what it sent before a restart.
    fn learn(&mut self, surprised: bool) {
        self.wary = if surprised { WARY } else { self.wary.saturating_sub(1) };
    }

    /// A lost race; or a row without a partition, when a month that was known is gone.
    fn is_worth_a_redo(&mut self, error: &tokio_postgres::Error) -> bool {
        let code = error.code();
        if code == Some(&SqlState::CHECK_VIOLATION) {
            self.months.forget();
            return true;
        }
        code.is_some_and(is_race)
    }

    /// Ends the failed transaction. Its failure is that of the connection: the outcome is unknown.
    async fn roll_back(&mut self) -> Result<(), AppendError> {
        self.main.batch_execute("rollback").await?;
        self.unclean = false;
        Ok(())
    }
}

async fn pause(redo: u32) {
    let longest = PAUSE * 2u32.saturating_pow(redo);
    tokio::time::sleep(longest.mul_f64(rand::random::<f64>())).await;
}
