//! The tables of events with their indexes, as the catalogue has them.

use tokio_postgres::{Client, Error, Row};

use super::definitions::Definition;

const TREE: &str = include_str!("../../sql/index_tree.sql");

/// `audit.events`, a month, or a month's leaf of one retention class.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    parent: Option<String>,
    pub(super) is_leaf: bool,
    /// Of its rows; 0 for what is only made of partitions.
    pub(super) bytes: u64,
    indexes: Vec<TableIndex>,
}

/// An index of one table.
#[derive(Debug)]
pub(super) struct TableIndex {
    pub(super) name: String,
    pub(super) is_valid: bool,
    using: String,
    /// The index that it is a partition of.
    pub(super) parent: Option<String>,
    pub(super) bytes: u64,
}

impl Table {
    /// The index of this definition that belongs to `parent`, or could.
    pub(super) fn index(&self, definition: &Definition, parent: &str) -> Option<&TableIndex> {
        let own = |index: &&TableIndex| index.using == definition.using;
        let attached = self.indexes.iter().filter(own).find(|index| index.parent.as_deref() == Some(parent));
        attached.or_else(|| self.loose(definition).next())
    }

    /// Indexes of this definition that belong to no other.
    pub(super) fn loose(&self, definition: &Definition) -> impl Iterator<Item = &TableIndex> {
        self.indexes.iter().filter(|index| index.using == definition.using && index.parent.is_none())
    }

    /// Whole indexes of this definition, attached or not.
    pub(super) fn whole(&self, definition: &Definition) -> impl Iterator<Item = &TableIndex> {
        self.indexes.iter().filter(|index| index.using == definition.using && index.is_valid)
    }

    /// The index of this name, whatever it is.
    pub(super) fn named(&self, name: &str) -> Option<&TableIndex> {
        self.indexes.iter().find(|index| index.name == name)
    }
}

impl TableIndex {
    /// Whether it is what the definition says.
    pub(super) fn is(&self, definition: &Definition) -> bool {
        self.using == definition.using
    }
}

/// All of them, outside in.
#[derive(Debug)]
pub(super) struct Tree(Vec<Table>);

impl Tree {
    pub(super) async fn read(client: &Client) -> Result<Self, Error> {
        Ok(Self(tables(&client.query(TREE, &[&None::<&str>]).await?)?))
    }

    /// `audit.events` itself.
    pub(super) fn root(&self) -> Option<&Table> {
        self.0.first()
    }

    pub(super) fn partitions_of(&self, table: &Table) -> impl Iterator<Item = &Table> {
        self.0.iter().filter(|other| other.parent.as_deref() == Some(&table.name))
    }

    pub(super) fn leaves(&self) -> impl Iterator<Item = &Table> {
        self.0.iter().filter(|table| table.is_leaf)
    }

    /// What the indexes of all tables are.
    pub(super) fn definitions(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|table| &table.indexes).map(|index| index.using.as_str())
    }

    /// All but the root.
    pub(super) fn partitions(&self) -> impl Iterator<Item = &Table> {
        self.0.iter().skip(1)
    }
}

/// One table as it is now; `None` = it is gone.
pub(super) async fn read_table(client: &Client, name: &str) -> Result<Option<Table>, Error> {
    Ok(tables(&client.query(TREE, &[&name]).await?)?.into_iter().next())
}

fn tables(rows: &[Row]) -> Result<Vec<Table>, Error> {
    let mut tables: Vec<Table> = Vec::new();
    for row in rows {
        let name: &str = row.try_get(0)?;
        if tables.last().is_none_or(|table| table.name != name) {
            tables.push(Table {
                name: name.to_owned(),
                parent: row.try_get(1)?,
                is_leaf: row.try_get(2)?,
                bytes: size(row.try_get(3)?),
                indexes: Vec::new(),
            });
        }
        let index: Option<String> = row.try_get(4)?;
        let using: Option<String> = row.try_get(6)?;
        if let (Some(table), Some(name), Some(using)) = (tables.last_mut(), index, using) {
            let (is_valid, parent, bytes) = (row.try_get(5)?, row.try_get(7)?, size(row.try_get(8)?));
            table.indexes.push(TableIndex { name, is_valid, using, parent, bytes });
        }
    }
    Ok(tables)
}

/// Null for what went away while the catalogue was read.
fn size(bytes: Option<i64>) -> u64 {
    bytes.unwrap_or(0).unsigned_abs()
}
