//! The changes of each projection as statements over arrays.

use postgres_types::ToSql;
use shared::vocabulary::{DataAccess, SecurityEvent};
use tokio_postgres::{Client, Error, Statement, Transaction};
use uuid::Uuid;

use super::changes::{Runs, indexed as id};
use super::{
    AccessChange, AggregateChange, Changes, DataAccessChange, EventTypeChange, Projection, ResolutionChange,
    SecurityChange, SeriesChange, SeriesCount, StatisticsChange,
};
use crate::sql_types::Micros;

/// The statements, prepared once per connection.
pub(super) struct Statements {
    aggregates: Statement,
    event_types: Statement,
    security_events: Statement,
    resolutions: Statement,
    join_resolutions: Statement,
    data_accesses: Statement,
    accesses: Statement,
    statistics_series: Statement,
    statistics_hours: Statement,
    statistics_days: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self {
            aggregates: client.prepare(include_str!("../../sql/apply_aggregates.sql")).await?,
            event_types: client.prepare(include_str!("../../sql/apply_event_types.sql")).await?,
            security_events: client.prepare(include_str!("../../sql/apply_security_events.sql")).await?,
            resolutions: client.prepare(include_str!("../../sql/apply_resolutions.sql")).await?,
            join_resolutions: client.prepare(include_str!("../../sql/join_resolutions.sql")).await?,
            data_accesses: client.prepare(include_str!("../../sql/apply_data_accesses.sql")).await?,
            accesses: client.prepare(include_str!("../../sql/apply_accesses.sql")).await?,
            statistics_series: client.prepare(include_str!("../../sql/apply_statistics_series.sql")).await?,
            statistics_hours: client.prepare(include_str!("../../sql/apply_statistics_hours.sql")).await?,
            statistics_days: client.prepare(include_str!("../../sql/apply_statistics_days.sql")).await?,
        })
    }

    /// Adds the changes of one projection.
    pub(super) async fn apply(
        &self,
        transaction: &Transaction<'_>,
        projection: Projection,
        changes: &Changes,
    ) -> Result<(), Error> {
        match projection {
            Projection::Accesses => self.accesses(transaction, &changes.accesses).await,
            Projection::Aggregates => self.aggregates(transaction, &changes.aggregates).await,
            Projection::EventTypes => self.event_types(transaction, &changes.event_types).await,
            Projection::DataAccesses => self.data_accesses(transaction, &changes.data_accesses).await,
            Projection::SecurityEvents => {
                self.security_events(transaction, &changes.security_events).await?;
                self.resolutions(transaction, &changes.resolutions).await?;
                self.join(transaction, changes).await
            }
            Projection::Statistics => {
                let StatisticsChange { series, hours, days } = &changes.statistics;
                self.series(transaction, series).await?;
                counts(transaction, &self.statistics_hours, hours).await?;
                counts(transaction, &self.statistics_days, days).await
            }
        }
    }

    async fn aggregates(&self, on: &Transaction<'_>, changes: &[AggregateChange]) -> Result<(), Error> {
        let multiranges = |runs: fn(&AggregateChange) -> &Runs| column(changes, |c| runs(c).to_multirange());
        let columns: [&(dyn ToSql + Sync); 8] = [
            &column(changes, |change| change.organization_id.as_str()),
            &column(changes, |change| change.aggregate_type.as_str()),
            &column(changes, |change| change.aggregate_id.as_str()),
            &column(changes, |change| change.events),
            &column(changes, |change| Micros(change.first)),
            &column(changes, |change| Micros(change.last)),
            &multiranges(|change| &change.versions),
            &multiranges(|change| &change.double_versions),
        ];
        add(on, &self.aggregates, changes.len(), &columns).await
    }

    async fn event_types(&self, on: &Transaction<'_>, changes: &[EventTypeChange]) -> Result<(), Error> {
        let columns: [&(dyn ToSql + Sync); 5] = [
            &column(changes, |change| change.event_type.as_str()),
            &column(changes, |change| change.organization_id.as_str()),
            &column(changes, |change| change.events),
            &column(changes, |change| Micros(change.first)),
            &column(changes, |change| Micros(change.last)),
        ];
        add(on, &self.event_types, changes.len(), &columns).await
    }

    async fn security_events(&self, on: &Transaction<'_>, changes: &[SecurityChange]) -> Result<(), Error> {
        let texts = |field: fn(&SecurityEvent) -> &Option<String>| {
            column(changes, |c| text(field(&c.event).as_ref()))
        };
        let columns: [&(dyn ToSql + Sync); 17] = [
            &column(changes, |change| Micros(change.event.timestamp)),
            &column(changes, |change| change.position.log_id),
            &column(changes, |change| change.position.offset),
            &column(changes, |change| change.event.id),
            &column(changes, |change| change.event.requires_action),
            &column(changes, |change| change.event.organization_id.as_str()),
            &column(changes, |change| change.event.event_type.as_str()),
            &column(changes, |change| change.event.severity.as_str()),
            &column(changes, |change| change.event.user_id.as_deref().map_or("", id)),
            &texts(|event| &event.username),
            &texts(|event| &event.email),
            &texts(|event| &event.description),
            &texts(|event| &event.details),
            &texts(|event| &event.ip_address),
            &texts(|event| &event.location),
            &texts(|event| &event.device),
            &texts(|event| &event.user_agent),
        ];
        add(on, &self.security_events, changes.len(), &columns).await
    }

    async fn resolutions(&self, on: &Transaction<'_>, changes: &[ResolutionChange]) -> Result<(), Error> {
        let columns: [&(dyn ToSql + Sync); 7] = [
            &column(changes, |change| change.resolution.security_event_id),
            &column(changes, |change| change.resolution.organization_id.as_str()),
            &column(changes, |change| Micros(change.resolution.resolved_at)),
            &column(changes, |change| text(change.resolution.resolved_by.as_ref())),
            &column(changes, |change| text(change.resolution.notes.as_ref())),
            &column(changes, |change| change.place.append_no),
            &column(changes, |change| change.place.offset),
        ];
        add(on, &self.resolutions, changes.len(), &columns).await
    }

    async fn join(&self, on: &Transaction<'_>, changes: &Changes) -> Result<(), Error> {
        let mut ids: Vec<Uuid> = column(&changes.security_events, |change| change.event.id);
        ids.extend(changes.resolutions.iter().map(|change| change.resolution.security_event_id));
        add(on, &self.join_resolutions, ids.len(), &[&ids]).await
    }

    async fn data_accesses(&self, on: &Transaction<'_>, changes: &[DataAccessChange]) -> Result<(), Error> {
        let texts =
            |field: fn(&DataAccess) -> &Option<String>| column(changes, |c| text(field(&c.access).as_ref()));
        let columns: [&(dyn ToSql + Sync); 16] = [
            &column(changes, |change| Micros(change.access.accessed_at)),
            &column(changes, |change| change.position.log_id),
            &column(changes, |change| change.position.offset),
            &column(changes, |change| change.access.id),
            &column(changes, |change| change.access.organization_id.as_str()),
            &column(changes, |change| id(&change.access.accessor_user_id)),
            &column(changes, |change| id(&change.access.subject_user_id)),
            &texts(|access| &access.accessor_name),
            &texts(|access| &access.accessor_role),
            &texts(|access| &access.subject_name),
            &texts(|access| &access.data_type),
            &texts(|access| &access.purpose),
            &texts(|access| &access.justification),
            &texts(|access| &access.ip_address),
            &texts(|access| &access.service_name),
            // A list of texts is JSON whatever it holds.
            &column(changes, |change| serde_json::json!(change.access.fields_accessed).to_string()),
        ];
        add(on, &self.data_accesses, changes.len(), &columns).await
    }

    async fn accesses(&self, on: &Transaction<'_>, changes: &[AccessChange]) -> Result<(), Error> {
        let columns: [&(dyn ToSql + Sync); 12] = [
            &column(changes, |change| Micros(change.accessed_at)),
            &column(changes, |change| change.position.log_id),
            &column(changes, |change| change.position.offset),
            &column(changes, |change| change.event_id),
            &column(changes, |change| change.organization_id.as_str()),
            &column(changes, |change| change.about.key()),
            &column(changes, |change| change.about.kind()),
            &column(changes, |change| id(&change.accessor_id)),
            &column(changes, |change| id(&change.operation)),
            &column(changes, |change| change.outcome.as_str()),
            &column(changes, |change| text(change.ip_address.as_ref())),
            &column(changes, |change| change.payload.as_str()),
        ];
        add(on, &self.accesses, changes.len(), &columns).await
    }

    async fn series(&self, on: &Transaction<'_>, changes: &[SeriesChange]) -> Result<(), Error> {
        let columns: [&(dyn ToSql + Sync); 8] = [
            &column(changes, |change| change.id),
            &column(changes, |change| change.organization_id.as_str()),
            &column(changes, |change| change.aggregate_type.as_str()),
            &column(changes, |change| change.event_type.as_str()),
            &column(changes, |change| change.source.as_str()),
            &column(changes, |change| change.action.as_str()),
            &column(changes, |change| change.outcome.as_str()),
            &column(changes, |change| change.user_id.as_str()),
        ];
        add(on, &self.statistics_series, changes.len(), &columns).await
    }
}

async fn counts(on: &Transaction<'_>, statement: &Statement, changes: &[SeriesCount]) -> Result<(), Error> {
    let columns: [&(dyn ToSql + Sync); 3] = [
        &column(changes, |change| change.series),
        &column(changes, |change| Micros(change.start)),
        &column(changes, |change| change.events),
    ];
    add(on, statement, changes.len(), &columns).await
}

async fn add(
    transaction: &Transaction<'_>,
    statement: &Statement,
    rows: usize,
    columns: &[&(dyn ToSql + Sync)],
) -> Result<(), Error> {
    if rows > 0 {
        transaction.execute(statement, columns).await?;
    }
    Ok(())
}

/// One field of every change, as the array that a statement takes.
fn column<'a, C, T>(changes: &'a [C], field: impl Fn(&'a C) -> T) -> Vec<T> {
    changes.iter().map(field).collect()
}

/// A text that a payload says; without U+0000, which the door refuses and no column holds.
fn text(text: Option<&String>) -> Option<String> {
    text.map(|text| text.replace('\0', "\u{fffd}"))
}
