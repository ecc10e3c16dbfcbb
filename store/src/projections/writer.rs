//! The projector's connection: appends and their events are read, and what they change is written with the position.

use futures::{Stream, TryStreamExt};
use shared::timestamp::Timestamp;
use tokio_postgres::{Client, Statement};

use super::apply::Statements;
use super::{Changes, FoldRow, Projection, ProjectionState, rebuild, states};
use crate::connect::{configured, open};
use crate::error::StoreError;
use crate::schema::require_known_schema;
use crate::sql_types::Micros;
use crate::url::DatabaseUrl;

/// Events are looked up by the place of their append, in its order, by the plan that has no look at the numbers.
const SETTINGS: &[(&str, &str)] = &[
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_sort", "off"),
    ("max_parallel_workers_per_gather", "0"),
    ("statement_timeout", "60s"),
];

const TRY_LOCK: &str = include_str!("../../sql/try_projector_lock.sql");
/// Appends that one batch spans at most, whatever they hold: bounds its bytes.
const MOST_APPENDS: i64 = 256;

/// An append, as far as finding its events needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendSpan {
    /// Its number.
    pub append_no: i64,
    /// How many events it stored.
    pub stored: i32,
    log_id: i32,
    from_offset: i64,
    next_offset: i64,
    /// Event times, when it stored any.
    times: Option<(Timestamp, Timestamp)>,
}

/// A step of some projections that stand at the same position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// Which.
    pub projections: Vec<Projection>,
    /// Where they stand.
    pub from: i64,
    /// Where they stand afterwards.
    pub to: i64,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It is committed.
    Done,
    /// A position was another one: nothing was changed. Another projector has moved it, or a rebuild.
    Moved,
}

/// The connection; one task uses it.
pub struct ProjectionWriter {
    client: Client,
    appends: Statement,
    events: Statement,
    lock: Statement,
    advance: Statement,
    changes: Statements,
}

impl std::fmt::Debug for ProjectionWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProjectionWriter").finish_non_exhaustive()
    }
}

impl ProjectionWriter {
    /// Connects as `audit_projector`, and refuses a schema that this build does not know.
    pub async fn connect(url: &DatabaseUrl, application_name: &str) -> Result<Self, StoreError> {
        let (client, _task) = open(&configured(url, application_name, SETTINGS)?).await?;
        require_known_schema(&client).await?;
        Ok(Self {
            appends: client.prepare(include_str!("../../sql/projector_appends.sql")).await?,
            events: client.prepare(include_str!("../../sql/projector_events.sql")).await?,
            lock: client.prepare(include_str!("../../sql/lock_projections.sql")).await?,
            advance: client.prepare(include_str!("../../sql/advance_projections.sql")).await?,
            changes: Statements::prepare(&client).await?,
            client,
        })
    }

    /// Takes the projector's lock for as long as this connection lives; false while another projector has it.
    pub async fn try_lead(&self) -> Result<bool, StoreError> {
        Ok(self.client.query_one(TRY_LOCK, &[]).await?.try_get(0)?)
    }

    /// Every projection and how far it has read.
    pub async fn states(&self) -> Result<Vec<ProjectionState>, StoreError> {
        states(&self.client).await
    }

    /// Sends a projection back to the start, to be filled by this build's fold.
    pub async fn rebuild(&self, projection: Projection) -> Result<(), StoreError> {
        rebuild(&self.client, projection, Some(projection.version())).await
    }

    /// The next appends behind `after`, up to `until` (inclusive): as many as hold `most_events` events together, and at
    /// least one, when there is one.
    pub async fn appends(
        &self,
        after: i64,
        until: i64,
        most_events: usize,
    ) -> Result<Vec<AppendSpan>, StoreError> {
        let rows = self.client.query(&self.appends, &[&after, &until, &MOST_APPENDS]).await?;
        let mut spans = Vec::with_capacity(rows.len());
        let mut events = 0;
        for row in &rows {
            let (least, greatest): (Option<Micros>, Option<Micros>) = (row.try_get(4)?, row.try_get(5)?);
            let stored: i32 = row.try_get(6)?;
            events += usize::try_from(stored).unwrap_or(0);
            if !spans.is_empty() && events > most_events {
                break;
            }
            spans.push(AppendSpan {
                append_no: row.try_get(0)?,
                log_id: row.try_get(1)?,
                from_offset: row.try_get(2)?,
                next_offset: row.try_get(3)?,
                times: least.zip(greatest).map(|(Micros(least), Micros(greatest))| (least, greatest)),
                stored,
            });
        }
        Ok(spans)
    }

    /// The events of these appends, one after another as they come.
    pub async fn events(
        &self,
        spans: &[AppendSpan],
    ) -> Result<impl Stream<Item = Result<FoldRow, StoreError>> + use<>, StoreError> {
        let holding = || spans.iter().filter_map(|span| Some((span, span.times?)));
        let numbers: Vec<i64> = holding().map(|(span, _)| span.append_no).collect();
        let logs: Vec<i32> = holding().map(|(span, _)| span.log_id).collect();
        let from: Vec<i64> = holding().map(|(span, _)| span.from_offset).collect();
        let next: Vec<i64> = holding().map(|(span, _)| span.next_offset).collect();
        let least: Vec<Micros> = holding().map(|(_, times)| Micros(times.0)).collect();
        let greatest: Vec<Micros> = holding().map(|(_, times)| Micros(times.1)).collect();
        let parameters: [&(dyn postgres_types::ToSql + Sync); 6] =
            [&numbers, &logs, &from, &next, &least, &greatest];
        let rows = self.client.query_raw(&self.events, parameters).await?;
        Ok(rows.map_err(StoreError::from).and_then(|row| async move { FoldRow::new(row) }))
    }

    /// Writes the changes and moves the positions, in one transaction.
    pub async fn apply(&mut self, advance: &Advance, changes: &Changes) -> Result<Applied, StoreError> {
        let names: Vec<&str> = advance.projections.iter().map(|projection| projection.name()).collect();
        let transaction = self.client.transaction().await?;
        let locked = transaction.query(&self.lock, &[&names]).await?;
        for row in &locked {
            let position: i64 = row.try_get(1)?;
            if position != advance.from {
                return Ok(Applied::Moved);
            }
        }
        if locked.len() != names.len() {
            return Ok(Applied::Moved);
        }
        for projection in &advance.projections {
            self.changes.apply(&transaction, *projection, changes).await?;
        }
        transaction.execute(&self.advance, &[&names, &advance.to]).await?;
        transaction.commit().await?;
        Ok(Applied::Done)
    }
}
