//! The event as it is stored: checked, rendered, final.

use uuid::Uuid;

use crate::timestamp::Timestamp;

/// An accepted event: exactly what is stored, hashed, compared, replayed and returned.
///
/// Made only by [`crate::envelope::accept`] (from a producer's record) or by `store` (from a row).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<T = String> {
    /// The producer's id of the event; printed in lower case with hyphens.
    pub event_id: Uuid,
    /// The organisation that the event belongs to; `""` = none (semantics.md 2).
    pub organization_id: T,
    /// What happened, 1 to 255 characters.
    pub event_type: T,
    /// The kind of the aggregate, 1 to 255 characters.
    pub aggregate_type: T,
    /// The aggregate's id within its organisation and type, 1 to 255 characters.
    pub aggregate_id: T,
    /// When it happened, in the producer's words.
    pub timestamp: Timestamp,
    /// The producer's own count per aggregate, from 1; 0 = unversioned.
    pub version: i32,
    /// A JSON object, compact: the exact bytes that are stored.
    pub payload: T,
    /// A JSON object of strings, keys sorted, compact: the exact bytes that are stored.
    pub metadata: T,
    /// The metadata values that have a column of their own.
    pub promoted: Promoted<T>,
}

/// The metadata values that have a column; `""` where the key is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promoted<T = String> {
    /// `metadata.userId`
    pub user_id: T,
    /// `metadata.correlationId`
    pub correlation_id: T,
    /// `metadata.causationId`
    pub causation_id: T,
    /// `metadata.source`
    pub source: T,
    /// `metadata.action`
    pub action: T,
}

impl<T: AsRef<str>> Event<T> {
    /// The same with borrowed texts.
    pub fn borrowed(&self) -> Event<&str> {
        let Promoted { user_id, correlation_id, causation_id, source, action } = &self.promoted;
        Event {
            event_id: self.event_id,
            organization_id: self.organization_id.as_ref(),
            event_type: self.event_type.as_ref(),
            aggregate_type: self.aggregate_type.as_ref(),
            aggregate_id: self.aggregate_id.as_ref(),
            timestamp: self.timestamp,
            version: self.version,
            payload: self.payload.as_ref(),
            metadata: self.metadata.as_ref(),
            promoted: Promoted {
                user_id: user_id.as_ref(),
                correlation_id: correlation_id.as_ref(),
                causation_id: causation_id.as_ref(),
                source: source.as_ref(),
                action: action.as_ref(),
            },
        }
    }
}

/// An event that has been stored, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// What was stored.
    pub event: Event,
    /// Where it stands in its log.
    pub position: crate::position::Position,
    /// When its batch was committed; the same as its append's.
    pub recorded_at: Timestamp,
    /// The retention class it was given at ingest.
    pub retention_class: String,
}
