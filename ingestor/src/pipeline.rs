//! The whole way in on one screen: consumed → decoded → validated → batched → appended, and the relay beside it.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use rdkafka::error::KafkaError;
use service::{Shutdown, backoff::Backoff};
use shared::clock::Clock;
use store::{RecentIds, SpareChunks};
use tokio::{
    sync::{Notify, mpsc::unbounded_channel, oneshot},
    task::JoinSet,
};
use tracing::{error, info, warn};

use crate::{
    append::Appender,
    batch::{Batcher, Room},
    consume::{
        bell::Bell,
        client,
        command::Commands,
        door::Doors,
        poller::{Poller, Pulse},
        starter::Starter,
    },
    database::Database,
    decode::Decoder,
    health::Conditions,
    lane::Lane,
    schemas::SchemaBook,
    settings::Settings,
    validate::Validator,
};

/// How often the poll thread is looked after, and how many silent looks mean that it hangs. Looks are counted, not
/// time: a process that was stopped for a minute and goes on is not hanging.
const LOOK: Duration = Duration::from_secs(5);
const SILENT_LOOKS: u32 = 12;

/// The parts that outlive one membership of the group.
#[derive(Clone)]
pub struct Pipeline {
    /// What to go by.
    pub settings: Arc<Settings>,
    /// Writer schemas.
    pub book: Arc<SchemaBook>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// Readiness.
    pub conditions: Conditions,
    /// Rings for the relay.
    pub bell: Arc<Notify>,
    /// The ids that lanes have met lately.
    pub recent: RecentIds,
}

impl Pipeline {
    /// Reads until asked to stop. A member that librdkafka declares dead is replaced, for ever.
    pub async fn run(&self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let mut backoff = Backoff::reconnecting();
        while !shutdown.is_requested() {
            match self.membership(shutdown).await? {
                Ok(()) => {}
                Err(failure) => {
                    error!(error = %failure, "consumer_died: a new one takes its place");
                    tokio::select! {
                        () = shutdown.requested() => {}
                        () = backoff.wait() => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// One life of one member: poll thread, starter, and lanes of two halves each.
    async fn membership(&self, shutdown: &Shutdown) -> anyhow::Result<Result<(), KafkaError>> {
        let settings = &self.settings;
        let consumer = Arc::new(client::create(settings, self.conditions.clone())?);
        let (sender, obeyed) = mpsc::channel();
        let (start, starts) = unbounded_channel();
        let bell = Arc::new(Bell::default());
        let commands = Commands::new(sender, Arc::clone(&bell));
        let doors: Doors = (0..settings.lanes).map(|_| Arc::default()).collect();
        let mut lanes = JoinSet::new();
        (0..settings.lanes).for_each(|number| self.open_lane(&mut lanes, number, &doors, &commands));
        let starter = Starter {
            settings: Arc::clone(settings),
            database: Database::new(settings.database_url.clone(), "audit-ingestor-starter"),
            consumer: Arc::downgrade(&consumer),
            commands,
            conditions: self.conditions.clone(),
        };
        let starter = tokio::spawn(starter.run(starts));
        let pulse = Arc::new(Pulse::default());
        let poller = Poller {
            settings: Arc::clone(settings),
            consumer,
            commands: obeyed,
            starter: start,
            doors,
            pulse: Arc::clone(&pulse),
            bell,
        };
        let (drained, ended) = spawn_poll_thread(poller, shutdown.clone())?;
        let result = watch(ended, &pulse, lanes, drained, shutdown, settings.shutdown_deadline).await;
        starter.abort();
        result
    }

    fn open_lane(&self, tasks: &mut JoinSet<()>, number: usize, doors: &Doors, commands: &Commands) {
        let settings = &self.settings;
        let (prepared, batches) = tokio::sync::mpsc::channel(1);
        let batcher = Batcher {
            decoder: Decoder::new(Arc::clone(&self.book), settings.max_record_bytes),
            validator: Validator::new(Arc::clone(&settings.retention)),
            clock: Arc::clone(&self.clock),
            commands: commands.clone(),
            max_kept: settings.dead_letter_max_bytes,
            spare: SpareChunks::default(),
        };
        let limits = Room { count: settings.batch_max_records, bytes: settings.batch_max_bytes };
        let (doors, logs) = (Arc::clone(doors), VecDeque::new());
        let appender = Appender {
            settings: Arc::clone(settings),
            commands: commands.clone(),
            relay: Arc::clone(&self.bell),
            conditions: self.conditions.clone(),
            writer: None,
            door: Arc::clone(&doors[number]),
            recent: self.recent.clone(),
        };
        tasks.spawn(Lane { batcher, limits, number, doors, prepared, logs }.run());
        tasks.spawn(appender.run(batches));
    }
}

type Ended = oneshot::Receiver<Result<(), KafkaError>>;

/// The poll thread, from subscription to leaving the group. The flag tells it that the lanes are done.
fn spawn_poll_thread(mut poller: Poller, shutdown: Shutdown) -> anyhow::Result<(Arc<AtomicBool>, Ended)> {
    let drained = Arc::new(AtomicBool::new(false));
    let (closing, ended) = oneshot::channel();
    let lanes_done = Arc::clone(&drained);
    std::thread::Builder::new().name("poll".to_owned()).spawn(move || {
        let result = poller.subscribe().and_then(|()| poller.run(|| shutdown.is_requested()));
        poller.close_lanes();
        while !lanes_done.load(Ordering::Acquire) && !shutdown.is_immediate() {
            poller.idle();
        }
        poller.tell_kafka();
        drop(poller);
        // Nobody listens any more when the process is ending at once.
        let _ = closing.send(result);
    })?;
    Ok((drained, ended))
}

/// Waits for the end of the poll thread, and looks after it meanwhile.
async fn watch(
    mut ended: Ended,
    pulse: &Pulse,
    mut lanes: JoinSet<()>,
    drained: Arc<AtomicBool>,
    shutdown: &Shutdown,
    deadline: Duration,
) -> anyhow::Result<Result<(), KafkaError>> {
    let mut silent = 0;
    let mut beats = pulse.beats();
    let mut looks = tokio::time::interval(LOOK);
    let past_deadline = past_deadline(shutdown, deadline);
    tokio::pin!(past_deadline);
    let mut deadline_passed = false;
    loop {
        tokio::select! {
            result = &mut ended => return Ok(result?),
            // The lanes end when the poll thread has closed them and everything in them is stored or dropped.
            done = drain(&mut lanes), if !drained.load(Ordering::Acquire) => {
                info!(clean = done, "lanes_drained");
                drained.store(true, Ordering::Release);
            }
            () = &mut past_deadline, if !deadline_passed => {
                deadline_passed = true;
                warn!("drain_deadline_passed: what is not stored yet is read again at the next start");
                lanes.abort_all();
            }
            _ = looks.tick() => {
                silent = if pulse.beats() == beats { silent + 1 } else { 0 };
                beats = pulse.beats();
                if silent >= SILENT_LOOKS {
                    anyhow::bail!("the poll thread has not gone round for a minute");
                }
            }
        }
    }
}

async fn drain(lanes: &mut JoinSet<()>) -> bool {
    let mut clean = true;
    while let Some(ended) = lanes.join_next().await {
        clean &= ended.is_ok();
    }
    clean
}

/// Returns when a graceful stop has taken most of its time, so that the group can still be left in order.
async fn past_deadline(shutdown: &Shutdown, deadline: Duration) {
    shutdown.requested().await;
    tokio::time::sleep(deadline.mul_f64(0.8)).await;
}
