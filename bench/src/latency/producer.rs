//! An open-loop producer: events are due at a fixed rate, whatever becomes of those before.

use std::time::Duration;

use anyhow::Result;
use bus::{Outgoing, Producer, ProducerLimits};
use shared::avro::{encode_canonical, frame};
use shared::clock::{Clock as _, SystemClock};
use shared::envelope::Envelope;
use test_support::{TestRegistry, kafka_settings};
use tokio::time::{Instant, MissedTickBehavior};

use crate::workload::{Faults, Ids, Workload};

/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(1);
/// Events that are used in turn, so that making them is not what is measured.
const POOL: u64 = 20_000;

/// What was sent.
pub(super) struct Sent {
    /// All records.
    pub(super) records: u64,
    /// Events from this time on count, in microseconds since 1970.
    pub(super) counted_from_micros: i64,
    /// The most that the producer was behind its own schedule while events counted.
    pub(super) most_behind: Duration,
}

/// Produces `rate` events a second; each says when it was sent, by this machine's clock.
pub(super) async fn produce(topic: &str, rate: u64, warm_up: Duration, counted: Duration) -> Result<Sent> {
    let schema_id = TestRegistry::connect().await.canonical_id();
    let limits = ProducerLimits { in_flight_records: 500_000, ..ProducerLimits::default() };
    let producer = Producer::new(&kafka_settings(), "bench-latency", limits)?;
    let workload = Workload::new(POOL, Ids::V7).with_faults(Faults::None);
    let mut pool: Vec<Envelope> = (0..POOL).map(|number| workload.envelope(number)).collect();

    let started = Instant::now();
    let mut sent = Sent { records: 0, counted_from_micros: 0, most_behind: Duration::ZERO };
    let mut last = None;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let elapsed = started.elapsed();
        if elapsed >= warm_up + counted {
            break;
        }
        if elapsed >= warm_up && sent.counted_from_micros == 0 {
            sent.counted_from_micros = SystemClock.now().as_micros();
        }
        while due(sent.records, rate) <= elapsed {
            let nth = usize::try_from(sent.records % POOL)?;
            let outgoing = outgoing(topic, schema_id, &mut pool[nth]);
            last = Some(producer.enqueue(outgoing).await?);
            if sent.counted_from_micros > 0 {
                let behind = started.elapsed().saturating_sub(due(sent.records, rate));
                sent.most_behind = sent.most_behind.max(behind);
            }
            sent.records += 1;
        }
    }
    if let Some(delivery) = last {
        delivery.await?;
    }
    producer.flush(Duration::from_mins(1)).await?;
    Ok(sent)
}

/// When a record is due, from the start.
fn due(record: u64, rate: u64) -> Duration {
    Duration::from_micros(record * 1_000_000 / rate)
}

/// The envelope as a new event of now.
fn outgoing(topic: &str, schema_id: u32, envelope: &mut Envelope) -> Outgoing {
    envelope.event_id = test_support::unique_id().to_string();
    envelope.timestamp = SystemClock.now();
    Outgoing {
        topic: topic.to_owned(),
        key: Some(envelope.aggregate_id.clone().into()),
        value: Some(frame(schema_id, &encode_canonical(envelope)).into()),
        ..Outgoing::default()
    }
}
