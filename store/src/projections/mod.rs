//! Projections: what the projector folds out of the events in recorded order, each with a position of its own that moves
//! in the transaction that holds the changes (semantics.md 6). Readers are in [`crate::reader`].

mod apply;
mod changes;
mod row;
pub(crate) mod state;
mod writer;

pub use changes::{
    About, AccessChange, AggregateChange, Changes, DataAccessChange, EventTypeChange, RecordedPlace,
    ResolutionChange, Runs, SecurityChange, SeriesChange, SeriesCount, StatisticsChange,
};
pub use row::FoldRow;
pub use state::{AsOf, ProjectionState, rebuild, states};
pub use writer::{Advance, AppendSpan, Applied, ProjectionWriter};

/// What is kept. Its name is its row in `audit.projections`, which names its tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Projection {
    /// Who asked the audit trail for what.
    Accesses,
    /// Every aggregate: its events counted, its versions, its first and last time.
    Aggregates,
    /// Who looked at whose data.
    DataAccesses,
    /// Every event type of every organisation, counted.
    EventTypes,
    /// Security events and whether they are settled.
    SecurityEvents,
    /// Events counted by what they are, by hour and by day.
    Statistics,
}

impl Projection {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 6] = [
        Self::Accesses,
        Self::Aggregates,
        Self::DataAccesses,
        Self::EventTypes,
        Self::SecurityEvents,
        Self::Statistics,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accesses => "accesses",
            Self::Aggregates => "aggregates",
            Self::DataAccesses => "data_accesses",
            Self::EventTypes => "event_types",
            Self::SecurityEvents => "security_events",
            Self::Statistics => "statistics",
        }
    }

    /// The version of this build's fold. Another one than in the database means a rebuild.
    pub fn version(self) -> i32 {
        match self {
            Self::Accesses
            | Self::Aggregates
            | Self::DataAccesses
            | Self::EventTypes
            | Self::SecurityEvents
            | Self::Statistics => 1,
        }
    }

    /// The projection of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|projection| projection.name() == name)
    }
}

impl std::fmt::Display for Projection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
