//! A writer's schema, flattened: named types are resolved once, and what reading needs stands beside each type.

use std::collections::HashMap;

use apache_avro::schema::{
    DecimalSchema, InnerDecimalSchema, Name, NamespaceRef, RecordSchema, Schema, UuidSchema,
};

use super::schema::SchemaError;

/// The most types in one schema, its references included.
const MAX_NODES: usize = 65_536;
/// The largest scale of a decimal: no longer a number than payloads may hold.
const MAX_SCALE: usize = 1000;

/// The place of a type in the plan.
pub(super) type NodeId = usize;

/// One type of the schema.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(Vec<String>),
    Array(NodeId),
    Map(NodeId),
    Record(Vec<Field>),
    Union(Vec<NodeId>),
    /// `size`: that of the fixed, else it is bytes.
    Decimal {
        scale: usize,
        size: Option<usize>,
    },
    BigDecimal,
    UuidString,
    /// `fixed`: 16 bytes, else bytes with their length.
    UuidBytes {
        fixed: bool,
    },
    Date,
    Time(Unit),
    /// `local`: of no time zone.
    Timestamp {
        unit: Unit,
        local: bool,
    },
    Duration,
}

/// The resolution of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// One field of a record.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) node: NodeId,
}

/// All types of a schema; the first is the schema itself.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    nodes: Vec<Node>,
    pub(super) root: NodeId,
}

impl Plan {
    /// Flattens a parsed schema and those it refers to.
    pub(super) fn new(schema: &Schema, references: &[Schema]) -> Result<Self, SchemaError> {
        let mut builder = Builder { nodes: Vec::new(), named: HashMap::new() };
        for reference in references {
            builder.node(reference, None)?;
        }
        let root = builder.node(schema, None)?;
        builder.finish(root)
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }
}

struct Builder {
    /// `None`: named, and its definition not yet met.
    nodes: Vec<Option<Node>>,
    named: HashMap<Name, NodeId>,
}

impl Builder {
    fn reserve(&mut self) -> Result<NodeId, SchemaError> {
        if self.nodes.len() >= MAX_NODES {
            return Err(SchemaError::TooLarge("more than 65,536 types"));
        }
        self.nodes.push(None);
        Ok(self.nodes.len() - 1)
    }

    fn add(&mut self, node: Node) -> Result<NodeId, SchemaError> {
        let id = self.reserve()?;
        self.nodes[id] = Some(node);
        Ok(id)
    }

    /// The place of a named type, whether its definition has been met or not.
    fn named(&mut self, name: &Name, namespace: NamespaceRef<'_>) -> Result<(NodeId, Name), SchemaError> {
        let name = name.fully_qualified_name(namespace).into_owned();
        if let Some(&id) = self.named.get(&name) {
            return Ok((id, name));
        }
        let id = self.reserve()?;
        self.named.insert(name.clone(), id);
        Ok((id, name))
    }

    fn define(
        &mut self,
        name: &Name,
        namespace: NamespaceRef<'_>,
        node: Node,
    ) -> Result<NodeId, SchemaError> {
        let (id, _) = self.named(name, namespace)?;
        self.nodes[id].get_or_insert(node);
        Ok(id)
    }

    /// Recursion is bounded: the text of a schema nests at most [`super::reduce::MAX_NESTING`] levels.
    fn node(&mut self, schema: &Schema, namespace: NamespaceRef<'_>) -> Result<NodeId, SchemaError> {
        let node = match schema {
            Schema::Null => Node::Null,
            Schema::Boolean => Node::Boolean,
            Schema::Int => Node::Int,
            Schema::Long => Node::Long,
            Schema::Float => Node::Float,
            Schema::Double => Node::Double,
            Schema::Bytes => Node::Bytes,
            Schema::String => Node::String,
            Schema::Array(array) => Node::Array(self.node(&array.items, namespace)?),
            Schema::Map(map) => Node::Map(self.node(&map.types, namespace)?),
            Schema::Union(union) => Node::Union(
                union
                    .variants()
                    .iter()
                    .map(|variant| self.node(variant, namespace))
                    .collect::<Result<_, _>>()?,
            ),
            Schema::Record(record) => return self.record(record, namespace),
            Schema::Enum(given) => {
                return self.define(&given.name, namespace, Node::Enum(given.symbols.clone()));
            }
            Schema::Fixed(fixed) => return self.define(&fixed.name, namespace, Node::Fixed(fixed.size)),
            Schema::Decimal(decimal) => return self.decimal(decimal, namespace),
            Schema::BigDecimal => Node::BigDecimal,
            Schema::Uuid(UuidSchema::String) => Node::UuidString,
            Schema::Uuid(UuidSchema::Bytes) => Node::UuidBytes { fixed: false },
            Schema::Uuid(UuidSchema::Fixed(fixed)) => {
                return self.define(&fixed.name, namespace, Node::UuidBytes { fixed: true });
            }
            Schema::Duration(fixed) => return self.define(&fixed.name, namespace, Node::Duration),
            Schema::Ref { name } => return Ok(self.named(name, namespace)?.0),
            Schema::Date => Node::Date,
            Schema::TimeMillis => Node::Time(Unit::Millis),
            Schema::TimeMicros => Node::Time(Unit::Micros),
            Schema::TimestampMillis => Node::Timestamp { unit: Unit::Millis, local: false },
            Schema::TimestampMicros => Node::Timestamp { unit: Unit::Micros, local: false },
            Schema::TimestampNanos => Node::Timestamp { unit: Unit::Nanos, local: false },
            Schema::LocalTimestampMillis => Node::Timestamp { unit: Unit::Millis, local: true },
            Schema::LocalTimestampMicros => Node::Timestamp { unit: Unit::Micros, local: true },
            Schema::LocalTimestampNanos => Node::Timestamp { unit: Unit::Nanos, local: true },
        };
        self.add(node)
    }

    fn record(&mut self, record: &RecordSchema, namespace: NamespaceRef<'_>) -> Result<NodeId, SchemaError> {
        let (id, name) = self.named(&record.name, namespace)?;
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            fields
                .push(Field { name: field.name.clone(), node: self.node(&field.schema, name.namespace())? });
        }
        self.nodes[id].get_or_insert(Node::Record(fields));
        Ok(id)
    }

    fn decimal(
        &mut self,
        decimal: &DecimalSchema,
        namespace: NamespaceRef<'_>,
    ) -> Result<NodeId, SchemaError> {
        if decimal.scale > MAX_SCALE {
            return Err(SchemaError::TooLarge("a decimal's scale is over 1,000"));
        }
        match &decimal.inner {
            InnerDecimalSchema::Bytes => self.add(Node::Decimal { scale: decimal.scale, size: None }),
            InnerDecimalSchema::Fixed(fixed) => {
                let node = Node::Decimal { scale: decimal.scale, size: Some(fixed.size) };
                self.define(&fixed.name, namespace, node)
            }
        }
    }

    fn finish(self, root: NodeId) -> Result<Plan, SchemaError> {
        let undefined = self.named.iter().find(|(_, id)| self.nodes[**id].is_none());
        if let Some((name, _)) = undefined {
            return Err(SchemaError::Invalid(format!("the type {} is not defined", name.fullname(None))));
        }
        let nodes = self.nodes.into_iter().map(|node| node.expect("unnamed types are added whole")).collect();
        Ok(Plan { nodes, root })
    }
}
