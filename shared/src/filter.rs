//! A request for events that has already been checked (semantics.md 7).

use crate::{position::Position, timestamp::Timestamp};

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
