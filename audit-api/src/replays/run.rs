//! One job, by one runner, until it is done, let go, or lost to another.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bus::Outgoing;
use service::{Shutdown, backoff::Backoff};
use shared::scope::Scope;
use store::{
    ChunkLimits, StoreError,
    replays::{ClaimedJob, JobState, Progress},
};
use tokio::{sync::watch, time::Instant};

use super::{Inner, pace::Pace, rate};
use crate::{
    request::filter,
    respond::REPLAY_LIMITS,
    submit::new_id,
    walk::{Chunk, RecordedWalk, Walk as _},
};

/// The longest between two looks whether the job is still wanted.
const LOOK: Duration = Duration::from_secs(2);
/// The longest that progress without events goes unsaved.
const UNSAVED: Duration = Duration::from_secs(1);

/// Why a runner stops.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stop {
    /// It is paused, cancelled or another's, or this process stops.
    Unwanted,
    /// It cannot go on until somebody mends something.
    Failed(String),
    /// Something is away: the same again from the last saved place, after a while.
    Troubled(String),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        if error.is_transient() { Self::Troubled(error.to_string()) } else { Self::Failed(error.to_string()) }
    }
}

/// A job at work.
struct Run<'a> {
    parts: &'a Inner,
    job: &'a ClaimedJob,
    progress: Progress,
    pace: Option<Pace>,
    wanted: watch::Receiver<bool>,
    hold: &'a Hold,
    saved_at: Instant,
}

/// What the worker and the renewal of its lease share.
struct Hold {
    trouble: Mutex<Option<String>>,
    until: Mutex<Instant>,
}

impl Hold {
    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn held_since(&self, asked: Instant, lease: Duration) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = asked + lease;
    }

    fn until(&self) -> Instant {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works on a job that was asked for at this moment, and given.
pub(super) async fn run(parts: &Inner, job: ClaimedJob, asked: Instant, shutdown: Shutdown) {
    metrics::gauge!("audit_replay_jobs_running").increment(1.0);
    let job_id = job.runner.job_id;
    tracing::info!(%job_id, topic = job.topic, sent = job.progress.sent, "a replay is worked on");
    let (unwanted, wanted) = watch::channel(true);
    let hold = Hold { trouble: Mutex::new(None), until: Mutex::new(asked + job.runner.lease) };
    let pace = rate(job.rate).map(|rate| Pace::new(rate, Instant::now()));
    let worker =
        Run { parts, job: &job, progress: job.progress, pace, wanted, hold: &hold, saved_at: Instant::now() };
    let stop = tokio::select! {
        stop = worker.work() => stop,
        never = renew(parts, &job, &hold, &unwanted, &shutdown) => match never {},
    };
    let outcome = match &stop {
        Ok(()) => "finished",
        Err(Stop::Failed(_)) => "failed",
        Err(_) => "let go",
    };
    if let Err(error) = end(parts, &job, stop, &shutdown).await {
        tracing::warn!(%job_id, %error, "a replay's end cannot be recorded: another runner will find it");
    }
    metrics::gauge!("audit_replay_jobs_running").decrement(1.0);
    metrics::counter!("audit_replay_runs_ended_total", "outcome" => outcome).increment(1);
    tracing::info!(%job_id, outcome, "a replay is worked on no more");
}

/// Renews the lease, and tells the worker when the job is no longer wanted of it.
async fn renew(
    parts: &Inner,
    job: &ClaimedJob,
    hold: &Hold,
    unwanted: &watch::Sender<bool>,
    shutdown: &Shutdown,
) -> std::convert::Infallible {
    let every = LOOK.min(job.runner.lease / 3);
    loop {
        tokio::select! {
            () = shutdown.requested() => {
                unwanted.send_replace(false);
                std::future::pending::<()>().await;
            }
            () = tokio::time::sleep(every) => {}
        }
        let asked = Instant::now();
        match parts.writer.renew_replay_lease(&job.runner, hold.trouble().as_deref()).await {
            Ok(Some(JobState::Running)) => hold.held_since(asked, job.runner.lease),
            Ok(_) => drop(unwanted.send_replace(false)),
            Err(error) => tracing::debug!(%error, "a replay's lease cannot be renewed now"),
        }
    }
}

/// Says in the store how it ended; tried again while the lease lasts.
async fn end(
    parts: &Inner,
    job: &ClaimedJob,
    stop: Result<(), Stop>,
    shutdown: &Shutdown,
) -> Result<(), StoreError> {
    let mut backoff = Backoff::reconnecting();
    let until = Instant::now() + job.runner.lease;
    let event_id = new_id();
    loop {
        let ended = match &stop {
            Ok(()) => parts.writer.finish_replay_job(&job.runner, event_id).await,
            Err(Stop::Failed(reason)) => {
                tracing::warn!(job_id = %job.runner.job_id, reason, "a replay has failed");
                parts.writer.fail_replay_job(&job.runner, reason, event_id).await
            }
            Err(_) => Ok(false),
        };
        let ended = match ended {
            Ok(true) => Ok(()),
            Ok(false) => parts.writer.release_replay_job(&job.runner).await,
            Err(error) => Err(error),
        };
        match ended {
            Err(error) if error.is_transient() && Instant::now() < until && !shutdown.is_requested() => {
                backoff.wait().await;
            }
            ended => return ended,
        }
    }
}

impl Run<'_> {
    /// Sends what is left; whatever is away is waited for.
    async fn work(mut self) -> Result<(), Stop> {
        let mut backoff = Backoff::reconnecting();
        loop {
            let before = self.progress;
            let Err(stop) = self.attempt().await else { return Ok(()) };
            let Stop::Troubled(trouble) = stop else { return Err(stop) };
            metrics::counter!("audit_replay_troubles_total").increment(1);
            tracing::warn!(job_id = %self.job.runner.job_id, trouble, "a replay waits");
            self.hold.set_trouble(Some(trouble));
            if self.progress != before {
                backoff.reset();
            }
            self.pause(backoff.delay()).await?;
        }
    }

    async fn attempt(&mut self) -> Result<(), Stop> {
        let job = self.job;
        let filter =
            filter::of_json(&job.filter).map_err(|problem| Stop::Failed(problem.detail().to_owned()))?;
        let scope = job.organization_id.clone().map_or(Scope::All, Scope::Organization);
        // A standby may be behind the one that the job was made on: it would take what it has not yet for the end.
        if self.parts.reader.head().await? < job.until_append {
            return Err(Stop::Troubled("the database that is read has not everything yet".to_owned()));
        }
        let batch = self.pace.as_ref().map_or(REPLAY_LIMITS.rows, Pace::batch);
        let limits = ChunkLimits { rows: REPLAY_LIMITS.rows.min(batch), ..REPLAY_LIMITS };
        let reader = self.parts.reader.clone();
        let mut walk =
            RecordedWalk::new(reader, scope, filter, self.progress.reached, job.until_append, limits);
        let mut chunk = walk.next().await?;
        loop {
            let is_last = chunk.complete;
            let next = async { if is_last { None } else { Some(walk.next().await) } };
            let (sent, next) = tokio::join!(self.pass_on(chunk), next);
            sent?;
            let Some(next) = next else { return Ok(()) };
            chunk = next?;
        }
    }

    /// Sends a chunk, waits until Kafka has all of it, and saves that.
    async fn pass_on(&mut self, chunk: Chunk) -> Result<(), Stop> {
        let mut progress = self.progress;
        progress.reached = chunk.reached.unwrap_or(progress.reached);
        if let Some(last) = chunk.rows.last() {
            let records = self.records(&chunk).await?;
            let bytes: usize = records.iter().map(Outgoing::size).sum();
            self.wait_for_turn(records.len()).await?;
            self.send(records).await?;
            progress.last = Some(last.position());
            progress.sent += chunk.rows.len() as u64;
            progress.sent_bytes += bytes as u64;
        } else if !chunk.complete && self.saved_at.elapsed() < UNSAVED {
            self.progress = progress;
            return Ok(());
        }
        self.save(progress).await
    }

    async fn records(&self, chunk: &Chunk) -> Result<Vec<Outgoing>, Stop> {
        let schema_id = self.parts.schema.id().await.map_err(|error| {
            if error.is_transient() {
                Stop::Troubled(error.to_string())
            } else {
                Stop::Failed(error.to_string())
            }
        })?;
        let (topic, job_id) = (&self.job.topic, self.job.runner.job_id);
        Ok(chunk.rows.iter().map(|row| bus::replay::record(&row.view(), topic, schema_id, job_id)).collect())
    }

    /// The limit in events a second.
    async fn wait_for_turn(&mut self, events: usize) -> Result<(), Stop> {
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        let wait = self.pace.as_mut().map_or(Duration::ZERO, |pace| pace.take(events, Instant::now()));
        self.pause(wait).await
    }

    /// Waits, unless the job is no longer wanted.
    async fn pause(&mut self, time: Duration) -> Result<(), Stop> {
        // An error means that the sender is gone, which lives as long as the worker.
        let _ = tokio::time::timeout(time, self.wanted.wait_for(|wanted| !wanted)).await;
        if *self.wanted.borrow() { Ok(()) } else { Err(Stop::Unwanted) }
    }

    async fn send(&self, records: Vec<Outgoing>) -> Result<(), Stop> {
        let (count, parts) = (records.len(), self.parts);
        // Another may have it by now: what was to be sent is not.
        if Instant::now() >= self.hold.until() {
            return Err(Stop::Troubled(
                "the database cannot be asked whether the job is still ours".to_owned(),
            ));
        }
        let outcomes = parts.producer.send_all(records, parts.delivery_timeout).await;
        match outcomes.into_iter().find_map(Result::err) {
            None => {
                metrics::counter!("audit_replay_events_total").increment(count as u64);
                Ok(())
            }
            Some(error) if error.is_permanent() => Err(Stop::Failed(format!(
                "Kafka does not take a record: {error}; mend the topic and resume the job"
            ))),
            Some(error) => Err(Stop::Troubled(error.to_string())),
        }
    }

    /// Kafka has it, so it is saved, however long that takes; unless somebody else has the job.
    async fn save(&mut self, progress: Progress) -> Result<(), Stop> {
        let mut backoff = Backoff::reconnecting();
        loop {
            let asked = Instant::now();
            match self.parts.writer.save_replay_progress(&self.job.runner, &progress).await {
                Ok(state) => {
                    self.progress = progress;
                    self.saved_at = asked;
                    self.hold.set_trouble(None);
                    self.hold.held_since(asked, self.job.runner.lease);
                    let goes_on = state == Some(JobState::Running) && *self.wanted.borrow();
                    return if goes_on { Ok(()) } else { Err(Stop::Unwanted) };
                }
                Err(error) if error.is_transient() => {
                    self.hold.set_trouble(Some(error.to_string()));
                    tokio::time::sleep(backoff.delay()).await;
                    // Without the database nobody learns that the process is to stop but from here.
                    if !*self.wanted.borrow() {
                        return Err(Stop::Unwanted);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
