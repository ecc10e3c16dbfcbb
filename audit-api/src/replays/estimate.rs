//! What a replay would send, before it does: how many events, how many bytes, how long.

use shared::{filter::EventFilter, position::Position, scope::Scope};
use store::{Ahead, ChunkLimits, Reader, RecordedCursor, StoreError, replays::Exactness};
use uuid::Uuid;

/// The sample by which the size of events is judged.
const SAMPLE: ChunkLimits =
    ChunkLimits { rows: 200, bytes: 1 << 20, scan: std::time::Duration::from_secs(1) };
/// Events a second without a limit: about what one job reached with everything on two cores.
const USUAL_RATE: u32 = 10_000;

/// What a replay walks through.
#[derive(Debug, Clone)]
pub struct Walked {
    /// Whose events.
    pub scope: Scope,
    /// Which.
    pub filter: EventFilter,
    /// Behind which place.
    pub after: RecordedCursor,
    /// The event at that place, if it is one's.
    pub last: Option<Position>,
    /// Up to which append.
    pub until: i64,
}

/// What is expected of a replay; `None` = not to be had in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// How many events, and how near that is.
    pub events: Option<(u64, Exactness)>,
    /// Bytes of their records.
    pub bytes: Option<u64>,
    /// Seconds that it will take.
    pub seconds: Option<u64>,
}

/// Counts within the database's time for a read, and looks at the first events.
pub async fn estimate(reader: &Reader, walked: &Walked, rate: Option<u32>) -> Result<Estimate, StoreError> {
    let Walked { scope, filter, after, last, until } = walked;
    let mut ahead = Ahead::default();
    let sample = reader.recorded_chunk(scope, filter, *after, *until, SAMPLE, &mut ahead).await?;
    let count = sample.rows.len() as u64;
    let events = if sample.complete {
        Some((count, Exactness::Exact))
    } else {
        reader.replay_size(scope, filter, *after, *last, *until).await?
    };
    // The job's id and the schema's number have a fixed size.
    let size = |row: &store::EventRow| bus::replay::record(&row.view(), "", 0, Uuid::nil()).size() as u64;
    let bytes: u64 = sample.rows.iter().map(size).sum();
    let expected = events.map(|(events, _)| events);
    let bytes = match expected {
        Some(0) => Some(0),
        Some(events) => bytes.saturating_mul(events).checked_div(count),
        None => None,
    };
    let seconds = expected.map(|events| events.div_ceil(rate.unwrap_or(USUAL_RATE).max(1).into()));
    Ok(Estimate { events, bytes, seconds })
}
