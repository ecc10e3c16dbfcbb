//! RabbitMQ's way in: the messages of the older services become events in Kafka, none lost, none blocking the next
//! (semantics.md 13).
//!
//! [`pipeline`] shows it on one screen: [`delivered`] → [`mapped`] → produced → [`acked`], and what cannot be mapped to
//! the [`dead_letters`]. [`session`] is one connection's worth of it, [`topology`] what it needs to be there.

pub mod acked;
pub mod broker;
pub mod dead_letters;
pub mod delivered;
pub mod health;
pub mod mapped;
pub mod metrics;
pub mod pipeline;
pub mod session;
pub mod topology;
pub mod trace;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bus::{CanonicalSchema, registry::Registry};
use service::{Health, Shutdown, backoff::Backoff, config::AuditConfig};
use shared::clock::Clock;
use tracing::warn;
use uuid::Uuid;

use crate::{
    broker::Broker,
    dead_letters::DeadLetters,
    health::Conditions,
    mapped::Mapper,
    pipeline::Pipeline,
    session::{Bridge, Ending, Interruption, Settings},
};

/// Runs a bridge until `shutdown` asks for its end. Waits for what is away; fails only for what time does not cure.
pub async fn run(
    config: &AuditConfig,
    health: &Health,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    metrics::describe();
    let conditions = Conditions::new(health);
    let broker = Broker::new(&config.rabbitmq)?;
    let rabbitmq = Arc::new(config.rabbitmq.clone());
    let dead_letters =
        DeadLetters::new(broker.clone(), Arc::clone(&rabbitmq), conditions.dead_letters.clone());
    let bridge = Bridge {
        broker,
        schema: CanonicalSchema::new(Registry::new(&config.registry)?),
        pipeline: Pipeline {
            settings: Arc::new(Settings { rabbitmq, kafka_patience: Duration::from_secs(5) }),
            mapper: Mapper::new(config, fresh_id),
            producer: session::producer(config)?,
            dead_letters: dead_letters.clone(),
            clock,
            conditions,
        },
    };
    tokio::select! {
        () = bridge.keep_up(&shutdown) => dead_letters.close().await,
        // What is unacknowledged RabbitMQ delivers again.
        () = shutdown.immediate() => {}
    }
    Ok(())
}

impl Bridge {
    /// Session after session, until one ends because a stop was asked for.
    async fn keep_up(&self, shutdown: &Shutdown) {
        let mut backoff = Backoff::reconnecting();
        let mut care = Care::default();
        while !shutdown.is_requested() {
            let prefetch = care.prefetch(self.pipeline.settings.rabbitmq.prefetch, Instant::now());
            let mut has_flowed = false;
            let session = self.session(prefetch, shutdown, || has_flowed = true);
            let Err(interruption) = session.await else { return };
            let ending = interruption.ending();
            metrics::session_ended(ending);
            care.ended(ending, Instant::now());
            warn!(reason = %interruption, "session_ended");
            self.say(&interruption);
            if has_flowed {
                backoff.reset();
            }
            tokio::select! {
                () = shutdown.requested() => return,
                () = backoff.wait() => {}
            }
        }
    }

    fn say(&self, interruption: &Interruption) {
        let conditions = &self.pipeline.conditions;
        let condition = match interruption {
            Interruption::Registry(_) => &conditions.registry,
            Interruption::Kafka(_) => &conditions.kafka,
            Interruption::Broker(_) | Interruption::Topology(_) | Interruption::Cancelled => {
                &conditions.rabbitmq
            }
        };
        condition.unmet(interruption.to_string());
    }
}

/// After a message that the client cannot read, messages are taken one by one for a while: such a one is delivered until
/// RabbitMQ gives it up, and the ones behind it must not be delivered as often.
#[derive(Debug, Default)]
struct Care {
    met: Option<Instant>,
}

impl Care {
    const LASTS: Duration = Duration::from_mins(1);

    fn ended(&mut self, ending: Ending, now: Instant) {
        if ending == Ending::Unreadable {
            self.met = Some(now);
        }
    }

    fn prefetch(&self, usual: u16, now: Instant) -> u16 {
        let is_careful = self.met.is_some_and(|met| now.duration_since(met) < Self::LASTS);
        if is_careful { 1 } else { usual }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the bridge mints ids")]
fn fresh_id() -> Uuid {
    Uuid::now_v7()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_after_something_unreadable_messages_are_taken_one_by_one_for_a_while() {
        let (mut care, now) = (Care::default(), Instant::now());
        care.ended(Ending::Connection, now);
        assert_eq!(care.prefetch(100, now), 100);
        care.ended(Ending::Unreadable, now);
        assert_eq!(care.prefetch(100, now + Duration::from_secs(59)), 1);
        assert_eq!(care.prefetch(100, now + Duration::from_secs(61)), 100);
    }
}
