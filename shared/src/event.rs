//! The event as it is stored: checked, rendered, final.

use uuid::Uuid;

use crate::timestamp::Timestamp;

/// An accepted event: exactly what is stored, hashed, compared, replayed and returned.
///
/// Made only by [`crate::envelope::accept`] (from a producer's record) or by `store` (from a row).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The producer's id of the event; printed in lower case with hyphens.
    pub event_id: Uuid,
    /// The organisation that the event belongs to; `""` = none (semantics.md 2).
    pub organization_id: String,
    /// What happened, 1 to 255 characters.
    pub event_type: String,
    /// The kind of the aggregate, 1 to 255 characters.
    pub aggregate_type: String,
    /// The aggregate's id within its organisation and type, 1 to 255 characters.
    pub aggregate_id: String,
    /// When it happened, in the producer's words.
    pub timestamp: Timestamp,
    /// The producer's own count per aggregate, from 1; 0 = unversioned.
    pub version: i32,
    /// A JSON object, compact: the exact bytes that are stored.
    pub payload: String,
    /// A JSON object of strings, keys sorted, compact: the exact bytes that are stored.
    pub metadata: String,
    /// The metadata values that have a column of their own.
    pub promoted: Promoted,
}

/// The metadata values that have a column; `""` where the key is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promoted {
    /// `metadata.userId`
    pub user_id: String,
    /// `metadata.correlationId`
    pub correlation_id: String,
    /// `metadata.causationId`
    pub causation_id: String,
    /// `metadata.source`
    pub source: String,
    /// `metadata.action`
    pub action: String,
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
