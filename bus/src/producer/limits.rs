//! What bounds a producer.

use std::time::Duration;

/// What bounds a producer.
#[derive(Debug, Clone, Copy)]
pub struct ProducerLimits {
    /// `message.max.bytes`: the largest record, with its headers and Kafka's own overhead.
    pub max_record_bytes: usize,
    /// Records sent and not yet acknowledged.
    pub in_flight_records: usize,
    /// Their bytes.
    pub in_flight_bytes: usize,
    /// A record that is not acknowledged within this time fails.
    pub delivery_timeout: Duration,
    /// How long a record waits for others of its batch.
    pub linger: Duration,
}

impl Default for ProducerLimits {
    fn default() -> Self {
        Self {
            max_record_bytes: 1024 * 1024,
            in_flight_records: 50_000,
            in_flight_bytes: 32 * 1024 * 1024,
            delivery_timeout: Duration::from_mins(2),
            linger: Duration::from_millis(5),
        }
    }
}

impl ProducerLimits {
    /// For records of this size at most; the rest by default.
    pub fn for_records_of(max_record_bytes: usize) -> Self {
        Self { max_record_bytes, ..Self::default() }
    }
}
