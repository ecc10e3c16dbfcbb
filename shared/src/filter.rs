//! A request for events that has already been checked (semantics.md 7).

use crate::{payload_query::PayloadQuery, position::Position, text_query::TextQuery, timestamp::Timestamp};

/// Repeated values are "or", different fields are "and"; an empty list does not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct EventFilter {
    /// Event time, inclusive.
    pub from: Option<Timestamp>,
    /// Event time, exclusive.
    pub to: Option<Timestamp>,
    /// Time of recording, inclusive.
    pub recorded_from: Option<Timestamp>,
    /// Time of recording, exclusive.
    pub recorded_to: Option<Timestamp>,
    /// Event types; `*` allowed.
    pub event_type: Vec<Pattern>,
    /// Aggregate types; `*` allowed.
    pub aggregate_type: Vec<Pattern>,
    /// Aggregate ids.
    pub aggregate_id: Vec<String>,
    /// Users.
    pub user_id: Vec<String>,
    /// Organisations; narrows the caller's scope, never widens it.
    pub organization_id: Vec<String>,
    /// Sources.
    pub source: Vec<String>,
    /// Actions.
    pub action: Vec<String>,
    /// Correlation ids.
    pub correlation_id: Vec<String>,
    /// Causation ids.
    pub causation_id: Vec<String>,
    /// What the payload must contain.
    pub payload: Option<PayloadQuery>,
    /// Words of the payload.
    pub text: Option<TextQuery>,
    /// Leaves out the records of accesses ([`ACCESS_TYPE`]): lists and tails do, unless asked by type (semantics.md 12).
    pub without_accesses: bool,
}

/// The aggregate type of the records of accesses (semantics.md 12).
pub const ACCESS_TYPE: &str = "AuditAccess";
/// What the types of their events begin with.
pub const ACCESS_EVENT_PREFIX: &str = "AuditAccess.";

/// Whether a filter by these types leaves the records of accesses out: it does unless it names an aggregate type, or an
/// event type of theirs.
pub fn leaves_accesses_out(event_type: &[Pattern], aggregate_type: &[Pattern]) -> bool {
    let names_theirs = |pattern: &Pattern| match pattern {
        Pattern::Exact(text) | Pattern::Prefix(text) | Pattern::Glob(text) => text.starts_with(ACCESS_TYPE),
    };
    aggregate_type.is_empty() && !event_type.iter().any(names_theirs)
}

/// A value with `*` for any run of characters and no other metacharacter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// No `*`: equality.
    Exact(String),
    /// One `*`, at the end: a range on the index.
    Prefix(String),
    /// Any other use of `*`; holds the text as given. Needs a time range of at most 31 days.
    Glob(String),
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Self {
        match text.find('*') {
            None => Self::Exact(text.to_owned()),
            Some(at) if at + 1 == text.len() => Self::Prefix(text[..at].to_owned()),
            Some(_) => Self::Glob(text.to_owned()),
        }
    }

    /// Whether the whole value fits.
    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(text) => value == text,
            Self::Prefix(prefix) => value.starts_with(prefix.as_str()),
            Self::Glob(glob) => glob_matches(glob, value),
        }
    }
}

/// The parts between the `*` must stand in the value in order, the first at its start and the last at its end.
fn glob_matches(glob: &str, value: &str) -> bool {
    let Some((first, rest)) = glob.split_once('*') else { return glob == value };
    let Some(mut value) = value.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some(at) = value.find(part) else { return false };
        value = &value[at + part.len()..];
    }
    value.ends_with(last)
}

/// Which way, and along which order, a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sort {
    /// By (event time, position).
    #[default]
    Time,
    /// By (append number, offset): the only order in which a late arrival is never missed.
    Recorded,
}

/// The direction of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// Newest first.
    #[default]
    Descending,
    /// Oldest first.
    Ascending,
}

/// Where the next page of a list starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKey {
    /// After this event in time order.
    Time(Timestamp, Position),
    /// After this offset of this append, in recorded order.
    Recorded {
        /// The append.
        append_no: i64,
        /// The last offset seen of it; `None` = none of it yet.
        offset: Option<i64>,
    },
}
