//! One pass over a datum: it is checked and rendered as it is read.

use smallvec::SmallVec;

use super::input::{Fault, Input};
use super::plan::{Field, Node, NodeId, Plan};
use super::scalar::{Scalar, scalar};
use crate::json::{MAX_DEPTH, push_reference, push_string};
use crate::refusal::{Reason, Refusal};

/// How deep records, maps and arrays may nest in a datum: a payload's depth and a few levels around it.
const MAX_DATUM_DEPTH: usize = MAX_DEPTH + 4;
/// The most bytes of a rendered payload: field names in the schema are repeated for every value.
const MAX_RENDERED: usize = 4 * 1024 * 1024;

/// Where in the envelope reading is; what is unfit there is refused with this reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    Payload,
    Metadata,
    /// Read and dropped; nothing in it is refused.
    Ignored,
}

enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

/// Reads a datum by its plan.
pub(super) struct Reader<'a> {
    pub(super) input: Input<'a>,
    plan: &'a Plan,
    zone: Zone,
    path: SmallVec<[Step<'a>; 8]>,
    /// The first broken rule; reading goes on, since bytes that are no datum at all are told apart.
    refusal: Option<Refusal>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(datum: &'a [u8], plan: &'a Plan) -> Self {
        Self { input: Input::new(datum), plan, zone: Zone::Ignored, path: SmallVec::new(), refusal: None }
    }

    /// Keeps a refusal, unless there is one already.
    pub(super) fn refuse(&mut self, refusal: impl FnOnce() -> Refusal) {
        self.refusal.get_or_insert_with(refusal);
    }

    /// The first broken rule, if any.
    pub(super) fn into_refusal(self) -> Option<Refusal> {
        self.refusal
    }

    pub(super) fn enter(&mut self, zone: Zone) {
        self.zone = zone;
    }

    /// Refuses what stands at the current place.
    pub(super) fn unfit(&mut self, detail: &'static str) {
        let (reason, mut pointer) = match self.zone {
            Zone::Payload => (Reason::PayloadInvalid, String::new()),
            Zone::Metadata => (Reason::EnvelopeInvalid, "/metadata".to_owned()),
            Zone::Ignored => return,
        };
        for step in &self.path {
            match step {
                Step::Name(name) => push_reference(&mut pointer, name),
                Step::Index(index) => push_reference(&mut pointer, &index.to_string()),
            }
        }
        self.refuse(|| Refusal::new(reason, pointer, detail));
    }

    /// Does something one level down.
    pub(super) fn at_name<T>(&mut self, name: &'a str, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(Step::Name(name));
        let result = inner(self);
        self.path.pop();
        result
    }

    /// The type that stands here: of a union, the branch that was written.
    pub(super) fn resolve(&mut self, id: NodeId) -> Result<&'a Node, Fault> {
        match self.plan.node(id) {
            Node::Union(branches) => {
                let branch = self.input.index()?;
                let id =
                    branches.get(branch).ok_or(Fault::Malformed("a union's branch that is not there"))?;
                Ok(self.plan.node(*id))
            }
            node => Ok(node),
        }
    }

    /// Reads a scalar; `None`, with nothing read, when the type is none.
    pub(super) fn scalar(&mut self, node: &'a Node) -> Result<Option<Scalar<'a>>, Fault> {
        let value = scalar(&mut self.input, node)?;
        if let Some(Scalar::Unfit(detail)) = value {
            self.unfit(detail);
        }
        Ok(value)
    }

    /// Appends the value as compact JSON; `depth` is its own, when it is a container.
    pub(super) fn render(&mut self, node: &'a Node, depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        if let Some(value) = self.scalar(node)? {
            value.push_json(out);
        } else {
            if depth > MAX_DATUM_DEPTH {
                return Err(Fault::Limit("nested deeper than a payload may be"));
            }
            match node {
                Node::Record(fields) => self.record(fields, depth, out)?,
                Node::Array(items) => self.array(*items, depth, out)?,
                Node::Map(values) => self.map(*values, depth, out)?,
                _ => return Err(Fault::Malformed("a union within a union")),
            }
        }
        if out.len() > MAX_RENDERED { Err(Fault::Limit("over 4 MiB when rendered as JSON")) } else { Ok(()) }
    }

    fn record(&mut self, fields: &'a [Field], depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.input.claim(fields.len())?;
        for (index, field) in fields.iter().enumerate() {
            out.push(if index == 0 { b'{' } else { b',' });
            push_string(out, &field.name);
            out.push(b':');
            let node = self.resolve(field.node)?;
            self.at_name(&field.name, |reader| reader.render(node, depth + 1, out))?;
        }
        out.extend_from_slice(if fields.is_empty() { b"{}" } else { b"}" });
        Ok(())
    }

    fn array(&mut self, items: NodeId, depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        out.push(b'[');
        let mut index = 0;
        loop {
            let count = self.input.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                if index > 0 {
                    out.push(b',');
                }
                let node = self.resolve(items)?;
                self.path.push(Step::Index(index));
                let result = self.render(node, depth + 1, out);
                self.path.pop();
                result?;
                index += 1;
            }
        }
        out.push(b']');
        Ok(())
    }

    /// The members are rendered as they come, then put into the order of their keys.
    fn map(&mut self, values: NodeId, depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        let start = out.len();
        let mut members = Vec::new();
        loop {
            let count = self.input.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let key = self.input.string()?;
                let member = out.len();
                push_string(out, key);
                out.push(b':');
                let node = self.resolve(values)?;
                self.at_name(key, |reader| reader.render(node, depth + 1, out))?;
                members.push((key, member - start, out.len() - start));
            }
        }
        let rendered = out.split_off(start);
        members.sort_by_key(|(key, ..)| *key);
        for pair in members.windows(2) {
            if pair[0].0 == pair[1].0 {
                self.at_name(pair[1].0, |reader| reader.unfit("the same key twice in one map"));
            }
        }
        out.push(b'{');
        for (index, (_, from, to)) in members.into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&rendered[from..to]);
        }
        out.push(b'}');
        Ok(())
    }
}
