//! What every request shares.

use std::{sync::Arc, time::Duration};

use service::{Shutdown, config::ApiSettings};
use shared::{clock::Clock, filter::Pattern, retention::RetentionRules, timestamp::Timestamp};
use store::Reader;
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    access::Recorder, auth::Authenticator, exports::Exports, head::HeadWatcher, redrive::Redriver,
    replays::Replays, respond::Problem, writing::Writing,
};

/// Long histories that are folded at once: each may take as much memory as the largest state.
const FOLDS: usize = 4;

/// The state of the API; handlers hold it as `State<Arc<Api>>`.
#[derive(Clone)]
pub struct Api {
    /// The database.
    pub reader: Reader,
    /// What takes events and sends dead letters again; `None` = this API only reads.
    pub writing: Option<Writing>,
    /// What records who looked; `None` = the configuration switches it off.
    pub recorder: Option<Recorder>,
    /// Who may ask.
    pub authenticator: Arc<Authenticator>,
    /// The append head, for all followers.
    pub head: Arc<HeadWatcher>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Limits and intervals.
    pub settings: ApiSettings,
    /// One permit per open stream.
    pub streams: Arc<Semaphore>,
    /// What writes export files; `None` = the configuration names no place for them.
    pub exports: Option<Arc<Exports>>,
    /// How long which events are kept.
    pub retention: RetentionRules,
    /// One permit per long history that is being folded.
    pub folds: Arc<Semaphore>,
    /// The event types that mark an aggregate as deleted.
    pub deletions: Vec<Pattern>,
    /// The request to stop.
    pub shutdown: Shutdown,
}

/// What an [`Api`] is made of; its fields of the same names say more.
pub struct Parts {
    /// The database.
    pub reader: Reader,
    /// What takes events.
    pub writing: Option<Writing>,
    /// What writes export files.
    pub exports: Option<Arc<Exports>>,
    /// How long which events are kept.
    pub retention: RetentionRules,
    /// What records who looked.
    pub recorder: Option<Recorder>,
    /// Who may ask.
    pub authenticator: Authenticator,
    /// Limits and intervals.
    pub settings: ApiSettings,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The request to stop.
    pub shutdown: Shutdown,
}

impl Api {
    /// Puts the parts together; the watcher starts with the first follower.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { reader, writing, exports, retention, recorder, authenticator, settings, clock, shutdown } =
            parts;
        let head = Arc::new(HeadWatcher::start(reader.clone(), settings.tail_poll));
        let streams = Arc::new(Semaphore::new(settings.max_streams));
        let folds = Arc::new(Semaphore::new(FOLDS));
        let deletions = settings.deletion_types.iter().map(|text| Pattern::parse(text)).collect();
        Arc::new(Self {
            reader,
            writing,
            recorder,
            authenticator: Arc::new(authenticator),
            head,
            clock,
            settings,
            streams,
            exports,
            retention,
            folds,
            deletions,
            shutdown,
        })
    }

    /// The same API with another server to read from, and a request to stop of its own.
    pub fn reading_from(&self, reader: Reader, shutdown: Shutdown) -> Self {
        let head = Arc::new(HeadWatcher::start(reader.clone(), self.settings.tail_poll));
        Self { reader, head, shutdown, ..self.clone() }
    }

    /// What sends dead letters again; a problem when this API only reads.
    pub fn redriver(&self) -> Result<&Redriver, Problem> {
        self.writing.as_ref().map(|writing| &writing.redriver).ok_or_else(Problem::only_reads)
    }

    /// What replays to topics; a problem when this API only reads.
    pub fn replays(&self) -> Result<&Replays, Problem> {
        self.writing.as_ref().map(|writing| &writing.replays).ok_or_else(Problem::only_reads)
    }

    /// When a stream of a token that expires then must have ended: at the expiry itself, or soon after it when the
    /// token was taken within the leeway of clocks. Semantics.md 12 allows 30 s.
    pub fn end_of_stream(&self, expires: Timestamp) -> Instant {
        const GRACE: Duration = Duration::from_secs(10);
        let left = expires.as_micros().saturating_sub(self.clock.now().as_micros());
        let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
        // Beyond a century a deadline is none, and an Instant could overflow.
        Instant::now() + left.min(Duration::from_hours(100 * 365 * 24)).max(GRACE)
    }
}
