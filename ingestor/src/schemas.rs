//! Writer schemas by id: from memory, else from the database's copies, else from the registry.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bus::registry::{Registry, RegistryError};
use shared::avro::{SchemaReference, WriterSchema};
use store::{
    StoreError,
    schemas::{StoredSchema, keep_schema, load_schema},
};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::{consume::command::RewindReason, database::Database};

/// How long a lane waits for one look-up before its partition waits instead, and the lane's other partitions go on.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long an id that was given up is not asked for again.
const GIVEN_UP_FOR: Duration = Duration::from_secs(30);
/// Ids that are being waited for, at most; beyond, the oldest is forgotten and waits anew.
const MOST_UNKNOWN: usize = 10_000;

/// A schema that was found.
#[derive(Debug, Clone)]
pub enum Usable {
    /// It decodes.
    Schema(Arc<WriterSchema>),
    /// It is none that this product can decode by; says why.
    Broken(Arc<str>),
}

/// The answer about an id.
#[derive(Debug, Clone)]
pub enum Resolution {
    /// It is found.
    Usable(Usable),
    /// A healthy registry has not known it for long enough.
    Unknown,
    /// The answer is not there yet: ask again after a while.
    Wait(RewindReason),
}

/// What is known about schemas, for all lanes.
#[derive(Debug)]
pub struct SchemaBook {
    registry: Registry,
    registry_name: String,
    unknown_after: Duration,
    database: tokio::sync::Mutex<Database>,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    usable: HashMap<SchemaReference, Usable>,
    first_unknown: HashMap<SchemaReference, Instant>,
    given_up: HashMap<SchemaReference, Instant>,
    pending: HashMap<SchemaReference, Pending>,
}

#[derive(Debug, Clone)]
struct Pending {
    since: Instant,
    answer: watch::Receiver<Option<Resolution>>,
}

impl SchemaBook {
    /// An empty book. `registry_name` scopes the copies in the database.
    pub fn new(
        registry: Registry,
        registry_name: String,
        unknown_after: Duration,
        database: Database,
    ) -> Self {
        let database = tokio::sync::Mutex::new(database);
        Self { registry, registry_name, unknown_after, database, pages: Mutex::default() }
    }

    /// The schema of this id. Waits only briefly; the look-up goes on behind.
    pub async fn resolve(self: &Arc<Self>, reference: SchemaReference) -> Resolution {
        let mut pending = match self.begin(reference) {
            Ok(resolution) => return resolution,
            Err(pending) => pending,
        };
        let patience = PATIENCE.saturating_sub(pending.since.elapsed());
        match tokio::time::timeout(patience, pending.answer.wait_for(Option::is_some)).await {
            Ok(Ok(answer)) => answer.clone().unwrap_or(Resolution::Wait(RewindReason::Registry)),
            _ => Resolution::Wait(RewindReason::Registry),
        }
    }

    /// Starts a look-up without waiting for it.
    pub fn foresee(self: &Arc<Self>, reference: SchemaReference) {
        let _ = self.begin(reference);
    }

    /// The answer, when it is known; else the look-up, begun when nobody has.
    fn begin(self: &Arc<Self>, reference: SchemaReference) -> Result<Resolution, Pending> {
        let mut pages = self.pages();
        if let Some(usable) = pages.usable.get(&reference) {
            return Ok(Resolution::Usable(usable.clone()));
        }
        if pages.given_up.get(&reference).is_some_and(|at| at.elapsed() < GIVEN_UP_FOR) {
            return Ok(Resolution::Unknown);
        }
        if let Some(pending) = pages.pending.get(&reference) {
            return Err(pending.clone());
        }
        let (answered, answer) = watch::channel(None);
        let pending = Pending { since: Instant::now(), answer };
        pages.pending.insert(reference, pending.clone());
        let book = Arc::clone(self);
        tokio::spawn(async move {
            let resolution = book.look_up(reference).await;
            book.conclude(reference, &resolution);
            // Nobody may be waiting any more.
            let _ = answered.send(Some(resolution));
        });
        Err(pending)
    }

    async fn look_up(&self, reference: SchemaReference) -> Resolution {
        match self.copy_of(reference).await {
            Ok(Some(copy)) => return usable(reference, &copy),
            Ok(None) => {}
            Err(error) => {
                warn!(%error, %reference, "schema_copy_unreadable");
                return Resolution::Wait(RewindReason::Database);
            }
        }
        let found = match self.registry.fetch(reference).await {
            Ok(found) => StoredSchema { text: found.text, references: found.references },
            Err(RegistryError::Unknown(_)) => return self.unknown(reference),
            Err(RegistryError::Unusable(detail)) => {
                warn!(detail, %reference, "schema_unusable: its records go to the dead letters");
                return Resolution::Usable(Usable::Broken(detail.into()));
            }
            Err(error) => {
                warn!(%error, %reference, "registry_unavailable");
                return Resolution::Wait(RewindReason::Registry);
            }
        };
        // Kept before its first use: a stored event must stay explainable without the registry.
        if let Err(error) = self.keep(reference, &found).await {
            error!(%error, %reference, "schema_copy_not_kept");
            return Resolution::Wait(RewindReason::Database);
        }
        info!(%reference, "schema_learned");
        usable(reference, &found)
    }

    async fn copy_of(&self, reference: SchemaReference) -> Result<Option<StoredSchema>, StoreError> {
        let mut database = self.database.lock().await;
        let loaded = load_schema(database.client().await?, &self.registry_name, &reference.to_string()).await;
        if loaded.is_err() {
            database.disconnect();
        }
        loaded
    }

    async fn keep(&self, reference: SchemaReference, schema: &StoredSchema) -> Result<(), StoreError> {
        let mut database = self.database.lock().await;
        let kept =
            keep_schema(database.client().await?, &self.registry_name, &reference.to_string(), schema).await;
        if kept.is_err() {
            database.disconnect();
        }
        kept
    }

    fn unknown(&self, reference: SchemaReference) -> Resolution {
        let mut pages = self.pages();
        if pages.first_unknown.len() >= MOST_UNKNOWN
            && let Some(oldest) = pages.first_unknown.iter().min_by_key(|(_, at)| **at).map(|(it, _)| *it)
        {
            pages.first_unknown.remove(&oldest);
        }
        let first = *pages.first_unknown.entry(reference).or_insert_with(Instant::now);
        if first.elapsed() < self.unknown_after {
            info!(%reference, waited_s = first.elapsed().as_secs(), "schema_unknown: its partition waits");
            return Resolution::Wait(RewindReason::UnknownSchema);
        }
        Resolution::Unknown
    }

    fn conclude(&self, reference: SchemaReference, resolution: &Resolution) {
        let mut pages = self.pages();
        pages.pending.remove(&reference);
        match resolution {
            Resolution::Usable(usable) => {
                pages.usable.insert(reference, usable.clone());
                pages.first_unknown.remove(&reference);
            }
            Resolution::Unknown => {
                pages.given_up.retain(|_, at| at.elapsed() < GIVEN_UP_FOR);
                pages.given_up.insert(reference, Instant::now());
            }
            Resolution::Wait(_) => {}
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn usable(reference: SchemaReference, schema: &StoredSchema) -> Resolution {
    Resolution::Usable(match WriterSchema::parse(&schema.text, &schema.references) {
        Ok(parsed) => Usable::Schema(Arc::new(parsed)),
        Err(error) => {
            warn!(%error, %reference, "schema_unusable: its records go to the dead letters");
            Usable::Broken(format!("schema {reference} cannot be used: {error}").into())
        }
    })
}
