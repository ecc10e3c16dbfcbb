//! Reads: pages, histories, recorded order, the fate of a record; each in a read-only transaction of its own, within a
//! [`Scope`](shared::scope::Scope) that both the statement and the view behind it apply (semantics.md 12).

mod session;
mod types;

use crate::connect;
use crate::dead_letters::DeadLetterRow;
use crate::error::StoreError;
use crate::row::EventRow;
use crate::url::DatabaseUrl;
use shared::{filter::EventFilter, position::Position, scope::Scope};
use uuid::Uuid;

pub use types::{
    AggregateKey, ChunkLimits, DeadLetterPage, DeadLetterRequest, HistoryKey, HistoryRange, Integrity, Page,
    PageRequest, RecordAddress, RecordFate, RecordState, RecordedChunk, RecordedCursor,
};

/// A pool of connections for reading; cheap to clone.
#[derive(Clone)]
pub struct Reader {
    pool: deadpool_postgres::Pool,
}

fn not_built<T>() -> Result<T, StoreError> {
    Err(StoreError::Refused("this read is not built yet".to_owned()))
}

impl Reader {
    /// Makes the pool and checks, over its first connection, that the schema is the one this build knows.
    pub async fn connect(
        url: &DatabaseUrl,
        max_connections: usize,
        application_name: &str,
    ) -> Result<Self, StoreError> {
        let config = connect::configured(url, application_name, session::SETTINGS)?;
        let reader = Self { pool: session::pool(config, max_connections)? };
        crate::schema::require_known_schema(&*reader.pool.get().await?).await?;
        Ok(reader)
    }
    /// One page of the events that match (semantics.md 7).
    pub async fn page(&self, _request: &PageRequest) -> Result<Page, StoreError> {
        not_built()
    }
    /// How many events match; with a cap, at most that many are counted.
    pub async fn count(
        &self,
        _filter: &EventFilter,
        _scope: &Scope,
        _cap: Option<u32>,
    ) -> Result<u64, StoreError> {
        not_built()
    }
    /// The event of this id.
    pub async fn find_event(&self, _scope: &Scope, _event_id: Uuid) -> Result<Option<EventRow>, StoreError> {
        not_built()
    }
    /// The organisations that have an aggregate of this type and id, at most two of them.
    pub async fn organizations_of(
        &self,
        _scope: &Scope,
        _aggregate_type: &str,
        _aggregate_id: &str,
    ) -> Result<Vec<String>, StoreError> {
        not_built()
    }
    /// A part of an aggregate's history, in history order (semantics.md 6).
    pub async fn history(
        &self,
        _scope: &Scope,
        _key: &AggregateKey,
        _range: &HistoryRange,
        _after: Option<HistoryKey>,
        _limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        not_built()
    }
    /// The gaps and forks of the whole aggregate.
    pub async fn integrity(&self, _scope: &Scope, _key: &AggregateKey) -> Result<Integrity, StoreError> {
        not_built()
    }
    /// The newest append's number; 0 = nothing was appended yet.
    pub async fn head(&self) -> Result<i64, StoreError> {
        not_built()
    }
    /// Where a position stands in recorded order; `None` when no append covers it (yet).
    pub async fn locate(&self, _position: Position) -> Result<Option<RecordedCursor>, StoreError> {
        not_built()
    }
    /// The next matching rows in recorded order, up to append `until` (inclusive).
    pub async fn recorded_chunk(
        &self,
        _scope: &Scope,
        _filter: &EventFilter,
        _after: RecordedCursor,
        _until: i64,
        _limits: ChunkLimits,
    ) -> Result<RecordedChunk, StoreError> {
        not_built()
    }
    /// What became of a Kafka record; `None` when the log is unknown or the scope may not know.
    pub async fn record(
        &self,
        _scope: &Scope,
        _address: &RecordAddress,
    ) -> Result<Option<RecordFate>, StoreError> {
        not_built()
    }
    /// A page of dead letters, newest first; empty for a scope of one organisation.
    pub async fn dead_letters(
        &self,
        _scope: &Scope,
        _request: &DeadLetterRequest,
    ) -> Result<DeadLetterPage, StoreError> {
        not_built()
    }
    /// One dead letter with its record; none for a scope of one organisation.
    pub async fn dead_letter(
        &self,
        _scope: &Scope,
        _position: Position,
    ) -> Result<Option<DeadLetterRow>, StoreError> {
        not_built()
    }
}
