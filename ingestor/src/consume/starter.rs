//! Finds out where each partition begins: the database's position, Kafka's watermarks, and the plan between them.
//!
//! Runs beside the poll thread, which goes on polling meanwhile, so the group stays together for as long as the
//! database or Kafka is away.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use rdkafka::consumer::{BaseConsumer, Consumer};
use store::{Log, StoreError};
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::{error, info, warn};

use super::{
    claim::Claim,
    command::{Command, Commands},
    context::GroupContext,
    plan::{Plan, StopReason, Watermarks, plan},
    table::{after, back_off},
};
use crate::{database::Database, health::Conditions, settings::Settings};

/// How long one question for watermarks may take.
const WATERMARK_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a stopped partition is looked at again.
const STOPPED_CHECK: Duration = Duration::from_secs(3);
/// How often an end below the position must be seen, [`DOUBT_PAUSE`] apart, before it is believed: a broker that has
/// just started may still announce an older end.
const DOUBTS: u32 = 3;
const DOUBT_PAUSE: Duration = Duration::from_secs(2);

/// A partition to be started.
#[derive(Debug)]
pub struct StartRequest {
    /// The claim it is started for; the request is void when the claim is.
    pub claim: Arc<Claim>,
    /// Not before this.
    pub due: Instant,
    /// The incarnation that was found to be another log than Kafka's: only a newer one may be read.
    pub diverged: Option<i32>,
    failures: u32,
    doubts: u32,
    told: Option<StopReason>,
}

impl StartRequest {
    /// A request.
    pub fn new(claim: Arc<Claim>, due: Instant) -> Self {
        Self { claim, due, diverged: None, failures: 0, doubts: 0, told: None }
    }

    /// A request for a log whose records turned out to be another's.
    pub fn diverged(claim: Arc<Claim>, incarnation: i32) -> Self {
        let told = Some(StopReason::LogDiverged);
        Self { diverged: Some(incarnation), told, ..Self::new(claim, Instant::now() + STOPPED_CHECK) }
    }
}

/// The task that starts partitions.
pub struct Starter {
    /// What to go by.
    pub settings: Arc<Settings>,
    /// Its own connection.
    pub database: Database,
    /// Asked for watermarks; gone when the poll thread has ended.
    pub consumer: Weak<BaseConsumer<GroupContext>>,
    /// The poll thread.
    pub commands: Commands,
    /// Readiness.
    pub conditions: Conditions,
}

impl Starter {
    /// Serves requests until the poll thread is gone.
    pub async fn run(mut self, mut requests: UnboundedReceiver<StartRequest>) {
        let mut waiting: Vec<StartRequest> = Vec::new();
        loop {
            let next = waiting.iter().map(|request| request.due).min();
            let arrived = async {
                match next {
                    Some(due) => tokio::time::timeout_at(due.into(), requests.recv()).await.ok(),
                    None => Some(requests.recv().await),
                }
            };
            match arrived.await {
                Some(Some(request)) => waiting.push(request),
                Some(None) => return,
                None => {}
            }
            while let Ok(request) = requests.try_recv() {
                waiting.push(request);
            }
            waiting.retain(|request| request.claim.accepts_more());
            let now = Instant::now();
            let due = waiting.extract_if(.., |request| request.due <= now).collect::<Vec<_>>();
            if !due.is_empty() {
                waiting.extend(self.start(due).await);
            }
        }
    }

    /// Starts what can be started; gives back what has to wait.
    async fn start(&mut self, mut requests: Vec<StartRequest>) -> Vec<StartRequest> {
        let logs = match self.open_logs(&requests).await {
            Ok(logs) => {
                self.conditions.database_answers();
                logs
            }
            Err(error) => {
                self.conditions.database_is_away(&error);
                let attempts = requests.iter().map(|request| request.failures).max().unwrap_or(0);
                warn!(%error, attempts, "positions_unreadable");
                requests.iter_mut().for_each(postpone);
                return requests;
            }
        };
        let watermarks = self.watermarks(&requests).await;
        let mut waiting = Vec::new();
        for (request, log) in requests.into_iter().zip(logs) {
            let key = (request.claim.topic.to_string(), request.claim.partition);
            waiting.extend(self.decide(request, log, watermarks.get(&key).copied()));
        }
        waiting
    }

    async fn open_logs(&mut self, requests: &[StartRequest]) -> Result<Vec<Log>, StoreError> {
        let partitions: Vec<_> = requests
            .iter()
            .map(|request| (request.claim.topic.to_string(), request.claim.partition))
            .collect();
        let client = self.database.client().await?;
        let opened = store::logs::open_logs(client, &self.settings.cluster, &partitions).await;
        if opened.is_err() {
            self.database.disconnect();
        }
        opened
    }

    /// The watermarks of those partitions that answered.
    async fn watermarks(&self, requests: &[StartRequest]) -> HashMap<(String, i32), Watermarks> {
        let Some(consumer) = self.consumer.upgrade() else { return HashMap::new() };
        let partitions: Vec<_> = requests
            .iter()
            .map(|request| (request.claim.topic.to_string(), request.claim.partition))
            .collect();
        let asked = tokio::task::spawn_blocking(move || ask_watermarks(&consumer, partitions)).await;
        asked.unwrap_or_default()
    }

    fn decide(&self, mut request: StartRequest, log: Log, kafka: Option<Watermarks>) -> Option<StartRequest> {
        let Some(kafka) = kafka else {
            postpone(&mut request);
            return Some(request);
        };
        let diverged = request.diverged.is_some_and(|incarnation| log.name.incarnation <= incarnation);
        let decided = if diverged {
            Plan::Stop(StopReason::LogDiverged)
        } else {
            plan(&log, kafka, self.settings.on_gap)
        };
        match decided {
            Plan::Begin(beginning) => {
                if beginning.last_record_gone {
                    warn!(log = ?log.name, "last_record_gone: it cannot be compared, reading goes on");
                }
                let claim = request.claim;
                self.commands.send(Command::Begin { claim, log: Box::new(log), beginning });
                None
            }
            Plan::Stop(reason) => Some(self.stop(request, &log, kafka, reason)),
        }
    }

    fn stop(
        &self,
        mut request: StartRequest,
        log: &Log,
        kafka: Watermarks,
        reason: StopReason,
    ) -> StartRequest {
        request.due = Instant::now() + STOPPED_CHECK;
        if reason == StopReason::LogDiverged && request.diverged.is_none() {
            request.doubts += 1;
            if request.doubts < DOUBTS {
                request.due = Instant::now() + DOUBT_PAUSE;
                info!(log = ?log.name, position = log.next_offset, end = kafka.high, "end_below_position");
                return request;
            }
            // Not held against it for ever: when the end is back, the last record is compared before anything is read.
        }
        if request.told != Some(reason) {
            request.told = Some(reason);
            let remedy = match reason {
                StopReason::LogDiverged => "trailctl ledger new-incarnation",
                StopReason::Gap => "trailctl ledger accept-gap",
            };
            error!(log = ?log.name, position = log.next_offset, low = kafka.low, end = kafka.high,
                reason = reason.as_str(), remedy, "partition_stopped");
            self.commands.send(Command::Stop { claim: Arc::clone(&request.claim), reason });
        }
        request
    }
}

fn postpone(request: &mut StartRequest) {
    request.failures += 1;
    request.due = after(back_off(request.failures));
}

fn ask_watermarks(
    consumer: &BaseConsumer<GroupContext>,
    partitions: Vec<(String, i32)>,
) -> HashMap<(String, i32), Watermarks> {
    let mut found = HashMap::new();
    for (topic, partition) in partitions {
        match consumer.fetch_watermarks(&topic, partition, WATERMARK_TIMEOUT) {
            Ok((low, high)) => {
                found.insert((topic, partition), Watermarks { low, high });
            }
            Err(error) => {
                warn!(%error, topic, partition, "watermarks_unreadable");
                // The others would most likely wait in vain, too.
                break;
            }
        }
    }
    found
}
