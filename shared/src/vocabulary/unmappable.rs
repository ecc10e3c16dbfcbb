//! Why an older message cannot become an event.

use std::fmt;

use crate::refusal::{Reason, Refusal};

/// The closed list of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnmappableReason {
    /// The body is not one JSON object in UTF-8.
    Undecodable,
    /// The body breaks a rule of payloads (semantics.md 1).
    PayloadInvalid,
    /// Neither the body nor the routing key says what happened.
    EventTypeMissing,
    /// Nothing says what it happened to.
    AggregateMissing,
    /// A member is of another kind, or longer, than can be kept.
    FieldInvalid,
    /// The time cannot be read, or no event may have it.
    TimestampInvalid,
}

impl UnmappableReason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::Undecodable,
        Self::PayloadInvalid,
        Self::EventTypeMissing,
        Self::AggregateMissing,
        Self::FieldInvalid,
        Self::TimestampInvalid,
    ];

    /// The name in headers, problems and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::PayloadInvalid => "payload-invalid",
            Self::EventTypeMissing => "event-type-missing",
            Self::AggregateMissing => "aggregate-missing",
            Self::FieldInvalid => "field-invalid",
            Self::TimestampInvalid => "timestamp-invalid",
        }
    }
}

impl fmt::Display for UnmappableReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message that no event can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at {pointer:?}: {remedy}")]
pub struct Unmappable {
    /// Which of the closed list.
    pub reason: UnmappableReason,
    /// A JSON Pointer into the body; `""` = the whole.
    pub pointer: String,
    /// What would be right; never holds the message's bytes.
    pub remedy: String,
}

impl Unmappable {
    pub(super) fn new(
        reason: UnmappableReason,
        pointer: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { reason, pointer: pointer.into(), remedy: remedy.into() }
    }

    /// A member whose text breaks a rule of the envelope.
    pub(super) fn field(pointer: &str, remedy: impl Into<String>) -> Self {
        Self::new(UnmappableReason::FieldInvalid, pointer, remedy)
    }
}

impl From<Refusal> for Unmappable {
    /// A refusal of the body as a payload.
    fn from(refusal: Refusal) -> Self {
        let syntax = refusal.pointer.is_empty() && refusal.reason == Reason::PayloadInvalid;
        let reason = if syntax { UnmappableReason::Undecodable } else { UnmappableReason::PayloadInvalid };
        Self::new(reason, refusal.pointer, refusal.detail)
    }
}
