//! Reads: pages, histories, recorded order, the fate of a record; each in a read-only transaction of its own, within a
//! [`Scope`] that both the statement and the view behind it apply (semantics.md 12).

mod ahead;
mod bounded;
mod conditions;
mod explain;
mod fate;
mod history;
mod lease;
mod letters;
mod links;
mod looked_up;
mod page;
mod pages;
mod place;
mod pool_use;
mod projected;
mod recorded;
mod replay_jobs;
mod replay_size;
mod replica;
mod search;
pub(crate) mod session;
mod sliced;
mod slices;
mod statement;
mod types;
mod walk;
mod whereabouts;

use std::sync::Arc;

use shared::position::Position;
use shared::scope::Scope;
use shared::text_query::TextFields;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::dead_letters::DeadLetterRow;
use crate::error::StoreError;
use crate::indexes::{LastSeen, UsableIndexes};
use crate::redrives::{self, Redrive};
use crate::row::{EventRow, WholeRow};
use crate::url::DatabaseUrl;
use conditions::storable;
use replica::LastLag;
use session::{Budget, Sorting};
use statement::Statement;

pub use ahead::Ahead;
pub use pool_use::PoolUse;
pub use projected::{
    AccessFilter, AccessRequest, AccessRow, AggregateFilter, AggregateRequest, AggregateSummary,
    DataAccessFilter, DataAccessRequest, DataAccessRow, Dimension, EventTypeRequest, EventTypeSummary, Fault,
    Projected, SecurityEventFilter, SecurityEventRequest, SecurityEventRow, Settlement, Statistics,
    StatisticsCount, StatisticsFilter, StatisticsRequest,
};
pub use replica::{ReplicaLag, ServerPlace};
pub use types::{
    AggregateKey, ChunkLimits, DeadLetterPage, DeadLetterRequest, HistoryKey, HistoryRange, Integrity, Page,
    PageRequest, RecordAddress, RecordFate, RecordState, RecordedChunk, RecordedCursor,
};
pub use whereabouts::{ProducedRecord, Whereabouts};

const FIND_EVENT: &str = include_str!("../../sql/find_event.sql");
const HEAD: &str = include_str!("../../sql/head.sql");
const LOCATE: &str = include_str!("../../sql/locate.sql");
const REDRIVES_OF: &str = include_str!("../../sql/redrives_of.sql");

/// A pool of connections for reading; cheap to clone.
///
/// Every read takes at most five seconds; longer is [`StoreError::Timeout`].
#[derive(Clone)]
pub struct Reader {
    pool: deadpool_postgres::Pool,
    indexes: Arc<LastSeen>,
    lag: Arc<LastLag>,
}

impl Reader {
    /// Makes the pool and checks, over its first connection, that the schema is the one this build knows, and which
    /// indexes there are.
    pub async fn connect(
        url: &DatabaseUrl,
        max_connections: usize,
        application_name: &str,
    ) -> Result<Self, StoreError> {
        Self::checked(session::pool(url, application_name, session::SETTINGS, max_connections)?).await
    }

    /// The same for a standby: every connection must lead to the server that the first one led to, in the same run of it.
    /// Two standbys behind one address are two moments, and a tail that read the head of one and the rows of the other
    /// would skip events.
    pub async fn connect_to_one(
        url: &DatabaseUrl,
        max_connections: usize,
        application_name: &str,
    ) -> Result<Self, StoreError> {
        Self::checked(session::pool_of_one_server(url, application_name, max_connections)?).await
    }

    async fn checked(pool: deadpool_postgres::Pool) -> Result<Self, StoreError> {
        let reader = Self { pool, indexes: Arc::new(LastSeen::new()), lag: Arc::default() };
        reader.check().await?;
        Ok(reader)
    }

    /// Whether the database answers, with a schema that this build knows: what readiness asks, from time to time. It
    /// also looks which indexes there are now.
    pub async fn check(&self) -> Result<(), StoreError> {
        let client = self.pool.get().await?;
        crate::schema::require_known_schema(&client).await?;
        self.indexes.set(UsableIndexes::read(&client).await?);
        Ok(())
    }

    /// The indexes that every partition had, whole, when [`Reader::check`] looked last.
    pub fn indexes(&self) -> UsableIndexes {
        self.indexes.get()
    }

    /// The fields whose words are indexed, as [`Reader::check`] found them last; `None` = there is no such index.
    pub fn text_fields(&self) -> Option<TextFields> {
        self.indexes.fields()
    }

    /// The plan of a history's statement.
    pub async fn explain_history(
        &self,
        scope: &Scope,
        key: &AggregateKey,
    ) -> Result<Vec<String>, StoreError> {
        let statement = history::history(scope, key, &HistoryRange::default(), None, 1000);
        explain::explain(&self.pool, scope, &statement, Sorting::Avoided).await
    }

    /// The event of this id.
    pub async fn find_event(&self, scope: &Scope, event_id: Uuid) -> Result<Option<WholeRow>, StoreError> {
        let mut statement = Statement::new(FIND_EVENT);
        statement.bind(event_id);
        statement.bind(scope.organization().map(ToOwned::to_owned));
        let rows = session::read(&self.pool, scope, &statement, Sorting::AsPlanned).await?;
        rows.into_iter().next().map(WholeRow::new).transpose()
    }

    /// The organisations that have an aggregate of this type and id, at most two of them.
    pub async fn organizations_of(
        &self,
        scope: &Scope,
        aggregate_type: &str,
        aggregate_id: &str,
    ) -> Result<Vec<String>, StoreError> {
        if !storable(aggregate_type) || !storable(aggregate_id) {
            return Ok(Vec::new());
        }
        let statement = history::organizations_of(scope, aggregate_type, aggregate_id);
        let rows = session::read(&self.pool, scope, &statement, Sorting::Avoided).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// A part of an aggregate's history, in history order (semantics.md 6), at most `limit` events of it.
    pub async fn history(
        &self,
        scope: &Scope,
        key: &AggregateKey,
        range: &HistoryRange,
        after: Option<HistoryKey>,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        if !is_possible(key) {
            return Ok(Vec::new());
        }
        let statement = history::history(scope, key, range, after, limit);
        let budget = Budget { rows: limit as usize, ..Budget::UNBOUNDED };
        let (rows, _) = session::read_within(&self.pool, scope, &statement, Sorting::Avoided, budget).await?;
        events(rows)
    }

    /// The gaps and forks of the whole aggregate.
    pub async fn integrity(&self, scope: &Scope, key: &AggregateKey) -> Result<Integrity, StoreError> {
        let mut integrity = Integrity::default();
        if !is_possible(key) {
            return Ok(integrity);
        }
        let statement = history::integrity(scope, key);
        for row in session::read(&self.pool, scope, &statement, Sorting::Avoided).await? {
            if let Some(fork) = row.try_get(2)? {
                integrity.forks.push(fork);
            } else {
                integrity.gaps.push((row.try_get(0)?, row.try_get(1)?));
            }
        }
        Ok(integrity)
    }

    /// The newest append's number; 0 = nothing was appended yet.
    pub async fn head(&self) -> Result<i64, StoreError> {
        let rows = session::read(&self.pool, &Scope::All, &Statement::new(HEAD), Sorting::AsPlanned).await?;
        Ok(rows.first().map_or(Ok(0), |row| row.try_get(0))?)
    }

    /// Where a position stands in recorded order; `None` when no append covers it (yet).
    pub async fn locate(&self, position: Position) -> Result<Option<RecordedCursor>, StoreError> {
        let mut statement = Statement::new(LOCATE);
        statement.bind(position.log_id);
        statement.bind(position.offset);
        let rows = session::read(&self.pool, &Scope::All, &statement, Sorting::AsPlanned).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(RecordedCursor { append_no: row.try_get(0)?, offset: Some(position.offset) }))
    }

    /// What became of a Kafka record; `None` when the log is unknown or the scope may not know.
    pub async fn record(
        &self,
        scope: &Scope,
        address: &RecordAddress,
    ) -> Result<Option<RecordFate>, StoreError> {
        fate::record(&self.pool, scope, address).await
    }

    /// A page of dead letters, newest first; empty for a scope of one organisation.
    pub async fn dead_letters(
        &self,
        scope: &Scope,
        request: &DeadLetterRequest,
    ) -> Result<DeadLetterPage, StoreError> {
        letters::page(&self.pool, scope, request).await
    }

    /// One dead letter with its record; none for a scope of one organisation.
    pub async fn dead_letter(
        &self,
        scope: &Scope,
        position: Position,
    ) -> Result<Option<DeadLetterRow>, StoreError> {
        letters::one(&self.pool, scope, position).await
    }

    /// The newest redrives of a dead letter, at most 100; none for a scope of one organisation.
    pub async fn redrives(&self, scope: &Scope, dead_letter: Position) -> Result<Vec<Redrive>, StoreError> {
        if scope.organization().is_some() {
            return Ok(Vec::new());
        }
        let mut statement = Statement::new(REDRIVES_OF);
        statement.bind(dead_letter.log_id);
        statement.bind(dead_letter.offset);
        let rows = session::read(&self.pool, scope, &statement, Sorting::AsPlanned).await?;
        rows.iter().map(redrives::read).collect()
    }

    /// What became of these records of a topic, in their order. It tells nothing of any event but whether and where it
    /// is stored, so it has no scope: only who produced a record knows its partition, offset and event id together.
    pub async fn whereabouts(
        &self,
        cluster: &str,
        topic: &str,
        records: &[ProducedRecord],
    ) -> Result<Vec<Whereabouts>, StoreError> {
        whereabouts::whereabouts(&self.pool, cluster, topic, records).await
    }
}

fn events(rows: Vec<Row>) -> Result<Vec<EventRow>, StoreError> {
    rows.into_iter().map(EventRow::new).collect()
}

fn is_possible(key: &AggregateKey) -> bool {
    [&key.organization_id, &key.aggregate_type, &key.aggregate_id].into_iter().all(|text| storable(text))
}
