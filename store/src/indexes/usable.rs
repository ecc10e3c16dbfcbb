//! What a reader may count on: the indexes that every partition has, whole.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio_postgres::Client;

use super::definitions::{DEFINITIONS, Lookup};
use crate::error::StoreError;

const VALID: &str = include_str!("../../sql/valid_indexes.sql");

/// The look-ups that an index serves now; one that is being built or dropped does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsableIndexes(u8);

impl UsableIndexes {
    /// As in the essential set.
    pub const NONE: Self = Self(0);
    /// As in the standard set.
    pub const ALL: Self = Self(0b1_1111);

    /// Whether this look-up has its index.
    pub fn has(self, lookup: Lookup) -> bool {
        self.0 & bit(lookup) != 0
    }

    /// The same and this look-up.
    #[must_use]
    pub fn with(self, lookup: Lookup) -> Self {
        Self(self.0 | bit(lookup))
    }

    pub(crate) async fn read(client: &Client) -> Result<Self, StoreError> {
        let mut usable = Self::NONE;
        for row in client.query(VALID, &[]).await? {
            let (name, using): (&str, Option<&str>) = (row.try_get(0)?, row.try_get(1)?);
            let ours = DEFINITIONS.iter().find(|index| index.name == name && Some(index.using) == using);
            usable = ours.and_then(|index| index.lookup).map_or(usable, |lookup| usable.with(lookup));
        }
        Ok(usable)
    }
}

fn bit(lookup: Lookup) -> u8 {
    match lookup {
        Lookup::Organization => 1,
        Lookup::User => 1 << 1,
        Lookup::EventType => 1 << 2,
        Lookup::Correlation => 1 << 3,
        Lookup::Causation => 1 << 4,
    }
}

/// What was usable when somebody looked last, for all who share a pool.
#[derive(Debug)]
pub(crate) struct LastSeen(AtomicU8);

impl LastSeen {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(UsableIndexes::NONE.0))
    }

    pub(crate) fn get(&self) -> UsableIndexes {
        UsableIndexes(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, usable: UsableIndexes) {
        self.0.store(usable.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_every_look_up_of_the_table() {
        let lookups = DEFINITIONS.iter().filter_map(|index| index.lookup);
        assert_eq!(lookups.fold(UsableIndexes::NONE, UsableIndexes::with), UsableIndexes::ALL);
        assert!(!UsableIndexes::NONE.with(Lookup::User).has(Lookup::Causation));
    }
}
