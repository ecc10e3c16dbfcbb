//! The digest by which two events are the same event (semantics.md 1).

use sha2::{Digest, Sha256};

use crate::event::Event;
use crate::jcs::{Object, name};

/// SHA-256 over the leaf input without topic, partition, incarnation, offset and kind.
pub fn event_digest(event: &Event) -> [u8; 32] {
    let mut object = Object::with_capacity(512);
    object.text(name!("aggregateId"), &event.aggregate_id);
    object.text(name!("aggregateType"), &event.aggregate_type);
    object.uuid(name!("eventId"), event.event_id);
    object.text(name!("eventType"), &event.event_type);
    object.hex(name!("metadata"), &Sha256::digest(&event.metadata).into());
    object.text(name!("organizationId"), &event.organization_id);
    object.hex(name!("payload"), &Sha256::digest(&event.payload).into());
    object.time(name!("timestamp"), event.timestamp);
    object.plain(name!("v"), "1");
    object.number(name!("version"), event.version);
    Sha256::digest(object.finish()).into()
}
