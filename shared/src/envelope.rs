//! The door: an envelope as a producer sent it, and the checks that make it an [`Event`] (semantics.md 1, 2).

mod canonical_json;
mod metadata;

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;

pub use canonical_json::{from_canonical_json, from_canonical_json_with_id};
pub use metadata::{Metadata, SortedPairs};
use uuid::Uuid;

use crate::event::{Event, Promoted};
use crate::json::{self, ProtectedMarker};
use crate::refusal::{Reason, Refusal};
use crate::timestamp::Timestamp;

/// The most characters of `eventType`, `aggregateType` and `aggregateId`.
pub const MAX_NAME_CHARACTERS: usize = 255;
/// The most bytes of aggregate type, aggregate id and organisation together: an index row must stay under 2,704.
pub const MAX_AGGREGATE_KEY_BYTES: usize = 2000;
/// How far an event may be ahead of the ingestor's clock: 24 hours, in microseconds.
pub const MAX_AHEAD_MICROS: i64 = 24 * 3600 * 1_000_000;

/// What texts are kept in: `String`, or `Cow<str>` where they may be borrowed from the record.
pub trait Text: AsRef<str> + Borrow<str> + From<String> + Default + Clone + Ord {}

impl<T: AsRef<str> + Borrow<str> + From<String> + Default + Clone + Ord> Text for T {}

/// The canonical envelope (document 003), decoded but not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<T: Text = String, M = BTreeMap<T, T>> {
    /// A hyphenated UUID, in any case.
    pub event_id: T,
    /// What happened.
    pub event_type: T,
    /// The kind of the aggregate.
    pub aggregate_type: T,
    /// The aggregate's id.
    pub aggregate_id: T,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The producer's count per aggregate, from 1; 0 = unversioned.
    pub version: i64,
    /// JSON text.
    pub payload: T,
    /// Keys and values as text.
    pub metadata: M,
}

/// An envelope as it is read from a record, its texts borrowed from there.
pub type BorrowedEnvelope<'a> = Envelope<Cow<'a, str>, SortedPairs<Cow<'a, str>>>;

impl BorrowedEnvelope<'_> {
    /// The same with texts of its own.
    pub fn into_owned(self) -> Envelope {
        Envelope {
            event_id: self.event_id.into_owned(),
            event_type: self.event_type.into_owned(),
            aggregate_type: self.aggregate_type.into_owned(),
            aggregate_id: self.aggregate_id.into_owned(),
            timestamp: self.timestamp,
            version: self.version,
            payload: self.payload.into_owned(),
            metadata: self
                .metadata
                .into_iter()
                .map(|(key, value)| (key.into_owned(), value.into_owned()))
                .collect(),
        }
    }
}

/// What the checks depend on besides the envelope.
#[derive(Debug, Clone, Copy)]
pub struct Acceptance<'a> {
    /// The ingestor's clock.
    pub now: Timestamp,
    /// The organisation configured for the record's topic; `""` = none.
    pub topic_organization: &'a str,
    /// Whether the payload may hold protected values: only replays may (semantics.md 9).
    pub protected: ProtectedMarker,
}

/// Checks an envelope and renders what is stored; the first broken rule refuses it.
///
/// The order of the checks is part of the format, since the reason and the pointer are stored: id, names, version,
/// metadata by key, length of the aggregate's key, timestamp, payload.
pub fn accept<T: Text, M: Metadata<T>>(
    envelope: Envelope<T, M>,
    acceptance: &Acceptance<'_>,
) -> Result<Event<T>, Refusal> {
    let event_id = event_id(envelope.event_id.as_ref())?;
    check_name(envelope.event_type.as_ref(), "/eventType")?;
    check_name(envelope.aggregate_type.as_ref(), "/aggregateType")?;
    check_name(envelope.aggregate_id.as_ref(), "/aggregateId")?;
    let version = version(envelope.version)?;
    let metadata = metadata::render(&envelope.metadata)?;
    let (mut organization_id, mut promoted) = (T::default(), Promoted::default());
    for (key, value) in envelope.metadata.pairs() {
        let column = match key.as_ref() {
            "organizationId" => &mut organization_id,
            "userId" => &mut promoted.user_id,
            "correlationId" => &mut promoted.correlation_id,
            "causationId" => &mut promoted.causation_id,
            "source" => &mut promoted.source,
            "action" => &mut promoted.action,
            _ => continue,
        };
        *column = value.clone();
    }
    if organization_id.as_ref().is_empty() && !acceptance.topic_organization.is_empty() {
        organization_id = acceptance.topic_organization.to_owned().into();
    }
    let key = [&envelope.aggregate_type, &envelope.aggregate_id, &organization_id];
    if key.into_iter().map(|text| text.as_ref().len()).sum::<usize>() > MAX_AGGREGATE_KEY_BYTES {
        return Err(invalid(
            "/aggregateId",
            "aggregate type, id and organisation are over 2,000 bytes together",
        ));
    }
    check_timestamp(envelope.timestamp, acceptance.now)?;
    let payload = json::compact(envelope.payload, acceptance.protected)?;
    Ok(Event {
        event_id,
        organization_id,
        event_type: envelope.event_type,
        aggregate_type: envelope.aggregate_type,
        aggregate_id: envelope.aggregate_id,
        timestamp: envelope.timestamp,
        version,
        payload,
        metadata: metadata.into(),
        promoted,
    })
}

/// A refusal of the envelope.
pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Refusal {
    Refusal::new(Reason::EnvelopeInvalid, pointer, detail)
}

fn event_id(text: &str) -> Result<Uuid, Refusal> {
    // Of the forms that the parser knows, only the hyphenated one has 36 characters.
    let parsed = if text.len() == 36 { Uuid::try_parse(text).ok() } else { None };
    parsed.ok_or_else(|| {
        invalid("/eventId", "must be a UUID with hyphens, such as 0194fdc2-fa2f-7cc0-81d3-ff12045b73c8")
    })
}

fn check_name(name: &str, pointer: &str) -> Result<(), Refusal> {
    // Bytes are enough for short names of plain ASCII, which nearly all are.
    let plain = name.len() <= MAX_NAME_CHARACTERS && name.bytes().all(|byte| (0x20..0x7F).contains(&byte));
    if name.is_empty() || !plain && name.chars().count() > MAX_NAME_CHARACTERS {
        return Err(invalid(pointer, "must have 1 to 255 characters"));
    }
    if !plain && name.chars().any(char::is_control) {
        return Err(invalid(pointer, "must not hold control characters"));
    }
    Ok(())
}

fn version(version: i64) -> Result<i32, Refusal> {
    i32::try_from(version)
        .ok()
        .filter(|version| *version >= 0)
        .ok_or_else(|| invalid("/version", "must be 0 (unversioned) or 1 to 2147483647"))
}

fn check_timestamp(timestamp: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    if timestamp.as_micros() > now.as_micros().saturating_add(MAX_AHEAD_MICROS) {
        let detail = "more than 24 hours ahead of the ingestor's clock";
        return Err(Refusal::new(Reason::TimestampInFuture, "/timestamp", detail));
    }
    if timestamp < Timestamp::MIN {
        return Err(Refusal::new(Reason::TimestampOutOfRange, "/timestamp", "before 0001-01-01T00:00:00Z"));
    }
    Ok(())
}
