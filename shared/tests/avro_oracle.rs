//! The decoder against `apache-avro`: what that crate writes is read here as it meant it.

use std::collections::BTreeMap;

use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Schema, reader::datum::GenericDatumReader};
use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use shared::avro::{CANONICAL_SCHEMA, WriterSchema, canonical_schema_compact, encode_canonical};
use shared::envelope::Envelope;
use shared::timestamp::Timestamp;

/// A value of some type, from which its schema, its Avro value and its JSON follow.
#[derive(Debug, Clone)]
enum Shape {
    Null,
    Boolean(bool),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Fixed(Vec<u8>),
    Enum(u32),
    Longs(Vec<Option<i64>>),
    Texts(Vec<(String, String)>),
    Optional(Option<Box<Shape>>, Box<Shape>),
    Record(Vec<Shape>),
}

fn printed(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("finite and plain")
}

impl Shape {
    /// The schema; named types get names from their place, so that no two are alike.
    fn schema(&self, place: &str) -> Json {
        match self {
            Self::Null => json!("null"),
            Self::Boolean(_) => json!("boolean"),
            Self::Int(_) => json!("int"),
            Self::Long(_) => json!("long"),
            Self::Float(_) => json!("float"),
            Self::Double(_) => json!("double"),
            Self::Text(_) => json!("string"),
            Self::Bytes(_) => json!("bytes"),
            Self::Fixed(bytes) => json!({"type": "fixed", "name": format!("F{place}"), "size": bytes.len()}),
            Self::Enum(_) => json!({"type": "enum", "name": format!("E{place}"), "symbols": ["A", "B", "C"]}),
            Self::Longs(_) => json!({"type": "array", "items": ["null", "long"]}),
            Self::Texts(_) => json!({"type": "map", "values": "string"}),
            Self::Optional(_, shape) => match &**shape {
                // A union may not hold null twice, nor another union.
                Self::Null | Self::Optional(..) => json!(["null", "string"]),
                shape => json!(["null", shape.schema(place)]),
            },
            Self::Record(fields) => {
                let fields: Vec<Json> = fields
                    .iter()
                    .enumerate()
                    .map(|(at, field)| json!({"name": format!("f{at}"), "type": field.schema(&format!("{place}_{at}"))}))
                    .collect();
                json!({"type": "record", "name": format!("R{place}"), "fields": fields})
            }
        }
    }

    fn avro(&self) -> Avro {
        match self {
            Self::Null => Avro::Null,
            Self::Boolean(value) => Avro::Boolean(*value),
            Self::Int(value) => Avro::Int(*value),
            Self::Long(value) => Avro::Long(*value),
            Self::Float(value) => Avro::Float(*value),
            Self::Double(value) => Avro::Double(*value),
            Self::Text(value) => Avro::String(value.clone()),
            Self::Bytes(value) => Avro::Bytes(value.clone()),
            Self::Fixed(value) => Avro::Fixed(value.len(), value.clone()),
            Self::Enum(index) => Avro::Enum(*index, ["A", "B", "C"][*index as usize].to_owned()),
            Self::Longs(values) => Avro::Array(
                values
                    .iter()
                    .map(|value| value.map_or(union(0, Avro::Null), |number| union(1, Avro::Long(number))))
                    .collect(),
            ),
            Self::Texts(members) => Avro::Map(
                members.iter().map(|(key, value)| (key.clone(), Avro::String(value.clone()))).collect(),
            ),
            Self::Optional(None, _) => union(0, Avro::Null),
            Self::Optional(Some(_), shape) => match &**shape {
                Self::Null | Self::Optional(..) => union(1, Avro::String("x".into())),
                shape => union(1, shape.avro()),
            },
            Self::Record(fields) => Avro::Record(
                fields.iter().enumerate().map(|(at, field)| (format!("f{at}"), field.avro())).collect(),
            ),
        }
    }

    /// The JSON text that must be stored.
    fn text(&self) -> String {
        match self {
            Self::Null | Self::Optional(None, _) => "null".to_owned(),
            Self::Boolean(value) => printed(value),
            Self::Int(value) => printed(value),
            Self::Long(value) => printed(value),
            Self::Float(value) => printed(value),
            Self::Double(value) => printed(value),
            Self::Text(value) => printed(value),
            Self::Bytes(value) | Self::Fixed(value) => format!("\"{}\"", STANDARD.encode(value)),
            Self::Enum(index) => printed(&["A", "B", "C"][*index as usize]),
            Self::Longs(values) => printed(values),
            Self::Texts(members) => printed(&members.iter().cloned().collect::<BTreeMap<_, _>>()),
            Self::Optional(Some(_), shape) => match &**shape {
                Self::Null | Self::Optional(..) => printed(&"x"),
                shape => shape.text(),
            },
            Self::Record(fields) => {
                let members: Vec<String> = fields
                    .iter()
                    .enumerate()
                    .map(|(at, field)| format!("\"f{at}\":{}", field.text()))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }
}

fn union(branch: u32, value: Avro) -> Avro {
    Avro::Union(branch, Box::new(value))
}

fn shapes() -> impl Strategy<Value = Shape> {
    let finite32 = any::<f32>().prop_filter("finite", |value| value.is_finite());
    let finite64 = any::<f64>().prop_filter("finite", |value| value.is_finite());
    let text = "\\PC{0,10}";
    let scalar = prop_oneof![
        Just(Shape::Null),
        any::<bool>().prop_map(Shape::Boolean),
        any::<i32>().prop_map(Shape::Int),
        any::<i64>().prop_map(Shape::Long),
        finite32.prop_map(Shape::Float),
        finite64.prop_map(Shape::Double),
        any::<String>().prop_map(Shape::Text),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Shape::Bytes),
        prop::collection::vec(any::<u8>(), 1..20).prop_map(Shape::Fixed),
        (0_u32..3).prop_map(Shape::Enum),
        prop::collection::vec(any::<Option<i64>>(), 0..5).prop_map(Shape::Longs),
        prop::collection::btree_map(text, text, 0..5)
            .prop_map(|members| Shape::Texts(members.into_iter().collect())),
    ];
    scalar.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            (any::<bool>(), inner.clone()).prop_map(|(present, shape)| {
                Shape::Optional(present.then(|| Box::new(Shape::Null)), Box::new(shape))
            }),
            prop::collection::vec(inner, 0..6).prop_map(Shape::Record),
        ]
    })
}

fn event_schema(payload: &Json) -> String {
    let timestamp = json!({"type": "long", "logicalType": "timestamp-micros"});
    let metadata = json!({"type": "map", "values": "string"});
    let field = |name: &str, kind: Json| json!({"name": name, "type": kind});
    let text = |name: &str| field(name, json!("string"));
    json!({"type": "record", "name": "Event", "fields": [
        text("eventId"), text("eventType"), text("aggregateType"), text("aggregateId"),
        field("timestamp", timestamp), field("version", json!("long")), field("payload", payload.clone()),
        field("metadata", metadata),
    ]})
    .to_string()
}

proptest! {
    #[test]
    fn payloads_are_rendered_as_apache_avro_wrote_them(fields in prop::collection::vec(shapes(), 0..6), version in any::<i64>()) {
        let shape = Shape::Record(fields);
        let text = event_schema(&shape.schema(""));
        let schema = Schema::parse_str(&text).expect("a schema");
        let value = Avro::Record(vec![
            ("eventId".into(), Avro::String("id".into())),
            ("eventType".into(), Avro::String("type".into())),
            ("aggregateType".into(), Avro::String("kind".into())),
            ("aggregateId".into(), Avro::String("name".into())),
            ("timestamp".into(), Avro::TimestampMicros(7)),
            ("version".into(), Avro::Long(version)),
            ("payload".into(), shape.avro()),
            ("metadata".into(), Avro::Map([("a".to_owned(), Avro::String("b".into()))].into())),
        ]);
        let datum = GenericDatumWriter::builder(&schema).build().expect("a writer").write_value_to_vec(value).expect("a datum");
        let envelope = WriterSchema::parse(&text, &[]).expect("a schema").decode(&datum).expect("read");
        prop_assert_eq!(envelope.payload, shape.text());
        prop_assert_eq!(envelope.version, version);
        prop_assert_eq!(envelope.metadata, [("a".to_owned(), "b".to_owned())].into());
    }

    #[test]
    fn what_is_read_here_apache_avro_reads_too(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), payload in "\\PC{0,20}", version in 0_i64..1000,
    ) {
        let envelope = Envelope { payload, version, ..sample() };
        let mut datum = encode_canonical(&envelope);
        let at = at.index(datum.len());
        datum[at] = byte;
        let schema = Schema::parse_str(CANONICAL_SCHEMA).expect("the canonical schema");
        if WriterSchema::parse(CANONICAL_SCHEMA, &[]).expect("the canonical schema").decode(&datum).is_ok() {
            // That crate also reads the id's form, which is checked at the door here.
            let text = CANONICAL_SCHEMA.replace(r#"{ "type": "string", "logicalType": "uuid" }"#, "\"string\"");
            let plain = Schema::parse_str(&text).expect("the canonical schema");
            prop_assert_ne!(&plain, &schema);
            let read = GenericDatumReader::builder(&plain).build().expect("a reader").read_value(&mut datum.as_slice());
            prop_assert!(read.is_ok(), "{read:?}");
        }
    }

    #[test]
    fn canonical_events_come_back(
        payload in any::<String>(), version in any::<i32>(), micros in any::<i64>(),
        names in prop::array::uniform4(any::<String>()),
        metadata in prop::collection::btree_map(any::<String>(), any::<String>(), 0..8),
    ) {
        let [event_id, event_type, aggregate_type, aggregate_id] = names;
        let timestamp = Timestamp::from_micros(micros);
        let version = version.into();
        let envelope = Envelope { event_id, event_type, aggregate_type, aggregate_id, timestamp, version, payload, metadata };
        let schema = WriterSchema::parse(&canonical_schema_compact(), &[]).expect("the canonical schema");
        prop_assert_eq!(schema.decode(&encode_canonical(&envelope)), Ok(envelope));
    }
}

fn sample() -> Envelope {
    Envelope {
        event_id: "0198b1a0-7c1d-7e3b-9a55-0c2f8d1e4a6c".into(),
        event_type: "T".into(),
        aggregate_type: "A".into(),
        aggregate_id: "a".into(),
        timestamp: Timestamp::from_micros(5),
        version: 1,
        payload: "{}".into(),
        metadata: [("k".to_owned(), "v".to_owned())].into(),
    }
}

#[test]
fn canonical_events_are_written_as_apache_avro_writes_them() {
    let envelope = sample();
    let schema = Schema::parse_str(CANONICAL_SCHEMA).expect("the canonical schema");
    let id = envelope.event_id.parse().expect("a uuid");
    let value = Avro::Record(vec![
        ("eventId".into(), Avro::Uuid(id)),
        ("eventType".into(), Avro::String(envelope.event_type.clone())),
        ("aggregateId".into(), Avro::String(envelope.aggregate_id.clone())),
        ("aggregateType".into(), Avro::String(envelope.aggregate_type.clone())),
        ("timestamp".into(), Avro::TimestampMicros(5)),
        ("version".into(), Avro::Int(1)),
        ("payload".into(), Avro::String(envelope.payload.clone())),
        ("metadata".into(), Avro::Map([("k".to_owned(), Avro::String("v".into()))].into())),
    ]);
    let written = GenericDatumWriter::builder(&schema)
        .build()
        .expect("a writer")
        .write_value_to_vec(value)
        .expect("a datum");
    assert_eq!(encode_canonical(&envelope), written);
}
