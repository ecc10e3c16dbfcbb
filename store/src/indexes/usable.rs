//! What a reader may count on: the indexes that every partition has, whole.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use shared::text_query::TextFields;
use tokio_postgres::Client;

use super::definitions::{DEFINITIONS, Lookup};
use super::optional;
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

    /// The same without this look-up.
    #[must_use]
    pub(crate) fn without(self, lookup: Lookup) -> Self {
        Self(self.0 & !bit(lookup))
    }

    /// The same and this look-up.
    #[must_use]
    pub fn with(self, lookup: Lookup) -> Self {
        Self(self.0 | bit(lookup))
    }

    /// The look-ups, and the fields whose words are indexed.
    pub(crate) async fn read(client: &Client) -> Result<(Self, Option<TextFields>), StoreError> {
        let (mut usable, mut fields) = (Self::NONE, None);
        for row in client.query(VALID, &[]).await? {
            let (name, using): (&str, Option<&str>) = (row.try_get(0)?, row.try_get(1)?);
            if name == optional::TEXT {
                fields = using.and_then(optional::fields_of);
                usable = if fields.is_some() { usable.with(Lookup::Text) } else { usable };
                continue;
            }
            let ours = DEFINITIONS
                .iter()
                .chain([&optional::PAYLOAD])
                .find(|index| index.name == name && using == Some(&*index.using));
            usable = ours.and_then(|index| index.lookup).map_or(usable, |lookup| usable.with(lookup));
        }
        Ok((usable, fields))
    }
}

fn bit(lookup: Lookup) -> u8 {
    match lookup {
        Lookup::Organization => 1,
        Lookup::User => 1 << 1,
        Lookup::EventType => 1 << 2,
        Lookup::Correlation => 1 << 3,
        Lookup::Causation => 1 << 4,
        Lookup::Payload => 1 << 5,
        Lookup::Text => 1 << 6,
    }
}

/// What was usable when somebody looked last, for all who share a pool.
#[derive(Debug)]
pub(crate) struct LastSeen {
    usable: AtomicU8,
    fields: Mutex<Option<TextFields>>,
}

impl LastSeen {
    pub(crate) fn new() -> Self {
        Self { usable: AtomicU8::new(UsableIndexes::NONE.0), fields: Mutex::new(None) }
    }

    pub(crate) fn get(&self) -> UsableIndexes {
        UsableIndexes(self.usable.load(Ordering::Relaxed))
    }

    pub(crate) fn fields(&self) -> Option<TextFields> {
        self.fields.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, (usable, fields): (UsableIndexes, Option<TextFields>)) {
        *self.fields.lock().unwrap_or_else(PoisonError::into_inner) = fields;
        self.usable.store(usable.0, Ordering::Relaxed);
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
