//! The fold: events in, in history order; the state so far at any moment.

use std::sync::Arc;

use uuid::Uuid;

use super::change::with_change;
use super::tree::{Members, Merge, Origin, Removals};
use super::versions::VersionFaults;
use crate::filter::Pattern;
use crate::timestamp::Timestamp;

/// The most events that are folded (semantics.md 10).
pub const MAX_EVENTS: u64 = 100_000;
/// The most memory that a state takes while it is folded, about, in bytes: a thousand events of a mebibyte each may set
/// a thousand different members.
pub const MAX_STATE_BYTES: usize = 16 << 20;

/// What a fold takes of an event.
#[derive(Debug, Clone, Copy)]
pub struct FoldedEvent<'a> {
    /// Its id.
    pub event_id: Uuid,
    /// What happened.
    pub event_type: &'a str,
    /// The producer's count; 0 = unversioned.
    pub version: i32,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Who did it, for blame; `""` where nobody is named or nobody asks.
    pub user_id: &'a str,
    /// The stored bytes of the payload.
    pub payload: &'a str,
}

/// A history that cannot be folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// More than [`MAX_EVENTS`].
    #[error("more than {MAX_EVENTS} events")]
    TooManyEvents,
    /// More than [`MAX_STATE_BYTES`].
    #[error("a state of more than {} MiB", MAX_STATE_BYTES >> 20)]
    TooLarge,
    /// A payload that is no JSON object: it never came through the door.
    #[error("the payload of event {0} is no JSON object")]
    Malformed(Uuid),
}

/// An aggregate's state, as far as its events were applied.
#[derive(Debug)]
pub struct Fold {
    deletions: Vec<Pattern>,
    pub(super) members: Members,
    pub(super) deleted: bool,
    pub(super) events: u64,
    pub(super) version: i32,
    pub(super) at: Option<Timestamp>,
    pub(super) faults: VersionFaults,
    pub(super) removals: Option<Removals>,
    cost: usize,
}

impl Fold {
    /// The empty state. Events whose type matches one of `deletions` mark it as deleted and change nothing else.
    pub fn new(deletions: &[Pattern]) -> Self {
        Self {
            deletions: deletions.to_vec(),
            members: Members::new(),
            deleted: false,
            events: 0,
            version: 0,
            at: None,
            faults: VersionFaults::default(),
            removals: None,
            cost: 0,
        }
    }

    /// The same, remembering who took something away: for the newer side of a diff.
    pub fn with_removals(deletions: &[Pattern]) -> Self {
        Self { removals: Some(Removals::new()), ..Self::new(deletions) }
    }

    /// Applies the next event of the history; after an error the fold is of no use.
    pub fn apply(&mut self, event: &FoldedEvent<'_>) -> Result<(), FoldError> {
        if self.events == MAX_EVENTS {
            return Err(FoldError::TooManyEvents);
        }
        self.events += 1;
        self.version = event.version;
        self.at = Some(event.timestamp);
        self.faults.meet(event.version);
        self.deleted = self.deletions.iter().any(|pattern| pattern.matches(event.event_type));
        if self.deleted {
            return Ok(());
        }
        let origin = Arc::new(Origin {
            step: self.events,
            event_id: event.event_id,
            version: event.version,
            timestamp: event.timestamp,
            user_id: event.user_id.into(),
        });
        let Self { members, cost, removals, .. } = self;
        let mut merge = Merge { origin: &origin, cost, removals: removals.as_mut(), pointer: String::new() };
        with_change(event.payload, |patch| merge.apply(members, patch))
            .ok_or(FoldError::Malformed(event.event_id))?;
        if self.cost > MAX_STATE_BYTES { Err(FoldError::TooLarge) } else { Ok(()) }
    }

    /// How many events were applied.
    pub fn events(&self) -> u64 {
        self.events
    }
}
