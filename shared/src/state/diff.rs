//! What differs between two states of one aggregate: a JSON Patch (RFC 6902), and each change with the event behind it.

use std::sync::Arc;

use uuid::Uuid;

use super::fold::Fold;
use super::tree::{Leaf, Members, Node, Object, Origin, Removals};
use crate::json::{equal, push_reference};

/// The difference of two folds of one aggregate.
#[derive(Debug)]
pub struct Diff<'a> {
    pub(super) from: &'a Fold,
    pub(super) to: &'a Fold,
    pub(super) operations: Vec<Operation<'a>>,
    pub(super) changes: Vec<Change<'a>>,
}

/// An operation of a JSON Patch.
#[derive(Debug)]
pub(super) enum Operation<'a> {
    Add(String, &'a Node),
    Remove(String),
    Replace(String, &'a Node),
}

/// One value that differs; `None` = nothing there.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) path: String,
    pub(super) old: Option<&'a Node>,
    pub(super) new: Option<&'a Node>,
    pub(super) event_id: Option<Uuid>,
}

impl<'a> Diff<'a> {
    /// Compares; `to` was made by [`Fold::with_removals`], so that who took a value away is known.
    pub fn between(from: &'a Fold, to: &'a Fold) -> Self {
        let mut walk = Walk {
            removals: to.removals.as_ref(),
            pointer: String::new(),
            operations: Vec::new(),
            changes: Vec::new(),
        };
        walk.objects(&from.members, &to.members);
        let Walk { operations, changes, .. } = walk;
        Self { from, to, operations, changes }
    }
}

struct Walk<'a> {
    removals: Option<&'a Removals>,
    pointer: String,
    operations: Vec<Operation<'a>>,
    changes: Vec<Change<'a>>,
}

impl<'a> Walk<'a> {
    fn objects(&mut self, old: &'a Members, new: &'a Members) {
        let gone = old.keys().filter(|key| !new.contains_key(*key));
        let mut keys: Vec<_> = gone.chain(new.keys()).collect();
        keys.sort_unstable();
        for key in keys {
            self.at(key, |walk| match (old.get(key), new.get(key)) {
                (Some(Node::Object(old)), Some(Node::Object(new))) => {
                    walk.objects(&old.members, &new.members);
                }
                (Some(old), Some(new)) => walk.values(old, new),
                (Some(old), None) => walk.removed(old),
                (None, Some(new)) => walk.added(new),
                (None, None) => {}
            });
        }
    }

    fn at(&mut self, key: &str, visit: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        push_reference(&mut self.pointer, key);
        visit(self);
        self.pointer.truncate(length);
    }

    fn values(&mut self, old: &'a Node, new: &'a Node) {
        if let (Node::Leaf(old), Node::Leaf(new)) = (old, new)
            && equal(&old.text, &new.text)
        {
            return;
        }
        self.operations.push(Operation::Replace(self.pointer.clone(), new));
        let set_by = match new {
            Node::Object(object) => &object.set_by,
            Node::Leaf(leaf) => &leaf.set_by,
        };
        self.change(Some(old), Some(new), Some(set_by.event_id));
    }

    fn added(&mut self, node: &'a Node) {
        self.operations.push(Operation::Add(self.pointer.clone(), node));
        self.leaves(node, &mut |walk, leaf, set_by| walk.change(None, Some(leaf), Some(set_by.event_id)));
    }

    fn removed(&mut self, node: &'a Node) {
        self.operations.push(Operation::Remove(self.pointer.clone()));
        self.leaves(node, &mut |walk, leaf, _| {
            let remover = walk.remover();
            walk.change(Some(leaf), None, remover);
        });
    }

    /// Every leaf below, and every empty object.
    fn leaves(&mut self, node: &'a Node, visit: &mut impl FnMut(&mut Self, &'a Node, &'a Arc<Origin>)) {
        match node {
            Node::Leaf(Leaf { set_by, .. }) => visit(self, node, set_by),
            Node::Object(Object { members, set_by }) if members.is_empty() => visit(self, node, set_by),
            Node::Object(Object { members, .. }) => {
                for (key, member) in members {
                    self.at(key, |walk| walk.leaves(member, visit));
                }
            }
        }
    }

    /// The last event that took away this place, or one that it lies in.
    fn remover(&self) -> Option<Uuid> {
        let removals = self.removals?;
        let ends = self.pointer.match_indices('/').map(|(at, _)| at).skip(1).chain([self.pointer.len()]);
        let around = ends.filter_map(|end| removals.get(&self.pointer[..end]));
        around.max_by_key(|origin| origin.step).map(|origin| origin.event_id)
    }

    fn change(&mut self, old: Option<&'a Node>, new: Option<&'a Node>, event_id: Option<Uuid>) {
        self.changes.push(Change { path: self.pointer.clone(), old, new, event_id });
    }
}
