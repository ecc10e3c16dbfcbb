//! What a batch of appends changes, ready to be added to what is there.

use std::fmt::Write as _;

use shared::timestamp::Timestamp;

/// The changes of one batch, each key once, in the order of the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// For [`super::Projection::Aggregates`].
    pub aggregates: Vec<AggregateChange>,
    /// For [`super::Projection::EventTypes`].
    pub event_types: Vec<EventTypeChange>,
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
}
