//! The ids of events that name none.

use uuid::Uuid;

/// Where the id of an event comes from when it names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    known: Vec<Uuid>,
}

impl Ids {
    /// New ones.
    pub(super) fn fresh() -> Self {
        Self { known: Vec::new() }
    }

    /// Those that an earlier attempt has stored.
    pub(super) fn known(known: Vec<Uuid>) -> Self {
        Self { known }
    }

    /// The id for the event at this place of the request.
    pub fn at(&self, index: usize) -> Uuid {
        self.known.get(index).copied().unwrap_or_else(new_id)
    }
}

/// A new id for an event; ids of one moment are near each other in an index.
#[expect(clippy::disallowed_methods, reason = "the one place that mints ids of events and redrives")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
