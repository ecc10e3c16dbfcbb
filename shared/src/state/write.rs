//! States, blames and diffs as JSON text, straight from the values' own texts.

use std::sync::Arc;

use uuid::Uuid;

use super::diff::{Change, Diff, Operation};
use super::fold::Fold;
use super::tree::{Members, Node, Object, Origin};
use crate::json::{push_integer, push_reference, push_string};

/// Which aggregate an answer is about.
#[derive(Debug, Clone, Copy)]
pub struct AggregateName<'a> {
    /// Its kind.
    pub aggregate_type: &'a str,
    /// Its id.
    pub aggregate_id: &'a str,
    /// Its organisation; `""` = none.
    pub organization_id: &'a str,
}

impl AggregateName<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"aggregateType\":");
        push_string(out, self.aggregate_type);
        out.extend_from_slice(b",\"aggregateId\":");
        push_string(out, self.aggregate_id);
        out.extend_from_slice(b",\"organizationId\":");
        push_string(out, self.organization_id);
    }
}

impl Fold {
    /// Appends the answer of semantics.md 10, with blame where it was asked for.
    pub fn write_json(&self, name: &AggregateName<'_>, blame: bool, out: &mut Vec<u8>) {
        name.write(out);
        out.push(b',');
        self.write_place(out);
        out.extend_from_slice(b",\"state\":");
        write_members(&self.members, out);
        out.extend_from_slice(b",\"integrity\":{\"gaps\":[");
        separated(out, &self.faults.gaps, |out, (first, last)| {
            out.push(b'[');
            push_integer(out, *first);
            out.push(b',');
            push_integer(out, *last);
            out.push(b']');
        });
        out.extend_from_slice(b"],\"forks\":[");
        separated(out, &self.faults.forks, |out, fork| push_integer(out, *fork));
        out.extend_from_slice(b"]}");
        if blame {
            out.extend_from_slice(b",\"blame\":{");
            let mut first = true;
            write_blame(&self.members, &mut String::new(), &mut first, out);
            out.push(b'}');
        }
        out.push(b'}');
    }

    /// Up to where it was folded; members without the braces around them.
    fn write_place(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"version\":");
        push_integer(out, self.version);
        out.extend_from_slice(b",\"at\":");
        match self.at {
            None => out.extend_from_slice(b"null"),
            Some(at) => {
                out.push(b'"');
                at.write_to(out);
                out.push(b'"');
            }
        }
        out.extend_from_slice(b",\"eventCount\":");
        push_integer(out, self.events);
        out.extend_from_slice(b",\"deleted\":");
        out.extend_from_slice(if self.deleted { b"true" } else { b"false" });
    }
}

impl Diff<'_> {
    /// Appends the answer of semantics.md 10.
    pub fn write_json(&self, name: &AggregateName<'_>, out: &mut Vec<u8>) {
        name.write(out);
        for (side, fold) in [("from", self.from), ("to", self.to)] {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(side.as_bytes());
            out.extend_from_slice(b"\":{");
            fold.write_place(out);
            out.push(b'}');
        }
        out.extend_from_slice(b",\"patch\":[");
        separated(out, &self.operations, write_operation);
        out.extend_from_slice(b"],\"changes\":[");
        separated(out, &self.changes, write_change);
        out.extend_from_slice(b"]}");
    }
}

fn separated<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}

fn write_members(members: &Members, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (key, node)) in members.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_string(out, key);
        out.push(b':');
        write_node(node, out);
    }
    out.push(b'}');
}

fn write_node(node: &Node, out: &mut Vec<u8>) {
    match node {
        Node::Object(object) => write_members(&object.members, out),
        Node::Leaf(leaf) => out.extend_from_slice(leaf.text.as_bytes()),
    }
}

/// Every leaf, and every empty object, with the event that set it.
fn write_blame(members: &Members, pointer: &mut String, first: &mut bool, out: &mut Vec<u8>) {
    for (key, node) in members {
        let length = pointer.len();
        push_reference(pointer, key);
        match node {
            Node::Object(Object { members, .. }) if !members.is_empty() => {
                write_blame(members, pointer, first, out);
            }
            Node::Object(Object { set_by, .. }) => write_blamed(pointer, set_by, first, out),
            Node::Leaf(leaf) => write_blamed(pointer, &leaf.set_by, first, out),
        }
        pointer.truncate(length);
    }
}

fn write_blamed(pointer: &str, set_by: &Arc<Origin>, first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::take(first) {
        out.push(b',');
    }
    push_string(out, pointer);
    out.extend_from_slice(b":{\"eventId\":");
    push_id(out, Some(set_by.event_id));
    out.extend_from_slice(b",\"version\":");
    push_integer(out, set_by.version);
    out.extend_from_slice(b",\"timestamp\":\"");
    set_by.timestamp.write_to(out);
    out.extend_from_slice(b"\",\"userId\":");
    match &*set_by.user_id {
        "" => out.extend_from_slice(b"null"),
        user => push_string(out, user),
    }
    out.push(b'}');
}

fn write_operation(out: &mut Vec<u8>, operation: &Operation<'_>) {
    let (word, path, value) = match operation {
        Operation::Add(path, value) => ("add", path, Some(value)),
        Operation::Remove(path) => ("remove", path, None),
        Operation::Replace(path, value) => ("replace", path, Some(value)),
    };
    out.extend_from_slice(b"{\"op\":");
    push_string(out, word);
    out.extend_from_slice(b",\"path\":");
    push_string(out, path);
    if let Some(value) = value {
        out.extend_from_slice(b",\"value\":");
        write_node(value, out);
    }
    out.push(b'}');
}

fn write_change(out: &mut Vec<u8>, change: &Change<'_>) {
    out.extend_from_slice(b"{\"path\":");
    push_string(out, &change.path);
    for (name, value) in [("old", change.old), ("new", change.new)] {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        match value {
            None => out.extend_from_slice(b"null"),
            Some(node) => write_node(node, out),
        }
    }
    out.extend_from_slice(b",\"eventId\":");
    push_id(out, change.event_id);
    out.push(b'}');
}

fn push_id(out: &mut Vec<u8>, id: Option<Uuid>) {
    let Some(id) = id else { return out.extend_from_slice(b"null") };
    out.push(b'"');
    out.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    out.push(b'"');
}
