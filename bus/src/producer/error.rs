//! Why a record did not arrive.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use service::config::ConfigError;

/// A record was not acknowledged by all replicas in sync.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    /// The record is larger than this producer sends.
    #[error("a record of {bytes} bytes for topic {topic} is over the limit of {limit}")]
    TooLarge {
        /// The topic.
        topic: String,
        /// Key, value and headers.
        bytes: usize,
        /// The producer's limit.
        limit: usize,
    },
    /// Kafka refused it, or did not answer in time; in the latter case it may have been written.
    #[error("topic {topic}: {cause}")]
    NotDelivered {
        /// The topic.
        topic: String,
        /// Kafka's or librdkafka's reason.
        cause: KafkaError,
    },
    /// No broker is connected; the text says why, and what to do.
    #[error("no broker is connected: {reason}")]
    Unreachable {
        /// The sentence of [`crate::BrokerFaults`].
        reason: String,
    },
    /// Too much was in flight for as long as the caller would wait; the record was not sent. Try again later.
    #[error("topic {topic}: too many records wait for Kafka")]
    Busy {
        /// The topic.
        topic: String,
    },
    /// The producer was closed; the record was not sent.
    #[error("topic {topic}: the producer is closed")]
    Closed {
        /// The topic.
        topic: String,
    },
    /// Records were still waiting when the time for the last flush was over.
    #[error("{records} records were not acknowledged within the time for the last flush")]
    Unflushed {
        /// How many.
        records: i32,
    },
    /// The client cannot be made.
    #[error("the Kafka producer cannot be made: {0}")]
    Client(KafkaError),
    /// A setting is missing.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
}

impl ProduceError {
    /// The code of Kafka or librdkafka, when there is one.
    pub fn code(&self) -> Option<RDKafkaErrorCode> {
        match self {
            Self::NotDelivered { cause, .. } => cause.rdkafka_error_code(),
            _ => None,
        }
    }

    /// Whether the record itself is at fault, so that another attempt would fail alike.
    pub fn is_permanent(&self) -> bool {
        let of_the_record = matches!(
            self.code(),
            Some(
                RDKafkaErrorCode::MessageSizeTooLarge
                    | RDKafkaErrorCode::InvalidMessage
                    | RDKafkaErrorCode::InvalidRecord
                    | RDKafkaErrorCode::InvalidTimestamp
                    | RDKafkaErrorCode::InvalidTopic
            )
        );
        of_the_record || matches!(self, Self::TooLarge { .. })
    }
}
