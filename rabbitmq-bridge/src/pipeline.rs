//! The pipeline: delivered → mapped → produced → acked.
//!
//! Two halves run side by side. The first takes deliveries in their order, maps each and hands it to the producer in that
//! order, which keeps each aggregate's. The second waits for Kafka's answers (or the dead letters') as they come, and
//! acknowledges. Between them lie at most as many messages as RabbitMQ delivers ahead.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bus::{ProduceError, Producer};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use lapin::{
    Channel, Consumer,
    options::{BasicAckOptions, BasicCancelOptions},
};
use service::Shutdown;
use shared::clock::Clock;
use tokio::sync::mpsc;
use tracing::Instrument as _;

use crate::{
    acked::Ledger,
    broker::{BrokerError, within},
    dead_letters::DeadLetters,
    delivered::Message,
    health::Conditions,
    mapped::{Mapper, Refused},
    metrics,
    session::{Interruption, Settings},
    trace,
};

/// How often what waits is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Kafka is said to be away when it has acknowledged nothing for so long.
const SILENCE: Duration = Duration::from_secs(5);

/// What the pipeline works with.
pub struct Pipeline {
    /// What to go by.
    pub settings: Arc<Settings>,
    /// From messages to records.
    pub mapper: Mapper,
    /// To Kafka.
    pub producer: Producer,
    /// For what cannot be mapped.
    pub dead_letters: DeadLetters,
    /// When messages come.
    pub clock: Arc<dyn Clock>,
    /// What is said about Kafka.
    pub conditions: Conditions,
}

/// A message on its way to a place.
struct Placing {
    tag: u64,
    since: Instant,
    place: BoxFuture<'static, (u64, Result<Placed, ProduceError>)>,
}

/// Where a message has found its place.
#[derive(Clone, Copy)]
enum Placed {
    InKafka(Duration),
    InDeadLetters(&'static str, Duration),
}

impl Pipeline {
    /// Runs until a stop is asked for, and what was delivered by then is acknowledged; or until something fails.
    pub async fn run(
        &self,
        channel: &Channel,
        consumer: Consumer,
        schema_id: u32,
        shutdown: &Shutdown,
    ) -> Result<(), Interruption> {
        let (sender, receiver) = mpsc::channel(usize::from(self.settings.rabbitmq.prefetch));
        let first = self.take_in(channel, consumer, schema_id, sender, shutdown);
        let second = self.settle(channel, receiver);
        tokio::try_join!(first, second).map(|_| ())
    }

    async fn take_in(
        &self,
        channel: &Channel,
        mut consumer: Consumer,
        schema_id: u32,
        placings: mpsc::Sender<Placing>,
        shutdown: &Shutdown,
    ) -> Result<(), Interruption> {
        let mut is_ending = false;
        loop {
            let delivery = tokio::select! {
                biased;
                () = shutdown.requested(), if !is_ending => {
                    let cancel = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
                    within("basic.cancel", cancel).await?;
                    is_ending = true;
                    continue;
                }
                delivery = consumer.next() => delivery,
            };
            let Some(delivery) = delivery else {
                return if is_ending { Ok(()) } else { Err(Interruption::Cancelled) };
            };
            let message = Arc::new(Message::new(delivery.map_err(BrokerError::from)?, self.clock.now()));
            metrics::received(message.redelivered);
            let placing = self.place(message, schema_id).await?;
            if placings.send(placing).await.is_err() {
                // The other half has failed, and says why.
                return Ok(());
            }
        }
    }

    /// Maps a message and hands it over; what is given back ends when it has found its place.
    async fn place(&self, message: Arc<Message>, schema_id: u32) -> Result<Placing, ProduceError> {
        let (tag, since) = (message.tag, Instant::now());
        let place = match self.mapper.map(&message, schema_id) {
            Ok(mapped) => {
                let mut record = mapped.record;
                let span = trace::carry(&message, &self.settings.rabbitmq.queue, &mut record);
                if mapped.possible_duplicate {
                    metrics::possible_duplicate();
                }
                let delivery = self.producer.enqueue(record).await;
                let dead_letters = self.dead_letters.clone();
                let placing = async move {
                    let acknowledged = match delivery {
                        Ok(delivery) => delivery.await,
                        Err(error) => Err(error),
                    };
                    match acknowledged {
                        Ok(_) => Ok(Placed::InKafka(since.elapsed())),
                        Err(error) if is_of_the_record(&error) => {
                            Ok(refuse(&dead_letters, &message, too_large(&error), since).await)
                        }
                        Err(error) => Err(error),
                    }
                };
                placing.instrument(span).map(move |placed| (tag, placed)).boxed()
            }
            Err(refused) => {
                let dead_letters = self.dead_letters.clone();
                let placing = async move { refuse(&dead_letters, &message, refused, since).await };
                placing.map(move |placed| (tag, Ok(placed))).boxed()
            }
        };
        Ok(Placing { tag, since, place })
    }

    async fn settle(
        &self,
        channel: &Channel,
        mut placings: mpsc::Receiver<Placing>,
    ) -> Result<(), Interruption> {
        let (mut ledger, mut waiting) = (Ledger::default(), FuturesUnordered::new());
        let mut heard = Instant::now();
        let mut look = tokio::time::interval(LOOK);
        let mut is_open = true;
        while is_open || !waiting.is_empty() {
            tokio::select! {
                placing = placings.recv(), if is_open => match placing {
                    Some(Placing { tag, since, place }) => {
                        ledger.delivered(tag, since);
                        waiting.push(place);
                    }
                    None => is_open = false,
                },
                Some((tag, placed)) = waiting.next() => {
                    count(placed?, &mut heard);
                    ledger.settled(tag);
                    while let Some(Some((tag, placed))) = waiting.next().now_or_never() {
                        count(placed?, &mut heard);
                        ledger.settled(tag);
                    }
                }
                _ = look.tick() => self.look(&ledger, heard),
            }
            acknowledge(channel, &mut ledger).await?;
        }
        self.look(&ledger, heard);
        Ok(())
    }

    fn look(&self, ledger: &Ledger, heard: Instant) {
        let oldest = ledger.oldest().map(|since| since.elapsed()).unwrap_or_default();
        metrics::waiting(ledger.unacknowledged(), oldest);
        let silence = oldest.min(heard.elapsed());
        if silence > SILENCE && self.producer.in_flight() > 0 {
            self.conditions.kafka.unmet(format!("has acknowledged nothing for {} s", silence.as_secs()));
        } else {
            self.conditions.kafka.met();
        }
    }
}

async fn acknowledge(channel: &Channel, ledger: &mut Ledger) -> Result<(), Interruption> {
    for ack in ledger.take_due(Instant::now()) {
        let options = BasicAckOptions { multiple: ack.multiple };
        channel.basic_ack(ack.tag, options).await.map_err(BrokerError::from)?;
    }
    Ok(())
}

fn count(placed: Placed, heard: &mut Instant) {
    match placed {
        Placed::InKafka(after) => {
            *heard = Instant::now();
            metrics::produced(after);
        }
        Placed::InDeadLetters(reason, after) => metrics::dead_lettered(reason, after),
    }
}

async fn refuse(dead_letters: &DeadLetters, message: &Message, refused: Refused, since: Instant) -> Placed {
    dead_letters.publish(message, &refused).await;
    tracing::info!(
        reason = refused.reason,
        pointer = refused.pointer,
        routing_key = message.routing_key.as_str(),
        "message_dead_lettered"
    );
    Placed::InDeadLetters(refused.reason, since.elapsed())
}

/// Whether another attempt with the same record would fail alike. A topic's name is the configuration's fault.
fn is_of_the_record(error: &ProduceError) -> bool {
    error.is_permanent() && error.code() != Some(bus::ErrorCode::InvalidTopic)
}

fn too_large(error: &ProduceError) -> Refused {
    Refused {
        reason: shared::refusal::Reason::LimitExceeded.as_str(),
        pointer: String::new(),
        detail: error.to_string(),
    }
}
