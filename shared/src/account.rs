//! The account of every offset: what became of a record (semantics.md 4).

use std::fmt;

/// What became of an offset that is not a stored event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DispositionKind {
    /// The same event was stored before; the first stands for it.
    Duplicate,
    /// It is in `dead_letters`, with the reason.
    DeadLettered,
    /// Kafka never delivers it: a transaction marker, an aborted record, or one compacted away.
    NotDelivered,
    /// Gone from Kafka before it was read.
    Gap,
    /// Below the first offset that the log had when it was first read.
    BeforeStart,
}

impl DispositionKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Duplicate, Self::DeadLettered, Self::NotDelivered, Self::Gap, Self::BeforeStart];

    /// The name in tables, leaves, metrics and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::DeadLettered => "dead-lettered",
            Self::NotDelivered => "not-delivered",
            Self::Gap => "gap",
            Self::BeforeStart => "before-start",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether it is a run of skipped offsets rather than one record that was read.
    pub fn is_skipped(self) -> bool {
        matches!(self, Self::NotDelivered | Self::Gap | Self::BeforeStart)
    }
}

impl fmt::Display for DispositionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
