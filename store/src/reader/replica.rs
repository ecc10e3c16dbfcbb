//! Reading from a standby: one server for all connections, and how far it is behind its primary.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use shared::scope::Scope;

use super::Reader;
use super::session::{self, Sorting};
use super::statement::Statement;
use crate::error::StoreError;
use crate::projections::AsOf;

const PLACE: &str = include_str!("../../sql/replica_place.sql");
const LAG: &str = include_str!("../../sql/replica_lag.sql");

/// How far a server has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPlace {
    /// The newest append that it shows; 0 = none.
    pub append: i64,
    /// Whether it is a standby, which follows another server.
    pub is_standby: bool,
    /// The place in the write-ahead log, as PostgreSQL writes it.
    wal: Option<String>,
}

/// What a standby does not have yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplicaLag {
    /// Appends.
    pub appends: i64,
    /// How long ago the first of them was recorded, by the primary's clock; zero when there is none.
    pub age: Duration,
    /// Bytes of write-ahead log; `None` = one of the two did not say.
    pub bytes: Option<i64>,
}

/// The lag as it was measured last: what the moments of projections are corrected by.
#[derive(Debug, Default)]
pub(super) struct LastLag {
    appends: AtomicI64,
    age_micros: AtomicU64,
}

impl LastLag {
    /// The moment as the primary would tell it: a standby does not know what it does not have.
    pub(super) fn seen_from_the_primary(&self, as_of: AsOf) -> AsOf {
        let age = Duration::from_micros(self.age_micros.load(Ordering::Relaxed));
        let behind = as_of.behind.saturating_add(self.appends.load(Ordering::Relaxed));
        AsOf { behind, age: as_of.age.max(age), ..as_of }
    }
}

impl Reader {
    /// How far the server has come.
    pub async fn place(&self) -> Result<ServerPlace, StoreError> {
        let rows = session::read(&self.pool, &Scope::All, &Statement::new(PLACE), Sorting::AsPlanned).await?;
        let row = rows.first().ok_or_else(no_row)?;
        Ok(ServerPlace { append: row.try_get(0)?, wal: row.try_get(1)?, is_standby: row.try_get(2)? })
    }

    /// What a server at this place does not have of what this one has.
    pub async fn ahead_of(&self, place: &ServerPlace) -> Result<ReplicaLag, StoreError> {
        let mut statement = Statement::new(LAG);
        statement.bind(place.append);
        statement.bind(place.wal.clone());
        let rows = session::read(&self.pool, &Scope::All, &statement, Sorting::AsPlanned).await?;
        let row = rows.first().ok_or_else(no_row)?;
        let age: Option<i64> = row.try_get(1)?;
        let age = Duration::from_micros(age.and_then(|age| u64::try_from(age).ok()).unwrap_or(0));
        Ok(ReplicaLag { appends: row.try_get(0)?, age, bytes: row.try_get(2)? })
    }

    /// Tells this reader of a standby how far behind it is, for the moments of its projections.
    pub fn note_lag(&self, lag: ReplicaLag) {
        self.lag.appends.store(lag.appends, Ordering::Relaxed);
        let age = u64::try_from(lag.age.as_micros()).unwrap_or(u64::MAX);
        self.lag.age_micros.store(age, Ordering::Relaxed);
    }
}

fn no_row() -> StoreError {
    StoreError::corrupt("appends", "append_no", "a statement that always answers one row answered none")
}
