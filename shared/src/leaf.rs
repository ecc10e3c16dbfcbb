//! Leaves, roots and append entries: the evidence that is written with the rows (semantics.md 8).

mod entry;
mod pipeline;
mod root;

pub use entry::AppendEntry;
pub use pipeline::LeafPipeline;
pub use root::RootBuilder;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::account::DispositionKind;
use crate::event::Event;
use crate::jcs::{Object, name};
use crate::position::LogName;
use crate::refusal::Reason;
use crate::sha256;

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
    write_leaf(&mut object, log, offset, leaf, digests_of(leaf).as_ref());
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
        write_input(&mut self.text, log, offset, leaf, digests_of(leaf).as_ref());
        Sha256::digest(&self.text).into()
    }
}

/// What stands in an event's leaf for its metadata and its payload.
struct Digests {
    metadata: [u8; 32],
    payload: [u8; 32],
}

fn digests_of(leaf: &Leaf<'_>) -> Option<Digests> {
    let Leaf::Stored(event) = leaf else { return None };
    let ([payload], [metadata]) = sha256::beside([event.payload.as_bytes()], [event.metadata.as_bytes()]);
    Some(Digests { metadata, payload })
}

/// The bytes that are hashed, in the place of what `text` holds.
fn write_input(text: &mut Vec<u8>, log: &LogName, offset: i64, leaf: &Leaf<'_>, digests: Option<&Digests>) {
    text.clear();
    text.push(LEAF);
    let mut object = Object::after(std::mem::take(text));
    write_leaf(&mut object, log, offset, leaf, digests);
    *text = object.finish();
}

fn write_leaf(object: &mut Object, log: &LogName, offset: i64, leaf: &Leaf<'_>, digests: Option<&Digests>) {
    let event = if let Leaf::Stored(event) = leaf { Some(*event) } else { None };
    if let Some(event) = event {
        object.text(name!("aggregateId"), event.aggregate_id);
        object.text(name!("aggregateType"), event.aggregate_type);
    }
    match leaf {
        Leaf::Stored(Event { event_id, .. })
        | Leaf::Duplicate { event_id }
        | Leaf::DeadLettered { event_id: Some(event_id), .. } => object.uuid(name!("eventId"), *event_id),
        Leaf::DeadLettered { event_id: None, .. } | Leaf::Skipped { .. } => {}
    }
    if let Some(event) = event {
        object.text(name!("eventType"), event.event_type);
    }
    object.number(name!("incarnation"), log.incarnation);
    object.plain(name!("kind"), leaf.kind());
    if let Some(digests) = digests {
        object.hex(name!("metadata"), &digests.metadata);
    }
    if let Leaf::Skipped { next, .. } = leaf {
        object.number(name!("next"), *next);
    }
    object.number(name!("offset"), offset);
    if let Some(event) = event {
        object.text(name!("organizationId"), event.organization_id);
    }
    object.number(name!("partition"), log.partition);
    if let Some(digests) = digests {
        object.hex(name!("payload"), &digests.payload);
    }
    if let Leaf::DeadLettered { reason, .. } = leaf {
        object.plain(name!("reason"), reason.as_str());
    }
    if let Some(event) = event {
        object.time(name!("timestamp"), event.timestamp);
    }
    object.text(name!("topic"), &log.topic);
    object.plain(name!("v"), "1");
    if let Some(event) = event {
        object.number(name!("version"), event.version);
    }
}

/// The hash of a leaf (RFC 6962, section 2.1): SHA-256 over 0x00 and the input.
pub fn leaf_hash(input: &str) -> [u8; 32] {
    Sha256::new().chain_update([LEAF]).chain_update(input).finalize().into()
}
