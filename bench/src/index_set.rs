//! The two sets of indexes that a store can have (semantics.md 11).

use anyhow::Result;
use test_support::{Role, TestDatabase};

/// Which indexes a round's store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IndexSet {
    /// Every filter has its index: the default.
    Standard,
    /// History, order and time alone.
    Essential,
}

impl IndexSet {
    /// As figures name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard set",
            Self::Essential => "essential set",
        }
    }

    /// A fresh, migrated database with this set.
    pub(crate) async fn create_database(self) -> Result<TestDatabase> {
        let database = TestDatabase::create().await;
        if self == Self::Essential {
            let migrator = database.database_url(Role::Migrator);
            store::indexes::apply(&migrator, shared::index_set::IndexSet::Essential, |_| ()).await?;
        }
        Ok(database)
    }
}
