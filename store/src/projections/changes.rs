//! What a batch of appends changes, ready to be added to what is there.

use std::fmt::Write as _;

use shared::access::AccessOutcome;
use shared::position::Position;
use shared::timestamp::Timestamp;
use shared::vocabulary::{DataAccess, Resolution, SecurityEvent};
use uuid::Uuid;

/// The changes of one batch, each key once, in the order of the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// For [`super::Projection::Aggregates`].
    pub aggregates: Vec<AggregateChange>,
    /// For [`super::Projection::EventTypes`].
    pub event_types: Vec<EventTypeChange>,
    /// For [`super::Projection::SecurityEvents`], each once by the id of its event.
    pub security_events: Vec<SecurityChange>,
    /// For [`super::Projection::SecurityEvents`], one for each security event and organisation: the last.
    pub resolutions: Vec<ResolutionChange>,
    /// For [`super::Projection::DataAccesses`].
    pub data_accesses: Vec<DataAccessChange>,
    /// For [`super::Projection::Accesses`].
    pub accesses: Vec<AccessChange>,
    /// For [`super::Projection::Statistics`].
    pub statistics: StatisticsChange,
}

/// A place in recorded order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordedPlace {
    /// The append.
    pub append_no: i64,
    /// The offset within its log.
    pub offset: i64,
}

/// A security event and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityChange {
    /// The event.
    pub event: SecurityEvent,
    /// Its place in its log.
    pub position: Position,
}

/// A resolution and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolutionChange {
    /// What it says.
    pub resolution: Resolution,
    /// Where it was recorded: the last one holds.
    pub place: RecordedPlace,
}

/// A data access and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataAccessChange {
    /// Who looked at whose data.
    pub access: DataAccess,
    /// Its place in its log.
    pub position: Position,
}

/// An access, under one thing by which it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessChange {
    /// The event that records it.
    pub event_id: Uuid,
    /// When.
    pub accessed_at: Timestamp,
    /// Its place in its log.
    pub position: Position,
    /// Its organisation; `""` = none.
    pub organization_id: String,
    /// Under what it is found.
    pub about: About,
    /// Who looked.
    pub accessor_id: String,
    /// The operation.
    pub operation: String,
    /// What became of it.
    pub outcome: AccessOutcome,
    /// Where from.
    pub ip_address: Option<String>,
    /// The event's payload, which says all of it.
    pub payload: String,
}

/// Under what an access is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// Under no name: every access.
    Itself,
    /// A user that the request named.
    User(String),
    /// An aggregate that it named.
    Aggregate {
        /// Its kind; `""` = the request named none.
        kind: String,
        /// Its id.
        id: String,
    },
}

impl About {
    /// As it is stored and looked up; as much of an id as an index holds.
    pub fn key(&self) -> String {
        match self {
            Self::Itself => String::new(),
            Self::User(id) => format!("user:{}", indexed(id)),
            Self::Aggregate { id, .. } => format!("aggregate:{}", indexed(id)),
        }
    }

    pub(super) fn kind(&self) -> &str {
        match self {
            Self::Aggregate { kind, .. } => indexed(kind),
            Self::Itself | Self::User(_) => "",
        }
    }
}

/// The longest id that an index can hold beside the rest of its row, in bytes: as the door has it for `userId`.
const LONGEST_ID: usize = 1024;

/// As much of an id as an index holds.
pub(super) fn indexed(text: &str) -> &str {
    let clean = text.find('\0').map_or(text, |end| &text[..end]);
    let mut end = clean.len().min(LONGEST_ID);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    &clean[..end]
}

/// What a batch holds of one aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateChange {
    /// Its organisation; `""` = none.
    pub organization_id: String,
    /// Its kind.
    pub aggregate_type: String,
    /// Its id.
    pub aggregate_id: String,
    /// How many events.
    pub events: i64,
    /// The least event time.
    pub first: Timestamp,
    /// The greatest event time.
    pub last: Timestamp,
    /// The versions from 1 on that occur.
    pub versions: Runs,
    /// Those of them that occur more than once.
    pub double_versions: Runs,
}

/// What a batch holds of one type in one organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTypeChange {
    /// What happened.
    pub event_type: String,
    /// Whose it is; `""` = nobody's.
    pub organization_id: String,
    /// How many events.
    pub events: i64,
    /// The least event time.
    pub first: Timestamp,
    /// The greatest event time.
    pub last: Timestamp,
}

/// What a batch holds of each series, by hour and by day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatisticsChange {
    /// Every series that the counts below refer to, once.
    pub series: Vec<SeriesChange>,
    /// By hour, over all users.
    pub hours: Vec<SeriesCount>,
    /// By day, each user apart.
    pub days: Vec<SeriesCount>,
}

/// What events are counted by, except the time; `""` = none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesChange {
    /// Made of the names, so that the same names have the same id for ever.
    pub id: Uuid,
    /// Whose they are.
    pub organization_id: String,
    /// The kind of their aggregates.
    pub aggregate_type: String,
    /// What happened.
    pub event_type: String,
    /// Where they come from.
    pub source: String,
    /// What was done.
    pub action: String,
    /// `success`, `failure` or `""`.
    pub outcome: String,
    /// Who did it; `""` also where all users are counted together.
    pub user_id: String,
}

/// So many events of a series in one hour or day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesCount {
    /// The series.
    pub series: Uuid,
    /// Where the hour or the day starts.
    pub start: Timestamp,
    /// How many events.
    pub events: i64,
}

/// A set of versions as runs of consecutive ones: first and last, inclusive, ascending, never touching.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs(pub Vec<(i32, i32)>);

impl Runs {
    /// As PostgreSQL writes a multirange of bigint.
    pub(crate) fn to_multirange(&self) -> String {
        let mut text = String::from("{");
        for (nth, (first, last)) in self.0.iter().enumerate() {
            let comma = if nth == 0 { "" } else { "," };
            let _ = write!(text, "{comma}[{first},{last}]"); // a String takes everything
        }
        text.push('}');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_written_as_postgresql_reads_them() {
        assert_eq!(Runs::default().to_multirange(), "{}");
        assert_eq!(Runs(vec![(1, 3), (7, 7), (9, i32::MAX)]).to_multirange(), "{[1,3],[7,7],[9,2147483647]}");
    }

    #[test]
    fn an_id_is_cut_where_a_character_ends() {
        assert_eq!(indexed("u-1"), "u-1");
        assert_eq!(indexed(&"é".repeat(600)), "é".repeat(512));
        assert_eq!(indexed(&format!("a{}", "é".repeat(600))).len(), 1023);
        assert_eq!(indexed("a\0b"), "a");
    }
}
