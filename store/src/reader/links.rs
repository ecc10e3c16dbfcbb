//! Causes and effects: events without their payloads, looked up by id, by causation and by correlation.

use shared::causation::EventLink;
use shared::filter::ACCESS_TYPE;
use shared::position::Position;
use shared::scope::Scope;
use tokio_postgres::Row;
use uuid::Uuid;

use super::Reader;
use super::conditions::storable;
use super::session::{self, Sorting};
use super::statement::Statement;
use crate::error::StoreError;
use crate::sql_types::Micros;

const FIND_LINK: &str = include_str!("../../sql/find_link.sql");
const CAUSED_BY: &str = include_str!("../../sql/caused_by.sql");
const CORRELATED: &str = include_str!("../../sql/correlated.sql");

impl Reader {
    /// The event of this id, without its payload.
    pub async fn find_link(&self, scope: &Scope, event_id: Uuid) -> Result<Option<EventLink>, StoreError> {
        let mut statement = Statement::new(FIND_LINK);
        statement.bind(event_id);
        bind_scope(&mut statement, scope);
        let rows = session::read(&self.pool, scope, &statement, Sorting::AsPlanned).await?;
        rows.first().map(link).transpose()
    }

    /// What any of these events caused, oldest first, at most so many; records of accesses are left out.
    ///
    /// Wants the index of causation ids (`Lookup::Causation`).
    pub async fn caused_by(
        &self,
        scope: &Scope,
        causes: &[Uuid],
        rows: usize,
    ) -> Result<Vec<EventLink>, StoreError> {
        let ids: Vec<String> = causes
            .iter()
            // Producers write ids in either case; the text is stored as they wrote it.
            .flat_map(|id| [format!("{id:x}"), format!("{id:X}")])
            .collect();
        let mut statement = Statement::new(CAUSED_BY);
        statement.bind(ids);
        self.links(statement, scope, rows).await
    }

    /// The events of a correlation id, oldest first, at most so many; records of accesses are left out.
    ///
    /// Wants the index of correlation ids (`Lookup::Correlation`).
    pub async fn correlated(
        &self,
        scope: &Scope,
        correlation_id: &str,
        rows: usize,
    ) -> Result<Vec<EventLink>, StoreError> {
        if !storable(correlation_id) {
            return Ok(Vec::new());
        }
        let mut statement = Statement::new(CORRELATED);
        statement.bind(correlation_id.to_owned());
        self.links(statement, scope, rows).await
    }

    async fn links(
        &self,
        mut statement: Statement,
        scope: &Scope,
        rows: usize,
    ) -> Result<Vec<EventLink>, StoreError> {
        bind_scope(&mut statement, scope);
        statement.bind(i64::try_from(rows).unwrap_or(i64::MAX));
        statement.bind(ACCESS_TYPE);
        let rows = session::read(&self.pool, scope, &statement, Sorting::AsPlanned).await?;
        rows.iter().map(link).collect()
    }
}

fn bind_scope(statement: &mut Statement, scope: &Scope) {
    statement.bind(scope.organization().map(ToOwned::to_owned));
}

fn link(row: &Row) -> Result<EventLink, StoreError> {
    let (Micros(timestamp), Micros(recorded_at)) = (row.try_get(10)?, row.try_get(12)?);
    Ok(EventLink {
        event_id: row.try_get(0)?,
        event_type: row.try_get(1)?,
        aggregate_type: row.try_get(2)?,
        aggregate_id: row.try_get(3)?,
        organization_id: row.try_get(4)?,
        user_id: row.try_get(5)?,
        source: row.try_get(6)?,
        action: row.try_get(7)?,
        correlation_id: row.try_get(8)?,
        causation_id: row.try_get(9)?,
        timestamp,
        version: row.try_get(11)?,
        recorded_at,
        position: Position { log_id: row.try_get(13)?, offset: row.try_get(14)? },
    })
}
