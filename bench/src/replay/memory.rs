//! How much a stream adds to the API's memory, whatever the store's size and the client's pace.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{replay, replay_all, start_api};
use crate::figures::{Run, as_f64};
use crate::http_client::Pace;
use crate::process::peak_resident_bytes;
use crate::store_filled::FilledStore;

/// What the figures for a fast client begin with.
pub(super) const FAST: &str = "memory of a stream, fast client";
/// For a slow one.
pub(super) const SLOW: &str = "memory of a stream, slow client";

/// A client far slower than the store, for long enough to fill every queue on the way.
const SLOWLY: Pace = Pace::Slow { rate: 1 << 20, lasts: Duration::from_secs(10) };

/// Measures both clients on each store, each in a process that has done nothing before.
pub(super) async fn measure(stores: &[FilledStore], run: &mut Run) -> Result<()> {
    for store in stores {
        for (figure, pace) in [(FAST, Pace::Fast), (SLOW, SLOWLY)] {
            eprintln!("{figure}, {} events", store.events);
            let grown = growth(store, pace).await?;
            run.add(&format!("{figure}, {} events stored", store.events), "MB", grown);
        }
    }
    Ok(())
}

/// Megabytes by which one stream raises the process's peak.
async fn growth(store: &FilledStore, pace: Pace) -> Result<f64> {
    let api = start_api(&store.database).await;
    // What the first request of its kind makes once and for all (connections, statements) is not the stream's.
    let nothing = replay(api.api_address(), "/v1/replay?after=now", Pace::Fast).await?;
    ensure!(nothing.lines == 0, "a replay from now on gave events");
    let before = peak_resident_bytes(api.pid())?;
    match pace {
        Pace::Fast => replay_all(store, api.api_address()).await?,
        Pace::Slow { .. } => {
            let answer = replay(api.api_address(), "/v1/replay", pace).await?;
            ensure!(answer.lines > 0 && !answer.is_complete, "the client was not slow: {answer:?}");
        }
    }
    let grown = peak_resident_bytes(api.pid())?.saturating_sub(before);
    Ok(as_f64(grown) / f64::from(1 << 20))
}
