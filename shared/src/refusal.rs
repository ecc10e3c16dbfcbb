//! Why a record is not stored as an event: the closed list of semantics.md 5.

use std::fmt;

/// The reasons for which a record goes to the dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Neither Confluent framing nor a GUID header.
    MalformedFraming,
    /// A healthy registry does not know the schema id.
    UnknownSchema,
    /// The bytes are not a datum of their schema.
    Undecodable,
    /// Too deep, too many values, or too large.
    LimitExceeded,
    /// A field of the envelope breaks its rule.
    EnvelopeInvalid,
    /// The payload breaks a rule.
    PayloadInvalid,
    /// More than 24 h ahead of the ingestor's clock.
    TimestampInFuture,
    /// Before 0001-01-01.
    TimestampOutOfRange,
    /// The id is stored already, with other bytes.
    EventIdConflict,
}

impl Reason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::MalformedFraming,
        Self::UnknownSchema,
        Self::Undecodable,
        Self::LimitExceeded,
        Self::EnvelopeInvalid,
        Self::PayloadInvalid,
        Self::TimestampInFuture,
        Self::TimestampOutOfRange,
        Self::EventIdConflict,
    ];

    /// The name in leaves, tables, headers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedFraming => "malformed-framing",
            Self::UnknownSchema => "unknown-schema",
            Self::Undecodable => "undecodable",
            Self::LimitExceeded => "limit-exceeded",
            Self::EnvelopeInvalid => "envelope-invalid",
            Self::PayloadInvalid => "payload-invalid",
            Self::TimestampInFuture => "timestamp-in-future",
            Self::TimestampOutOfRange => "timestamp-out-of-range",
            Self::EventIdConflict => "event-id-conflict",
        }
    }

    /// The reason of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: the reason, where in the record, and a sentence with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at {pointer:?}: {detail}")]
pub struct Refusal {
    /// Which of the closed list.
    pub reason: Reason,
    /// A JSON Pointer: into the envelope (`/timestamp`), or into the payload for [`Reason::PayloadInvalid`]; `""` = the whole.
    pub pointer: String,
    /// What is wrong and what would be right; never holds payload bytes.
    pub detail: String,
}

impl Refusal {
    /// A refusal at a place.
    ///
    /// A key that holds U+0000 would make a pointer that no database text can hold: it is shown as U+FFFD.
    pub fn new(reason: Reason, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut pointer = pointer.into();
        if pointer.contains('\0') {
            pointer = pointer.replace('\0', "\u{FFFD}");
        }
        Self { reason, pointer, detail: detail.into() }
    }
}
