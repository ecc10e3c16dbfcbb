//! The digest by which two events are the same event (semantics.md 1).

use sha2::{Digest, Sha256};

use crate::event::Event;
use crate::jcs::Object;

/// SHA-256 over the leaf input without topic, partition, incarnation, offset and kind.
pub fn event_digest(event: &Event) -> [u8; 32] {
    let mut object = Object::with_capacity(512);
    object.text("aggregateId", &event.aggregate_id);
    object.text("aggregateType", &event.aggregate_type);
    object.uuid("eventId", event.event_id);
    object.text("eventType", &event.event_type);
    object.sha256_of("metadata", &event.metadata);
    object.text("organizationId", &event.organization_id);
    object.sha256_of("payload", &event.payload);
    object.time("timestamp", event.timestamp);
    object.plain("v", "1");
    object.number("version", event.version);
    Sha256::digest(object.finish()).into()
}
