//! The reads themselves.

use shared::position::Position;
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use uuid::Uuid;

use super::{
    AccessRequest, AccessRow, AggregateRequest, AggregateSummary, DataAccessFilter, DataAccessRequest,
    DataAccessRow, EventTypeRequest, EventTypeSummary, Projected, Rows, SecurityEventFilter,
    SecurityEventRequest, SecurityEventRow, accesses, aggregates, data_accesses, event_types, page,
    security_events,
};
use crate::error::StoreError;
use crate::reader::session::{self, Sorting};
use crate::reader::{AggregateKey, Reader, explain};

impl Reader {
    /// A page of the aggregates, by type, id and organisation.
    pub async fn aggregates(
        &self,
        scope: &Scope,
        request: &AggregateRequest,
    ) -> Result<Projected<AggregateSummary, AggregateKey>, StoreError> {
        let rows = aggregates::rows(scope, request);
        page(self, scope, rows, request.limit, aggregates::item, |item| item.key.clone()).await
    }

    /// A page of the event types, by name, each over all organisations that the scope and the request allow.
    pub async fn event_types(
        &self,
        scope: &Scope,
        request: &EventTypeRequest,
    ) -> Result<Projected<EventTypeSummary, String>, StoreError> {
        let rows = event_types::rows(scope, request);
        page(self, scope, rows, request.limit, event_types::item, |item| item.event_type.clone()).await
    }

    /// A page of the security events, newest first.
    pub async fn security_events(
        &self,
        scope: &Scope,
        request: &SecurityEventRequest,
    ) -> Result<Projected<SecurityEventRow, (Timestamp, Position)>, StoreError> {
        let rows = security_events::rows(scope, request);
        let key = |item: &SecurityEventRow| (item.event.timestamp, item.position);
        page(self, scope, rows, request.limit, security_events::item, key).await
    }

    /// The security event of this id.
    pub async fn security_event(
        &self,
        scope: &Scope,
        id: Uuid,
    ) -> Result<Projected<SecurityEventRow, (Timestamp, Position)>, StoreError> {
        let key = |item: &SecurityEventRow| (item.event.timestamp, item.position);
        page(self, scope, security_events::one(scope, id), 1, security_events::item, key).await
    }

    /// How many security events match; with a cap, at most that many are counted.
    pub async fn count_security_events(
        &self,
        scope: &Scope,
        filter: &SecurityEventFilter,
        cap: Option<u32>,
    ) -> Result<u64, StoreError> {
        let statement = security_events::count(scope, filter, cap);
        let rows = session::read(&self.pool, scope, &statement, Sorting::AsPlanned).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        Ok(count.unsigned_abs())
    }

    /// A page of the data accesses, newest first.
    pub async fn data_accesses(
        &self,
        scope: &Scope,
        request: &DataAccessRequest,
    ) -> Result<Projected<DataAccessRow, (Timestamp, Position)>, StoreError> {
        let rows = data_accesses::rows(scope, request);
        let key = |item: &DataAccessRow| (item.access.accessed_at, item.position);
        page(self, scope, rows, request.limit, data_accesses::item, key).await
    }

    /// A page of the accesses to the audit trail, newest first.
    pub async fn accesses(
        &self,
        scope: &Scope,
        request: &AccessRequest,
    ) -> Result<Projected<AccessRow, (Timestamp, Position)>, StoreError> {
        let key = |item: &AccessRow| (item.accessed_at, item.position);
        page(self, scope, accesses::rows(scope, request), request.limit, accesses::item, key).await
    }

    /// How many data accesses match; with a cap, at most that many are counted.
    pub async fn count_data_accesses(
        &self,
        scope: &Scope,
        filter: &DataAccessFilter,
        cap: Option<u32>,
    ) -> Result<u64, StoreError> {
        let statement = data_accesses::count(scope, filter, cap);
        let rows = session::read(&self.pool, scope, &statement, Sorting::AsPlanned).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        Ok(count.unsigned_abs())
    }

    /// The plan of a page of aggregates.
    pub async fn explain_aggregates(
        &self,
        scope: &Scope,
        request: &AggregateRequest,
    ) -> Result<Vec<String>, StoreError> {
        self.explain_projected(scope, aggregates::rows(scope, request)).await
    }

    /// The plan of a page of event types.
    pub async fn explain_event_types(
        &self,
        scope: &Scope,
        request: &EventTypeRequest,
    ) -> Result<Vec<String>, StoreError> {
        self.explain_projected(scope, event_types::rows(scope, request)).await
    }

    /// The plan of a page of security events.
    pub async fn explain_security_events(
        &self,
        scope: &Scope,
        request: &SecurityEventRequest,
    ) -> Result<Vec<String>, StoreError> {
        self.explain_projected(scope, security_events::rows(scope, request)).await
    }

    /// The plan of a page of accesses.
    pub async fn explain_accesses(
        &self,
        scope: &Scope,
        request: &AccessRequest,
    ) -> Result<Vec<String>, StoreError> {
        self.explain_projected(scope, accesses::rows(scope, request)).await
    }

    /// The plan of a page of data accesses.
    pub async fn explain_data_accesses(
        &self,
        scope: &Scope,
        request: &DataAccessRequest,
    ) -> Result<Vec<String>, StoreError> {
        self.explain_projected(scope, data_accesses::rows(scope, request)).await
    }

    async fn explain_projected(&self, scope: &Scope, rows: Rows) -> Result<Vec<String>, StoreError> {
        explain::explain(&self.pool, scope, &rows.with_as_of(), Sorting::Avoided).await
    }
}
