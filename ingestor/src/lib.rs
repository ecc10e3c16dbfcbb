//! A record's way in: consumed → decoded → validated → batched → appended, each offset exactly once (semantics.md 4).
//!
//! [`pipeline`] wires the stages on one screen: [`consume`] (the poll thread and where partitions begin), [`decode`]
//! (bytes by their writer's schema, from [`schemas`]), [`validate`], [`batch`], [`lane`] and [`append`]; [`relay`]
//! publishes what was refused.

pub mod append;
pub mod batch;
pub mod consume;
pub mod database;
pub mod decode;
pub mod health;
pub mod lane;
pub mod metrics;
pub mod pipeline;
pub mod relay;
pub mod schemas;
pub mod settings;
pub mod trace;
pub mod validate;

use std::sync::Arc;

use anyhow::Context as _;
use bus::{Producer, ProducerLimits, dead_letter, registry::Registry};
use service::{Health, Shutdown, backoff::Backoff, config::AuditConfig};
use shared::clock::Clock;
use store::StoreError;
use tokio::sync::Notify;
use tracing::warn;

use crate::{
    database::Database,
    health::Conditions,
    pipeline::Pipeline,
    relay::{Publisher, Relay},
    schemas::SchemaBook,
    settings::Settings,
};

/// Runs an ingestor until `shutdown` asks for its end. Waits for what is away; fails only for what time does not cure.
pub async fn run(
    config: &AuditConfig,
    health: &Health,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let settings = Arc::new(Settings::from_config(config)?);
    metrics::describe();
    let conditions = Conditions::new(health);
    let database = |name| Database::new(settings.database_url.clone(), name);
    if !known_database(database("audit-ingestor-check"), &conditions, &shutdown).await? {
        return Ok(());
    }
    let registry = Registry::new(&config.registry)?;
    let copies = database("audit-ingestor-schemas");
    let book = SchemaBook::new(registry, settings.registry.clone(), settings.unknown_schema_after, copies);
    let bell = Arc::new(Notify::new());
    let limits = ProducerLimits::for_records_of(settings.max_record_bytes + dead_letter::ALLOWANCE);
    let producer = Producer::new(&config.kafka, "audit-ingestor-relay", limits)?;
    let relay = Relay {
        publisher: Publisher { settings: Arc::clone(&settings), producer },
        database: database("audit-ingestor-relay"),
        bell: Arc::clone(&bell),
    };
    let relay = tokio::spawn(relay.run(shutdown.clone()));
    let recent = store::RecentIds::default();
    let pipeline = Pipeline { settings, book: Arc::new(book), clock, conditions, bell, recent };
    let result = pipeline.run(&shutdown).await;
    // What the relay has in hand is published again by the next one.
    relay.abort();
    result
}

/// Waits for the database, and refuses one whose schema this build does not know. False when asked to stop first.
async fn known_database(
    mut database: Database,
    conditions: &Conditions,
    shutdown: &Shutdown,
) -> anyhow::Result<bool> {
    let mut backoff = Backoff::reconnecting();
    loop {
        match check(&mut database).await {
            Ok(()) => {
                conditions.database_answers();
                return Ok(true);
            }
            Err(error) if error.is_transient() => {
                warn!(%error, "database_unavailable");
                conditions.database_is_away(&error);
                database.disconnect();
            }
            Err(error) => return Err(error).context("this database cannot be used"),
        }
        tokio::select! {
            () = shutdown.requested() => return Ok(false),
            () = backoff.wait() => {}
        }
    }
}

async fn check(database: &mut Database) -> Result<(), StoreError> {
    store::schema::require_known_schema(database.client().await?).await
}
