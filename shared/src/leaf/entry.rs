//! The entry of one append: the leaf of the ledger's own tree.

use crate::jcs::{Object, name};
use crate::position::LogName;
use crate::timestamp::Timestamp;

/// One row of `appends`: one batch of one log. Entry n of the ledger is append n (semantics.md 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendEntry<'a> {
    /// The append's number: dense, in commit order.
    pub append_no: i64,
    /// The log it moved.
    pub log: &'a LogName,
    /// The log's position before.
    pub from_offset: i64,
    /// The log's position after.
    pub next_offset: i64,
    /// Offsets stored.
    pub stored: i64,
    /// Offsets that were duplicates.
    pub duplicate: i64,
    /// Offsets dead-lettered.
    pub dead_lettered: i64,
    /// Offsets skipped.
    pub skipped: i64,
    /// The RFC 6962 root over the leaves of its offsets.
    pub root: [u8; 32],
    /// The transaction's time, the same in its rows.
    pub recorded_at: Timestamp,
}

impl AppendEntry<'_> {
    /// The entry's text: RFC 8785 of strings only.
    pub fn to_text(&self) -> String {
        let mut object = Object::with_capacity(384);
        object.number(name!("append"), self.append_no);
        object.number(name!("deadLettered"), self.dead_lettered);
        object.number(name!("duplicate"), self.duplicate);
        object.number(name!("from"), self.from_offset);
        object.number(name!("incarnation"), self.log.incarnation);
        object.number(name!("next"), self.next_offset);
        object.number(name!("partition"), self.log.partition);
        object.time(name!("recordedAt"), self.recorded_at);
        object.hex(name!("root"), &self.root);
        object.number(name!("skipped"), self.skipped);
        object.number(name!("stored"), self.stored);
        object.text(name!("topic"), &self.log.topic);
        object.plain(name!("v"), "1");
        object.finish_text()
    }

    /// The hash of this entry as a leaf of the ledger.
    pub fn leaf_hash(&self) -> [u8; 32] {
        super::leaf_hash(&self.to_text())
    }
}
