//! Dropping an index: with its partitions, in one change of the catalogue; then what a build that was cut has left.

use tokio_postgres::Client;

use super::definitions::Definition;
use super::patient::{self, Trouble, quoted};
use super::progress::Reporter;
use super::tree::Tree;
use crate::error::StoreError;

/// How often the tables are looked at again after one went away.
const PASSES: usize = 10;

/// Drops what there is of the index; answers whether there was anything.
pub(super) async fn remove(
    client: &Client,
    definition: &Definition,
    reporter: &mut Reporter<'_>,
) -> Result<bool, StoreError> {
    let mut removed = false;
    for _ in 0..PASSES {
        match look_and_remove(client, definition, reporter).await {
            Ok(false) => return Ok(removed),
            Ok(true) | Err(Trouble::Moved) => removed = true,
            Err(Trouble::Store(error)) => return Err(error),
        }
    }
    Err(StoreError::Refused(format!("audit.{} comes back as it is dropped", definition.name)))
}

/// Drops the outermost of what is left; answers whether anything was.
async fn look_and_remove(
    client: &Client,
    definition: &Definition,
    reporter: &mut Reporter<'_>,
) -> Result<bool, Trouble> {
    let tree = Tree::read(client).await?;
    // PostgreSQL drops a partitioned index with all its parts or not at all, and never concurrently.
    if let Some(index) = tree.root().and_then(|root| root.named(definition.name)) {
        patient::change(client, &format!("drop index {}", quoted(&index.name)), reporter).await?;
        return Ok(true);
    }
    let mut removed = false;
    for table in tree.partitions().filter(|table| !table.is_leaf) {
        for index in table.loose(definition) {
            patient::change(client, &format!("drop index {}", quoted(&index.name)), reporter).await?;
            removed = true;
        }
    }
    for leaf in tree.leaves() {
        for index in leaf.loose(definition) {
            client.batch_execute(&format!("drop index concurrently {}", quoted(&index.name))).await?;
            removed = true;
        }
    }
    Ok(removed)
}
