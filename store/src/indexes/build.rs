//! Building an index without blocking writers: frames on the table and its months, which hold nothing, then each leaf
//! concurrently, attached at once; the month's is whole with its last leaf, the table's with its last month.
//!
//! Whatever is there already is kept, so a build that was cut goes on; a leaf whose build was cut is built again. Months
//! that are made meanwhile get theirs from PostgreSQL when they are attached.

use tokio_postgres::Client;

use super::definitions::Definition;
use super::patient::{self, Trouble, quoted};
use super::progress::Reporter;
use super::tree::{self, Table, TableIndex, Tree};
use crate::error::StoreError;

/// How often the whole table is gone through. The second time only what changed during the first is left.
const PASSES: usize = 10;

/// Builds what is missing of the index; answers whether anything was.
pub(super) async fn build(
    client: &Client,
    definition: &Definition,
    reporter: &mut Reporter<'_>,
) -> Result<bool, StoreError> {
    for pass in 0..PASSES {
        match look_and_build(client, definition, reporter).await {
            Ok(Found::Whole) => return Ok(pass > 0),
            Ok(Found::Incomplete) | Err(Trouble::Moved) => {}
            Err(Trouble::Store(error)) => return Err(error),
        }
    }
    Err(StoreError::Refused(format!(
        "audit.{} is not whole after {PASSES} passes over the partitions: see `trailctl index`, and run this again",
        definition.name
    )))
}

/// What a pass met when it started.
enum Found {
    Whole,
    Incomplete,
}

async fn look_and_build(
    client: &Client,
    definition: &Definition,
    reporter: &mut Reporter<'_>,
) -> Result<Found, Trouble> {
    let tree = Tree::read(client).await?;
    match root_index(&tree, definition)? {
        Some(index) if index.is_valid => return Ok(Found::Whole),
        Some(_) => go_through(client, definition, &tree, reporter).await?,
        None => {
            let statement =
                format!("create index {} on only audit.events {}", definition.name, definition.using);
            patient::change(client, &statement, reporter).await?;
            // Read again: a month that came before is in it, one that comes later has the index.
            go_through(client, definition, &Tree::read(client).await?, reporter).await?;
        }
    }
    Ok(Found::Incomplete)
}

/// The index on `audit.events`; refused when something else has its name.
fn root_index<'a>(tree: &'a Tree, definition: &Definition) -> Result<Option<&'a TableIndex>, StoreError> {
    let index = tree.root().and_then(|root| root.named(definition.name));
    match index {
        Some(index) if !index.is(definition) => Err(StoreError::Refused(format!(
            "audit.{} is another index than this release's ({}): rename or drop it",
            definition.name, definition.using
        ))),
        index => Ok(index),
    }
}

async fn go_through(
    client: &Client,
    definition: &Definition,
    tree: &Tree,
    reporter: &mut Reporter<'_>,
) -> Result<(), Trouble> {
    let Some(root) = tree.root() else { return Err(Trouble::Moved) };
    let count = u64::try_from(tree.leaves().count()).unwrap_or(u64::MAX);
    reporter.restart(count, tree.leaves().map(|leaf| leaf.bytes).sum());
    for month in tree.partitions_of(root) {
        let framed = month.index(definition, definition.name);
        if framed.is_some_and(|index| index.is_valid && index.parent.is_some()) {
            tree.partitions_of(month).for_each(|leaf| reporter.done(leaf.bytes));
            continue;
        }
        let frame = frame(client, definition, month, reporter).await?;
        for leaf in tree.partitions_of(month) {
            reporter.starting(&leaf.name);
            build_leaf(client, definition, leaf, &frame.name, reporter).await?;
            reporter.done(leaf.bytes);
        }
        if frame.parent.is_none() {
            attach(client, definition.name, &frame.name, reporter).await?;
        }
    }
    Ok(())
}

/// The month's own index, made where it is missing: valid as soon as all its leaves have theirs.
async fn frame(
    client: &Client,
    definition: &Definition,
    month: &Table,
    reporter: &mut Reporter<'_>,
) -> Result<Frame, Trouble> {
    if let Some(index) = month.index(definition, definition.name) {
        return Ok(Frame { name: index.name.clone(), parent: index.parent.clone() });
    }
    let statement = format!("create index on only {} {}", quoted(&month.name), definition.using);
    patient::change(client, &statement, reporter).await?;
    let made = tree::read_table(client, &month.name).await?;
    let index = made.as_ref().and_then(|month| month.index(definition, definition.name));
    index.map(|index| Frame { name: index.name.clone(), parent: index.parent.clone() }).ok_or(Trouble::Moved)
}

/// The index of a month.
struct Frame {
    name: String,
    parent: Option<String>,
}

async fn build_leaf(
    client: &Client,
    definition: &Definition,
    leaf: &Table,
    frame: &str,
    reporter: &mut Reporter<'_>,
) -> Result<(), Trouble> {
    for broken in leaf.loose(definition).filter(|index| !index.is_valid) {
        client.batch_execute(&format!("drop index concurrently if exists {}", quoted(&broken.name))).await?;
    }
    let attached = |index: &&TableIndex| index.parent.as_deref() == Some(frame);
    if leaf.whole(definition).any(|index| attached(&index)) {
        return Ok(());
    }
    if let Some(index) = leaf.loose(definition).find(|index| index.is_valid) {
        return attach(client, frame, &index.name, reporter).await;
    }
    client
        .batch_execute(&format!("create index concurrently on {} {}", quoted(&leaf.name), definition.using))
        .await?;
    let made = tree::read_table(client, &leaf.name).await?.ok_or(Trouble::Moved)?;
    let index = made.loose(definition).find(|index| index.is_valid).ok_or(Trouble::Moved)?;
    attach(client, frame, &index.name, reporter).await
}

async fn attach(
    client: &Client,
    parent: &str,
    index: &str,
    reporter: &mut Reporter<'_>,
) -> Result<(), Trouble> {
    let statement = format!("alter index {} attach partition {}", quoted(parent), quoted(index));
    patient::change(client, &statement, reporter).await
}
