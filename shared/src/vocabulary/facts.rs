//! What the readings below need of a stored event, borrowed from wherever it was read.

use std::borrow::Cow;

use serde::Deserialize;
use uuid::Uuid;

use super::names::{self, Name};
use super::words::{Category, Outcome, Severity};
use crate::event::Event;
use crate::timestamp::Timestamp;

/// A stored event.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its id.
    pub event_id: Uuid,
    /// Its organisation; `""` = none.
    pub organization_id: &'a str,
    /// What happened.
    pub event_type: &'a str,
    /// The kind of its aggregate.
    pub aggregate_type: &'a str,
    /// Its aggregate's id.
    pub aggregate_id: &'a str,
    /// When it happened.
    pub timestamp: Timestamp,
    /// `metadata.userId`; `""` = none.
    pub user_id: &'a str,
    /// The stored bytes.
    pub payload: &'a str,
    /// The stored bytes.
    pub metadata: &'a str,
}

impl<'a> From<&'a Event> for Facts<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            event_id: event.event_id,
            organization_id: &event.organization_id,
            event_type: &event.event_type,
            aggregate_type: &event.aggregate_type,
            aggregate_id: &event.aggregate_id,
            timestamp: event.timestamp,
            user_id: &event.promoted.user_id,
            payload: &event.payload,
            metadata: &event.metadata,
        }
    }
}

/// The normalised words of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Words {
    pub(super) category: Option<Category>,
    pub(super) severity: Option<Severity>,
    pub(super) row: Option<&'static Name>,
}

#[derive(Deserialize, Default)]
struct Stored<'a> {
    #[serde(borrow, default)]
    category: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    severity: Option<Cow<'a, str>>,
}

impl Words {
    /// Nearly no event has such words: those are told by a look at the bytes and at the table's names.
    pub(super) fn of(event: &Facts<'_>) -> Self {
        let row = names::exactly(event.event_type);
        if !event.metadata.contains("\"category\"") {
            return Self {
                category: row.map(|row| row.category),
                severity: row.and_then(|row| row.severity),
                row,
            };
        }
        let stored: Stored<'_> = serde_json::from_str(event.metadata).unwrap_or_default();
        let category = stored.category.and_then(|word| Category::parse(&word));
        let severity = stored.severity.filter(|_| category.is_some()).and_then(|word| Severity::parse(&word));
        Self {
            category: category.or_else(|| row.map(|row| row.category)),
            severity: severity.or_else(|| row?.severity),
            row,
        }
    }
}

#[derive(Deserialize, Default)]
struct Ended<'a> {
    #[serde(borrow, default)]
    outcome: Option<Cow<'a, str>>,
}

/// How what an event tells of ended: `metadata.outcome` where it is one of the two words, else what the table says of exactly
/// this type; `None` = nothing says it.
pub fn outcome(event: &Facts<'_>) -> Option<Outcome> {
    let stated = event.metadata.contains("\"outcome\"").then(|| {
        let ended: Ended<'_> = serde_json::from_str(event.metadata).unwrap_or_default();
        ended.outcome.and_then(|word| Outcome::parse(&word))
    });
    stated.flatten().or_else(|| names::exactly(event.event_type)?.outcome)
}
