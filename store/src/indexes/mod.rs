//! The sets of indexes of `audit.events` (semantics.md 11): what they are, which one a database has, and the way from
//! one to the other beside writers and readers.

mod build;
mod definitions;
mod optional;
mod patient;
mod progress;
mod removal;
mod tree;
mod usable;

use shared::index_set::IndexSet;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

pub use definitions::{DEFINITIONS, Definition, Lookup};
pub use optional::{Optional, OptionalName};
pub use progress::{Doing, Progress};
pub(crate) use usable::LastSeen;
pub use usable::UsableIndexes;

use crate::error::StoreError;
use crate::migrate;
use crate::schema;
use crate::url::DatabaseUrl;
use progress::Reporter;
use tree::Tree;

/// So that the server notices within this time that nobody waits for an index any more, and stops building it.
const NOTICE_ABSENCE: &str = "set client_connection_check_interval = '2s'";

/// How much of an index there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Every partition has it: it is used.
    Whole,
    /// Some of it is there: it is being built, or that was cut.
    Partial,
    /// Nothing of it is there.
    Absent,
}

/// One index of the table, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexState {
    /// What it is.
    pub definition: Definition,
    /// How much of it there is.
    pub presence: Presence,
    /// Leaves that have it, and all of them.
    pub partitions: (u64, u64),
    /// Its size over all leaves.
    pub bytes: u64,
}

/// What [`apply`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Indexes that were built, or finished.
    pub built: Vec<&'static str>,
    /// Indexes that were dropped.
    pub dropped: Vec<&'static str>,
}

/// Gives the database exactly this set, beside whoever writes and reads; `progress` hears how far it is.
///
/// Safe to cut at any moment and to run again: it goes on from what is there. One at a time, and not beside a migration.
///
/// # Errors
/// [`StoreError::Refused`] when a lock cannot be had in ten minutes, or something else has an index's name.
pub async fn apply(
    migrator: &DatabaseUrl,
    set: IndexSet,
    mut progress: impl FnMut(&Progress) + Send,
) -> Result<Changed, StoreError> {
    let client = session(migrator).await?;
    change(&client, set, &mut progress).await
}

/// Builds an index that no set has, or finishes it, in the same way as [`apply`]; answers whether anything was missing.
///
/// # Errors
/// As [`apply`].
pub async fn create(
    migrator: &DatabaseUrl,
    index: &Optional,
    mut progress: impl FnMut(&Progress) + Send,
) -> Result<bool, StoreError> {
    let client = session(migrator).await?;
    notice_absence(&client).await?;
    let definition = index.definition();
    let mut reporter = Reporter::new(definition.name, Doing::Building, &mut progress);
    build::build(&client, &definition, &mut reporter).await
}

/// Drops an index that no set has; answers whether there was anything of it.
///
/// # Errors
/// As [`apply`].
pub async fn remove(
    migrator: &DatabaseUrl,
    index: OptionalName,
    mut progress: impl FnMut(&Progress) + Send,
) -> Result<bool, StoreError> {
    let client = session(migrator).await?;
    let mut removed = false;
    for definition in optional::found(&Tree::read(&client).await?, index) {
        let mut reporter = Reporter::new(definition.name, Doing::Dropping, &mut progress);
        removed |= removal::remove(&client, &definition, &mut reporter).await?;
    }
    Ok(removed)
}

/// The owner's session; names of functions are written in full in definitions, as readers see them.
async fn session(migrator: &DatabaseUrl) -> Result<Client, StoreError> {
    let client = migrate::owner_session(migrator, "audit-index").await?;
    client.batch_execute("set search_path = pg_catalog").await?;
    schema::require_known_schema(&client).await?;
    Ok(client)
}

async fn notice_absence(client: &Client) -> Result<(), StoreError> {
    match client.batch_execute(NOTICE_ABSENCE).await {
        // Not every system can tell a server that a client is gone.
        Err(error) if error.code() != Some(&SqlState::INVALID_PARAMETER_VALUE) => Err(error.into()),
        _ => Ok(()),
    }
}

/// The same on the owner's session, which holds the lock of migrations.
pub(crate) async fn change(
    client: &Client,
    set: IndexSet,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Changed, StoreError> {
    notice_absence(client).await?;
    let mut changed = Changed::default();
    for definition in DEFINITIONS.iter().filter(|definition| !definition.is_in(set)) {
        let mut reporter = Reporter::new(definition.name, Doing::Dropping, progress);
        if removal::remove(client, definition, &mut reporter).await? {
            changed.dropped.push(definition.name);
        }
    }
    for definition in DEFINITIONS.iter().filter(|definition| definition.is_in(set)) {
        let mut reporter = Reporter::new(definition.name, Doing::Building, progress);
        if build::build(client, definition, &mut reporter).await? {
            changed.built.push(definition.name);
        }
    }
    Ok(changed)
}

/// Every index of both sets, and those that no set has, as the database has them now. Any role of ours may ask.
pub async fn inventory(client: &Client) -> Result<Vec<IndexState>, StoreError> {
    let tree = Tree::read(client).await?;
    let state = |definition: &Definition| {
        let root = tree.root().and_then(|root| root.named(definition.name));
        let (mut leaves, mut having, mut bytes) = (0, 0, 0);
        for leaf in tree.leaves() {
            leaves += 1;
            having += u64::from(leaf.whole(definition).next().is_some());
            bytes += leaf.whole(definition).map(|index| index.bytes).sum::<u64>();
        }
        let presence = match root {
            Some(index) if index.is_valid && index.is(definition) => Presence::Whole,
            None if having == 0 => Presence::Absent,
            _ => Presence::Partial,
        };
        IndexState { definition: definition.clone(), presence, partitions: (having, leaves), bytes }
    };
    let optional = OptionalName::ALL.map(|name| optional::found(&tree, name)).concat();
    Ok(DEFINITIONS.iter().chain(&optional).map(state).collect())
}

/// The set that these indexes are; `None` = neither, since something of it is half there or missing.
pub fn set_of(indexes: &[IndexState]) -> Option<IndexSet> {
    [IndexSet::Essential, IndexSet::Standard].into_iter().find(|set| {
        indexes.iter().filter(|index| index.definition.set.is_some()).all(|index| {
            let wanted = if index.definition.is_in(*set) { Presence::Whole } else { Presence::Absent };
            index.presence == wanted
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(presence: impl Fn(&Definition) -> Presence) -> Vec<IndexState> {
        let state = |definition: &Definition| IndexState {
            definition: definition.clone(),
            presence: presence(definition),
            partitions: (0, 0),
            bytes: 0,
        };
        DEFINITIONS.iter().map(state).collect()
    }

    #[test]
    fn a_set_is_exactly_its_indexes() {
        let essential = |definition: &Definition| {
            if definition.is_in(IndexSet::Essential) { Presence::Whole } else { Presence::Absent }
        };
        assert_eq!(set_of(&states(|_| Presence::Whole)), Some(IndexSet::Standard));
        assert_eq!(set_of(&states(essential)), Some(IndexSet::Essential));
        assert_eq!(set_of(&states(|_| Presence::Absent)), None);
        let half = |definition: &Definition| {
            if definition.name == "events_user" { Presence::Partial } else { essential(definition) }
        };
        assert_eq!(set_of(&states(half)), None);
    }
}
