//! The envelope's fields, read from whatever types a producer's schema gives them.

use std::borrow::Cow;

use super::input::Fault;
use super::plan::{Node, NodeId, Plan};
use super::read::{Reader, Zone};
use super::scalar::{Scalar, uuid};
use super::schema::SchemaError;
use crate::envelope::{BorrowedEnvelope, Envelope, SortedPairs, invalid};
use crate::json::{Keys, ObjectKeys};
use crate::refusal::{Reason, Refusal};
use crate::timestamp::Timestamp;

/// Room that is made at once for metadata.
const USUAL_ENTRIES: usize = 8;

/// What a field of the top-level record is to the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    EventId,
    EventType,
    AggregateType,
    AggregateId,
    Timestamp,
    Version,
    Payload,
    Metadata,
    /// Not of the envelope: read and dropped, as Avro's own rules for unknown fields say.
    Other,
}

impl Role {
    const NAMED: [(Self, &'static str); 8] = [
        (Self::EventId, "eventId"),
        (Self::EventType, "eventType"),
        (Self::AggregateType, "aggregateType"),
        (Self::AggregateId, "aggregateId"),
        (Self::Timestamp, "timestamp"),
        (Self::Version, "version"),
        (Self::Payload, "payload"),
        (Self::Metadata, "metadata"),
    ];

    fn of(name: &str) -> Self {
        Self::NAMED.into_iter().find(|(_, own)| *own == name).map_or(Self::Other, |(role, _)| role)
    }

    /// Whether a field of this type can give the role its value.
    fn takes(self, node: &Node) -> bool {
        match self {
            Self::EventId | Self::EventType | Self::AggregateType | Self::AggregateId => {
                matches!(node, Node::String | Node::Enum(_) | Node::UuidString | Node::UuidBytes { .. })
            }
            Self::Timestamp => matches!(node, Node::Timestamp { local: false, .. } | Node::String),
            Self::Version => matches!(node, Node::Int | Node::Long),
            Self::Payload => matches!(node, Node::String | Node::Record(_) | Node::Map(_)),
            Self::Metadata => matches!(node, Node::Record(_) | Node::Map(_)),
            Self::Other => true,
        }
    }
}

/// The roles of the top-level record's fields, in the order of the datum.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    fields: Vec<(Role, NodeId)>,
}

impl Layout {
    /// Checks that the schema is a record with every field of the envelope, of a type that can be read.
    pub(super) fn new(plan: &Plan) -> Result<Self, SchemaError> {
        let Node::Record(fields) = plan.node(plan.root) else {
            return Err(SchemaError::Invalid("an event's schema must be a record".to_owned()));
        };
        let fields: Vec<_> = fields.iter().map(|field| (Role::of(&field.name), field.node)).collect();
        for (role, name) in Role::NAMED {
            let Some((_, id)) = fields.iter().find(|(own, _)| *own == role) else {
                return Err(SchemaError::MissingField(name));
            };
            let fits = match plan.node(*id) {
                Node::Union(branches) => branches.iter().any(|branch| role.takes(plan.node(*branch))),
                node => role.takes(node),
            };
            if !fits {
                return Err(SchemaError::FieldType(name));
            }
        }
        Ok(Self { fields })
    }

    /// Reads a datum to its end.
    pub(super) fn read<'a>(&self, plan: &'a Plan, datum: &'a [u8]) -> Result<BorrowedEnvelope<'a>, Refusal> {
        let mut reader = Reader::new(datum, plan);
        let mut envelope = Envelope {
            event_id: Cow::default(),
            event_type: Cow::default(),
            aggregate_type: Cow::default(),
            aggregate_id: Cow::default(),
            timestamp: Timestamp::default(),
            version: 0,
            payload: Cow::default(),
            metadata: SortedPairs::of(Vec::new()),
        };
        for &(role, node) in &self.fields {
            read_field(&mut reader, role, node, &mut envelope).map_err(refusal_of)?;
        }
        if !reader.input.is_empty() {
            return Err(refusal_of(Fault::Malformed("bytes are left over after it")));
        }
        reader.into_refusal().map_or(Ok(envelope), Err)
    }
}

fn refusal_of(fault: Fault) -> Refusal {
    let (reason, detail) = match fault {
        Fault::Malformed(detail) => (Reason::Undecodable, detail),
        Fault::Limit(detail) => (Reason::LimitExceeded, detail),
    };
    Refusal::new(reason, "", format!("the Avro datum: {detail}"))
}

fn read_field<'a>(
    reader: &mut Reader<'a>,
    role: Role,
    id: NodeId,
    into: &mut BorrowedEnvelope<'a>,
) -> Result<(), Fault> {
    reader.input.claim(1)?;
    let node = reader.resolve(id)?;
    match role {
        Role::EventId => into.event_id = text(reader, node, "/eventId")?,
        Role::EventType => into.event_type = text(reader, node, "/eventType")?,
        Role::AggregateType => into.aggregate_type = text(reader, node, "/aggregateType")?,
        Role::AggregateId => into.aggregate_id = text(reader, node, "/aggregateId")?,
        Role::Timestamp => into.timestamp = timestamp(reader, node)?,
        Role::Version => match node {
            Node::Int => into.version = reader.input.int()?.into(),
            Node::Long => into.version = reader.input.long()?,
            other => wrong_type(reader, other, "/version")?,
        },
        Role::Payload => into.payload = payload(reader, node)?,
        Role::Metadata => into.metadata = metadata(reader, node)?,
        Role::Other => skip(reader, node)?,
    }
    Ok(())
}

/// Reads past a value.
fn skip<'a>(reader: &mut Reader<'a>, node: &'a Node) -> Result<(), Fault> {
    reader.enter(Zone::Ignored);
    reader.render(node, 2, &mut Vec::new())
}

/// Refuses a branch of a union that the field cannot be, null among them.
fn wrong_type<'a>(reader: &mut Reader<'a>, node: &'a Node, pointer: &str) -> Result<(), Fault> {
    skip(reader, node)?;
    let detail =
        if matches!(node, Node::Null) { "is null" } else { "has a type that this field cannot have" };
    reader.refuse(|| invalid(pointer, detail));
    Ok(())
}

fn text<'a>(reader: &mut Reader<'a>, node: &'a Node, pointer: &str) -> Result<Cow<'a, str>, Fault> {
    match node {
        // The id's own text is kept, for the check of its form.
        Node::String | Node::UuidString => Ok(reader.input.string()?.into()),
        Node::UuidBytes { fixed } => Ok(uuid(&mut reader.input, *fixed)?.hyphenated().to_string().into()),
        Node::Enum(_) => match reader.scalar(node)? {
            Some(Scalar::Text(symbol)) => Ok(symbol),
            _ => Ok(Cow::default()),
        },
        other => wrong_type(reader, other, pointer).map(|()| Cow::default()),
    }
}

fn timestamp<'a>(reader: &mut Reader<'a>, node: &'a Node) -> Result<Timestamp, Fault> {
    match node {
        Node::Timestamp { unit, local: false } => {
            Ok(Timestamp::from_micros(unit.micros(reader.input.long()?)))
        }
        Node::String => {
            let parsed = Timestamp::parse(reader.input.string()?);
            Ok(parsed.unwrap_or_else(|error| {
                reader.refuse(|| invalid("/timestamp", error.to_string()));
                Timestamp::default()
            }))
        }
        other => wrong_type(reader, other, "/timestamp").map(|()| Timestamp::default()),
    }
}

/// JSON text as it came, or a record or map rendered.
fn payload<'a>(reader: &mut Reader<'a>, node: &'a Node) -> Result<Cow<'a, str>, Fault> {
    match node {
        Node::String => Ok(reader.input.string()?.into()),
        Node::Record(_) | Node::Map(_) => {
            reader.enter(Zone::Payload);
            let mut out = Vec::with_capacity(512);
            reader.render(node, 1, &mut out)?;
            Ok(String::from_utf8(out).expect("rendered from strings and ASCII").into())
        }
        other => {
            skip(reader, other)?;
            let refusal = || {
                Refusal::new(
                    Reason::PayloadInvalid,
                    "",
                    "the payload must be a JSON object, a record or a map",
                )
            };
            reader.refuse(refusal);
            Ok(Cow::default())
        }
    }
}

fn metadata<'a>(reader: &mut Reader<'a>, node: &'a Node) -> Result<SortedPairs<Cow<'a, str>>, Fault> {
    let mut entries = Entries::none();
    reader.enter(Zone::Metadata);
    match node {
        Node::Map(values) => loop {
            let count = reader.input.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let key = reader.input.string()?;
                let value = reader.resolve(*values)?;
                reader.at_name(key, |reader| entries.read(reader, key, value))?;
            }
        },
        Node::Record(fields) => {
            reader.input.claim(fields.len())?;
            for field in fields {
                let value = reader.resolve(field.node)?;
                reader.at_name(&field.name, |reader| entries.read(reader, &field.name, value))?;
            }
        }
        other => wrong_type(reader, other, "/metadata")?,
    }
    Ok(SortedPairs::of(entries.pairs))
}

/// The metadata that was read.
struct Entries<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    stack: Keys<'a>,
    keys: ObjectKeys<'a>,
}

impl<'a> Entries<'a> {
    fn none() -> Self {
        let stack = Keys::default();
        Self { pairs: Vec::with_capacity(USUAL_ENTRIES), keys: stack.open(), stack }
    }

    /// One value, as text; null is left out.
    fn read(&mut self, reader: &mut Reader<'a>, key: &'a str, node: &'a Node) -> Result<(), Fault> {
        let text = match reader.scalar(node)? {
            Some(Scalar::Null | Scalar::Unfit(_)) => return Ok(()),
            Some(Scalar::Text(text)) => text,
            Some(Scalar::Boolean(value)) => Cow::Borrowed(if value { "true" } else { "false" }),
            Some(Scalar::Integer(number)) => Cow::Owned(number.to_string()),
            Some(Scalar::Float(text)) => Cow::Owned(text),
            None => {
                reader.unfit("must be a scalar: metadata values are text");
                skip(reader, node)?;
                reader.enter(Zone::Metadata);
                return Ok(());
            }
        };
        if self.stack.add(&mut self.keys, key.into()) {
            self.pairs.push((key.into(), text));
        } else {
            reader.unfit("the same key twice");
        }
        Ok(())
    }
}
