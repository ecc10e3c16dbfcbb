//! Tables and classes: `trailctl migrate`. What only a superuser can do first is in [`bootstrap`].

use std::time::Duration;

use shared::index_set::IndexSet;
use shared::retention::RetentionRules;
use tokio_postgres::Client;

pub use crate::bootstrap::{RolePasswords, bootstrap};
use crate::connect::connect;
use crate::error::StoreError;
use crate::indexes;
use crate::schema;
use crate::url::DatabaseUrl;

/// The advisory lock of migrations; the number only has to be ours.
const LOCK: i64 = 7_202_653_104_710_946;
/// How often the lock is tried. Waiting inside `pg_advisory_lock` would hold a snapshot that index builds wait for.
const TRY_EVERY: Duration = Duration::from_millis(200);
/// How long another migration may take before this one gives up.
const PATIENCE: Duration = Duration::from_mins(5);

const TRY_LOCK: &str = include_str!("../sql/try_migration_lock.sql");
const ENSURE_CLASS: &str = include_str!("../sql/ensure_class.sql");
const NO_EVENTS: &str = include_str!("../sql/no_events.sql");

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// The migrations applied by this run, as `V<number>__<name>`.
    pub applied: Vec<String>,
    /// The version now.
    pub version: i64,
    /// Classes that got their partitions by this run.
    pub classes_added: Vec<String>,
    /// The set of indexes now; `None` = neither. Another one than was asked for only where there are events already.
    pub indexes: Option<IndexSet>,
}

/// Applies what is missing, as `audit_owner`, one runner at a time, makes the partitions of every class, and the set of
/// indexes while there are no events. A database with events keeps its indexes: see [`indexes::apply`].
///
/// # Errors
/// [`StoreError::UnknownSchema`] when the database holds a migration that this build does not know.
pub async fn migrate(
    migrator: &DatabaseUrl,
    retention: &RetentionRules,
    indexes: IndexSet,
) -> Result<MigrationReport, StoreError> {
    let mut client = owner_session(migrator, "audit-migrate").await?;
    let report = schema::runner().run_async(&mut client).await.map_err(|error| migration_error(&error))?;
    let mut classes_added = Vec::new();
    for (class, rule) in retention.classes() {
        if client.query_one(ENSURE_CLASS, &[class, &rule.keep.interval()]).await?.try_get(0)? {
            classes_added.push(class.clone());
        }
    }
    Ok(MigrationReport {
        applied: report.applied_migrations().iter().map(ToString::to_string).collect(),
        version: schema::known_version(),
        classes_added,
        indexes: first_indexes(&client, indexes).await?,
    })
}

/// The set of indexes as it is after making the wanted one where nothing is indexed yet.
async fn first_indexes(client: &Client, wanted: IndexSet) -> Result<Option<IndexSet>, StoreError> {
    let found = indexes::set_of(&indexes::inventory(client).await?);
    if found == Some(wanted) || !client.query_one(NO_EVENTS, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(found);
    }
    indexes::change(client, wanted, &mut |_| {}).await?;
    Ok(Some(wanted))
}

/// A session as `audit_owner` that holds the lock of migrations until it ends, on a schema that is not newer than ours.
pub(crate) async fn owner_session(
    migrator: &DatabaseUrl,
    application_name: &str,
) -> Result<Client, StoreError> {
    let client = connect(migrator, application_name).await?;
    lock(&client).await?;
    client.batch_execute("set role audit_owner; set search_path = audit").await?;
    refuse_newer(&client).await?;
    Ok(client)
}

async fn lock(client: &Client) -> Result<(), StoreError> {
    let attempt = async {
        while !client.query_one(TRY_LOCK, &[&LOCK]).await?.try_get::<_, bool>(0)? {
            tokio::time::sleep(TRY_EVERY).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, attempt).await.unwrap_or_else(|_| {
        Err(StoreError::Refused(
            "another migration, or a change of the indexes, has been running for five minutes".to_owned(),
        ))
    })
}

async fn refuse_newer(client: &Client) -> Result<(), StoreError> {
    let known = schema::known_version();
    match schema::schema_version(client).await? {
        Some(found) if found > known => Err(StoreError::UnknownSchema {
            found: Some(found),
            known,
            remedy: "use the release that made this schema, or a newer one",
        }),
        _ => Ok(()),
    }
}

fn migration_error(error: &refinery::Error) -> StoreError {
    // refinery's own Display leaves the database's words to the source.
    let mut text = error.to_string();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    StoreError::Database(text.into())
}
