//! The loop: one projector leads, reads what is new, and writes what it changes; whatever fails is done again from the
//! stored position.

use std::{pin::pin, time::Instant};

use anyhow::{Context as _, bail};
use futures::TryStreamExt as _;
use service::{Condition, Health, Shutdown, backoff::Backoff};
use store::{
    StoreError,
    projections::{Advance, AppendSpan, Applied, FoldRow, ProjectionState, ProjectionWriter},
};
use tracing::{info, warn};

use crate::{
    Settings,
    fold::{Fold, Seen},
    metrics,
    plan::{self, Group},
};

/// What `pg_stat_activity` shows.
const NAME: &str = "audit-projector";

/// Bytes of producers' texts that one batch may hold, unless one append alone holds more.
const HEAVIEST: usize = 16 << 20;

/// Runs a projector until `shutdown` asks for its end. Waits for a database that is away; fails only for what time does
/// not cure: a schema or a fold that this build does not know.
pub async fn run(settings: Settings, health: &Health, shutdown: Shutdown) -> anyhow::Result<()> {
    metrics::describe();
    let projector = Projector { settings, database: health.condition("database"), shutdown };
    let mut backoff = Backoff::reconnecting();
    loop {
        match projector.session(&mut backoff).await {
            Ok(()) => return Ok(()),
            Err(Ended::Store(error)) if error.is_transient() || matches!(error, StoreError::Timeout) => {
                warn!(%error, "projections_delayed");
                projector.database.unmet(error.to_string());
            }
            Err(Ended::Store(error)) => return Err(error).context("this database cannot be used"),
            Err(Ended::NewerFold(name)) => bail!(
                "the projection {name} was made by a newer build: start that one, or `trailctl projections rebuild {name}`"
            ),
        }
        metrics::failed();
        metrics::leading(false);
        tokio::select! {
            () = projector.shutdown.requested() => return Ok(()),
            () = backoff.wait() => {}
        }
    }
}

/// Why a connection is no longer used.
enum Ended {
    Store(StoreError),
    NewerFold(&'static str),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

struct Projector {
    settings: Settings,
    database: Condition,
    shutdown: Shutdown,
}

impl Projector {
    /// One connection, from the first statement to the request to stop (Ok) or to what ends it.
    async fn session(&self, backoff: &mut Backoff) -> Result<(), Ended> {
        let mut writer = ProjectionWriter::connect(&self.settings.database_url, NAME).await?;
        self.database.met();
        let mut leads = false;
        while !self.shutdown.is_requested() {
            if !leads {
                leads = writer.try_lead().await?;
                if leads {
                    info!("projector_leading");
                    metrics::leading(true);
                    prepare(&writer).await?;
                } else {
                    metrics::stands_by();
                }
            }
            let idle = !leads || !self.round(&mut writer).await?;
            backoff.reset();
            if idle {
                tokio::select! {
                    () = self.shutdown.requested() => {}
                    () = tokio::time::sleep(self.settings.poll) => {}
                }
            }
        }
        Ok(())
    }

    /// One batch of every group; whether there was anything to do.
    async fn round(&self, writer: &mut ProjectionWriter) -> Result<bool, Ended> {
        let states = writer.states().await?;
        tell(&states);
        let groups = plan::groups(&states);
        for group in &groups {
            if self.shutdown.is_requested() {
                break;
            }
            self.batch(writer, group).await?;
        }
        Ok(!groups.is_empty())
    }

    /// The next batch of a group.
    async fn batch(&self, writer: &mut ProjectionWriter, group: &Group) -> Result<(), Ended> {
        let started = Instant::now();
        let mut spans = writer.appends(group.from, group.until, self.settings.batch_max_events).await?;
        let fold = loop {
            match read(writer, &spans).await? {
                Some(fold) => break fold,
                // One append is what the ingestor held in memory at once: alone it is taken, whatever it weighs.
                None => spans.truncate(spans.len().div_ceil(2)),
            }
        };
        let Some(last) = spans.last() else { return Ok(()) };
        let events = spans.iter().map(|span| u64::from(span.stored.unsigned_abs())).sum();
        let advance =
            Advance { projections: group.projections.clone(), from: group.from, to: last.append_no };
        let read = started.elapsed();
        match writer.apply(&advance, &fold.finish()).await? {
            Applied::Done => {
                metrics::applied(&advance, events, read, started.elapsed().saturating_sub(read));
            }
            // The next round sees where they stand now.
            Applied::Moved => info!(from = advance.from, "projection_moved_by_another"),
        }
        Ok(())
    }
}

/// Rows that an older fold made are made anew; those of a newer one are not ours to touch.
async fn prepare(writer: &ProjectionWriter) -> Result<(), Ended> {
    for fold in plan::foreign(&writer.states().await?) {
        match fold {
            plan::Fold::Older(projection) => {
                info!(projection = projection.name(), "projection_rebuilt: an older build made it");
                writer.rebuild(projection).await?;
            }
            plan::Fold::Newer(projection) => return Err(Ended::NewerFold(projection.name())),
        }
    }
    Ok(())
}

/// Folds the events of these appends as they come; `None` = they weigh too much together.
async fn read(writer: &ProjectionWriter, spans: &[AppendSpan]) -> Result<Option<Fold>, StoreError> {
    let mut fold = Fold::default();
    if spans.iter().any(|span| span.stored > 0) {
        let mut rows = pin!(writer.events(spans).await?);
        while let Some(row) = rows.try_next().await? {
            fold.add(&seen(&row));
            if fold.weight() > HEAVIEST && spans.len() > 1 {
                return Ok(None);
            }
        }
    }
    Ok(Some(fold))
}

fn seen(row: &FoldRow) -> Seen<'_> {
    Seen {
        facts: row.facts(),
        source: row.source(),
        action: row.action(),
        version: row.version(),
        position: row.position(),
        place: row.place(),
    }
}

fn tell(states: &[ProjectionState]) {
    for state in states {
        if let Some(projection) = state.projection() {
            metrics::lag(projection, &state.as_of);
        }
    }
}
