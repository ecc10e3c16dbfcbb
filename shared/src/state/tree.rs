//! The state as a tree: objects are opened, everything else is a leaf; each knows the event that set it.

use std::collections::{BTreeMap, HashMap, btree_map::Entry};
use std::sync::Arc;

use uuid::Uuid;

use super::change::Patch;
use crate::json::{Opened, push_reference};
use crate::timestamp::Timestamp;

/// What a node costs besides its texts, about, in bytes.
const NODE: usize = 96;

/// The event that set something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Which event of the fold it was, from 1.
    pub(super) step: u64,
    pub(super) event_id: Uuid,
    pub(super) version: i32,
    pub(super) timestamp: Timestamp,
    /// Empty where nobody asked, or nobody was named.
    pub(super) user_id: Box<str>,
}

/// The members of an object, by code point.
pub(super) type Members = BTreeMap<Box<str>, Node>;

/// A value of the state.
#[derive(Debug)]
pub(super) enum Node {
    Object(Object),
    Leaf(Leaf),
}

/// An object, never protected.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) members: Members,
    /// The event that made it an object, or that took its last member away.
    pub(super) set_by: Arc<Origin>,
}

/// A number, a string, a word, an array, or a protected value: what a merge patch replaces as a whole.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Its JSON text, as it came.
    pub(super) text: Box<str>,
    /// The event that set it last, to the same value too.
    pub(super) set_by: Arc<Origin>,
}

impl Node {
    fn cost(&self) -> usize {
        match self {
            Self::Object(object) => {
                NODE + object.members.iter().map(|(key, node)| key.len() + node.cost()).sum::<usize>()
            }
            Self::Leaf(leaf) => leaf_cost(&leaf.text, &leaf.set_by),
        }
    }
}

fn leaf_cost(text: &str, origin: &Origin) -> usize {
    NODE + text.len() + origin.user_id.len()
}

/// The places that lost what they had, each with the event that took it away last.
pub(super) type Removals = HashMap<String, Arc<Origin>>;

/// One patch being applied.
pub(super) struct Merge<'a> {
    pub(super) origin: &'a Arc<Origin>,
    /// About how many bytes the tree takes.
    pub(super) cost: &'a mut usize,
    pub(super) removals: Option<&'a mut Removals>,
    /// Where the patch is now.
    pub(super) pointer: String,
}

impl Merge<'_> {
    /// Applies a merge patch (RFC 7396); answers whether a member was taken away.
    pub(super) fn apply(&mut self, members: &mut Members, patch: Patch<'_>) -> bool {
        let mut removed = false;
        for (key, value) in patch {
            let length = self.pointer.len();
            push_reference(&mut self.pointer, &key);
            match value {
                Opened::Text("null") => removed |= self.remove(members, &key),
                Opened::Text(text) => self.set(members, &key, text),
                Opened::Object(patch) => self.descend(members, &key, patch),
            }
            self.pointer.truncate(length);
        }
        removed
    }

    fn remove(&mut self, members: &mut Members, key: &str) -> bool {
        let Some(node) = members.remove(key) else { return false };
        *self.cost -= key.len() + node.cost();
        self.note_removal();
        true
    }

    fn set(&mut self, members: &mut Members, key: &str, text: &str) {
        let leaf = Node::Leaf(Leaf { text: text.into(), set_by: Arc::clone(self.origin) });
        *self.cost += leaf.cost();
        match members.insert(key.into(), leaf) {
            None => *self.cost += key.len(),
            Some(before) => {
                *self.cost -= before.cost();
                if matches!(before, Node::Object(_)) {
                    self.note_removal();
                }
            }
        }
    }

    fn descend(&mut self, members: &mut Members, key: &str, patch: Patch<'_>) {
        let fresh = || Node::Object(Object { members: Members::new(), set_by: Arc::clone(self.origin) });
        let node = match members.entry(key.into()) {
            Entry::Vacant(vacant) => {
                *self.cost += key.len() + NODE;
                vacant.insert(fresh())
            }
            Entry::Occupied(occupied) => {
                let node = occupied.into_mut();
                if matches!(node, Node::Leaf(_)) {
                    *self.cost = *self.cost + NODE - node.cost();
                    *node = fresh();
                }
                node
            }
        };
        if let Node::Object(object) = node
            && self.apply(&mut object.members, patch)
            && object.members.is_empty()
        {
            object.set_by = Arc::clone(self.origin);
        }
    }

    fn note_removal(&mut self) {
        if let Some(removals) = &mut self.removals {
            if !removals.contains_key(&self.pointer) {
                *self.cost += NODE + self.pointer.len();
            }
            removals.insert(self.pointer.clone(), Arc::clone(self.origin));
        }
    }
}
