//! Leaves, roots and append entries: the evidence that is written with the rows (semantics.md 8).

mod entry;
mod root;

pub use entry::AppendEntry;
pub use root::RootBuilder;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::account::DispositionKind;
use crate::event::Event;
use crate::jcs::Object;
use crate::position::LogName;
use crate::refusal::Reason;

/// What a leaf's hash starts with, so that no leaf is mistaken for a node (RFC 6962, section 2.1).
const LEAF: u8 = 0;

/// What became of one offset, or of a run of skipped ones.
#[derive(Debug, Clone, Copy)]
pub enum Leaf<'a> {
    /// An event was stored.
    Stored(&'a Event<&'a str>),
    /// The same event was stored before.
    Duplicate {
        /// The id of both.
        event_id: Uuid,
    },
    /// The record is in `dead_letters`.
    DeadLettered {
        /// Why.
        reason: Reason,
        /// Its event's id, where it could be read.
        event_id: Option<Uuid>,
    },
    /// The offsets up to `next` were skipped.
    Skipped {
        /// One of the skipped kinds.
        kind: DispositionKind,
        /// The offset after the run.
        next: i64,
    },
}

impl Leaf<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Stored(_) => "stored",
            Self::Duplicate { .. } => DispositionKind::Duplicate.as_str(),
            Self::DeadLettered { .. } => DispositionKind::DeadLettered.as_str(),
            Self::Skipped { kind, .. } => kind.as_str(),
        }
    }
}

/// The text that is hashed for an offset: RFC 8785 of strings only.
pub fn leaf_input(log: &LogName, offset: i64, leaf: &Leaf<'_>) -> String {
    let mut object = Object::with_capacity(if matches!(leaf, Leaf::Stored(_)) { 768 } else { 256 });
    write_leaf(&mut object, log, offset, leaf);
    object.finish_text()
}

/// Hashes leaves, one after the other, without a text of its own for each.
#[derive(Debug, Default)]
pub struct LeafHasher {
    text: Vec<u8>,
}

impl LeafHasher {
    /// [`leaf_hash`] of [`leaf_input`].
    pub fn hash(&mut self, log: &LogName, offset: i64, leaf: &Leaf<'_>) -> [u8; 32] {
        self.text.clear();
        self.text.push(LEAF);
        let mut object = Object::after(std::mem::take(&mut self.text));
        write_leaf(&mut object, log, offset, leaf);
        self.text = object.finish();
        Sha256::digest(&self.text).into()
    }
}

fn write_leaf(object: &mut Object, log: &LogName, offset: i64, leaf: &Leaf<'_>) {
    let event = if let Leaf::Stored(event) = leaf { Some(*event) } else { None };
    if let Some(event) = event {
        object.text("aggregateId", event.aggregate_id);
        object.text("aggregateType", event.aggregate_type);
    }
    match leaf {
        Leaf::Stored(Event { event_id, .. })
        | Leaf::Duplicate { event_id }
        | Leaf::DeadLettered { event_id: Some(event_id), .. } => object.uuid("eventId", *event_id),
        Leaf::DeadLettered { event_id: None, .. } | Leaf::Skipped { .. } => {}
    }
    if let Some(event) = event {
        object.text("eventType", event.event_type);
    }
    object.number("incarnation", log.incarnation);
    object.plain("kind", leaf.kind());
    if let Some(event) = event {
        object.sha256_of("metadata", event.metadata);
    }
    if let Leaf::Skipped { next, .. } = leaf {
        object.number("next", *next);
    }
    object.number("offset", offset);
    if let Some(event) = event {
        object.text("organizationId", event.organization_id);
    }
    object.number("partition", log.partition);
    if let Some(event) = event {
        object.sha256_of("payload", event.payload);
    }
    if let Leaf::DeadLettered { reason, .. } = leaf {
        object.plain("reason", reason.as_str());
    }
    if let Some(event) = event {
        object.time("timestamp", event.timestamp);
    }
    object.text("topic", &log.topic);
    object.plain("v", "1");
    if let Some(event) = event {
        object.number("version", event.version);
    }
}

/// The hash of a leaf (RFC 6962, section 2.1): SHA-256 over 0x00 and the input.
pub fn leaf_hash(input: &str) -> [u8; 32] {
    Sha256::new().chain_update([LEAF]).chain_update(input).finalize().into()
}
