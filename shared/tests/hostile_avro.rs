//! Bytes and schemas that were made to hurt: each is refused, quickly, with its reason.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use shared::avro::{CANONICAL_SCHEMA, SchemaError, WriterSchema, encode_canonical};
use shared::envelope::Envelope;
use shared::refusal::{Reason, Refusal};
use shared::timestamp::Timestamp;

const ID: &str = "0198b1a0-7c1d-7e3b-9a55-0c2f8d1e4a6c";

/// A typed schema with this payload type.
fn schema_text(payload: &str) -> String {
    format!(
        r#"{{"type":"record","name":"Event","fields":[
        {{"name":"eventId","type":"string"}},{{"name":"eventType","type":"string"}},{{"name":"aggregateId","type":"string"}},
        {{"name":"aggregateType","type":"string"}},{{"name":"timestamp","type":{{"type":"long","logicalType":"timestamp-micros"}}}},
        {{"name":"version","type":"int"}},{{"name":"payload","type":{payload}}},
        {{"name":"metadata","type":{{"type":"map","values":"string"}}}}]}}"#
    )
}

fn schema(payload: &str) -> WriterSchema {
    WriterSchema::parse(&schema_text(payload), &[]).expect("a usable schema")
}

fn long(number: i64) -> Vec<u8> {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    let mut out = Vec::new();
    while rest >= 0x80 {
        out.push(u8::try_from(rest & 0x7F).expect("seven bits") | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).expect("seven bits"));
    out
}

fn string(text: &str) -> Vec<u8> {
    [long(i64::try_from(text.len()).expect("short")), text.as_bytes().to_vec()].concat()
}

/// A datum of [`schema`] with these bytes as its payload, and no metadata.
fn datum(payload: &[u8]) -> Vec<u8> {
    [string(ID), string("T"), string("a"), string("A"), long(0), long(1), payload.to_vec(), long(0)].concat()
}

fn reason(result: Result<Envelope, Refusal>) -> Reason {
    result.expect_err("refused").reason
}

#[test]
fn a_recursion_bomb_is_a_limit() {
    let schema =
        schema(r#"{"type":"record","name":"Node","fields":[{"name":"next","type":["null","Node"]}]}"#);
    let nested = |levels: usize| datum(&[vec![2; levels], vec![0]].concat());
    assert_eq!(reason(schema.decode(&nested(400))), Reason::LimitExceeded);
    assert_eq!(reason(schema.decode(&nested(1_000_000))), Reason::LimitExceeded);
    // 63 records within the first are 64 levels.
    let deepest = schema.decode(&nested(63)).expect("as deep as a payload may be");
    assert_eq!(deepest.payload.matches('{').count(), 64);
}

#[test]
fn a_record_that_holds_itself_ends() {
    let schema = schema(r#"{"type":"record","name":"Loop","fields":[{"name":"again","type":"Loop"}]}"#);
    assert_eq!(reason(schema.decode(&datum(&[]))), Reason::LimitExceeded);
}

#[test]
fn a_record_that_doubles_itself_ends() {
    let doubling =
        r#"{"type":"record","name":"Pair","fields":[{"name":"a","type":"Pair"},{"name":"b","type":"Pair"}]}"#;
    assert_eq!(reason(schema(doubling).decode(&datum(&[]))), Reason::LimitExceeded);
    // Without recursion: 30 records, each of two of the next, would be 2^30 values of no bytes.
    let chain = (0..30).rev().fold(r#""null""#.to_owned(), |inner, level| {
        format!(
            r#"{{"type":"record","name":"L{level}","fields":[{{"name":"a","type":{inner}}},{{"name":"b","type":{again}}}]}}"#,
            again = if level == 29 { "\"null\"".to_owned() } else { format!("\"L{}\"", level + 1) }
        )
    });
    let began = Instant::now();
    assert_eq!(reason(schema(&chain).decode(&datum(&[]))), Reason::LimitExceeded);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn items_of_no_size_count() {
    let schema = schema(
        r#"{"type":"record","name":"P","fields":[{"name":"n","type":{"type":"array","items":"null"}}]}"#,
    );
    let claimed = |count: i64| datum(&[long(count), long(0)].concat());
    assert_eq!(reason(schema.decode(&claimed(8_000_000))), Reason::LimitExceeded);
    assert_eq!(reason(schema.decode(&claimed(262_145))), Reason::LimitExceeded);
    assert_eq!(reason(schema.decode(&claimed(i64::MAX))), Reason::LimitExceeded);
    assert!(schema.decode(&claimed(262_000)).is_ok());
    let negative = |count: i64, size: i64| datum(&[long(count), long(size), long(0)].concat());
    assert!(schema.decode(&negative(-3, 0)).is_ok());
    assert_eq!(reason(schema.decode(&negative(-8_000_000, 0))), Reason::LimitExceeded);
    assert_eq!(reason(schema.decode(&negative(i64::MIN, 0))), Reason::LimitExceeded);
    assert_eq!(reason(schema.decode(&negative(-3, 1000))), Reason::Undecodable);
    assert_eq!(reason(schema.decode(&negative(-3, -1))), Reason::Undecodable);
    // Many small blocks count together.
    let blocks = [long(1000).repeat(300), long(0)].concat();
    assert_eq!(reason(schema.decode(&datum(&blocks))), Reason::LimitExceeded);
}

#[test]
fn claimed_lengths_allocate_nothing() {
    let canonical = WriterSchema::parse(CANONICAL_SCHEMA, &[]).expect("the canonical schema");
    for (length, expected) in [
        (1 << 31, Reason::LimitExceeded),
        (i64::MAX, Reason::LimitExceeded),
        (1 << 20, Reason::Undecodable),
        (-1, Reason::Undecodable),
    ] {
        assert_eq!(reason(canonical.decode(&long(length))), expected, "{length}");
    }
    let map = schema(r#"{"type":"map","values":"bytes"}"#);
    let claims = [long(1), string("k"), long(1 << 31)].concat();
    assert_eq!(reason(map.decode(&datum(&claims))), Reason::LimitExceeded);
}

#[test]
fn names_from_the_schema_cannot_swell_a_payload() {
    let name = "n".repeat(100_000);
    let swelling = format!(
        r#"{{"type":"record","name":"P","fields":[{{"name":"a","type":{{"type":"array","items":
        {{"type":"record","name":"I","fields":[{{"name":"{name}","type":"null"}}]}}}}}}]}}"#
    );
    let result = schema(&swelling).decode(&datum(&[long(100_000), long(0)].concat()));
    assert_eq!(reason(result), Reason::LimitExceeded);
}

#[test]
fn huge_decimals_are_refused_not_computed() {
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":900000,"scale":2}"#;
    let payload = format!(r#"{{"type":"record","name":"P","fields":[{{"name":"d","type":{decimal}}}]}}"#);
    let bytes = [long(1_000_000), vec![0x7F; 1_000_000]].concat();
    let began = Instant::now();
    let refusal = schema(&payload).decode(&datum(&bytes)).expect_err("too long");
    assert_eq!((refusal.reason, refusal.pointer.as_str()), (Reason::PayloadInvalid, "/d"));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let big = r#"{"type":"record","name":"P","fields":[{"name":"d","type":{"type":"bytes","logicalType":"big-decimal"}}]}"#;
    let scaled = |scale: i64| {
        let inner = [long(1), vec![5], long(scale)].concat();
        datum(&[long(i64::try_from(inner.len()).expect("short")), inner].concat())
    };
    let big = schema(big);
    assert_eq!(reason(big.decode(&scaled(i64::MIN))), Reason::PayloadInvalid);
    assert_eq!(reason(big.decode(&scaled(1_000_000_000))), Reason::PayloadInvalid);
    assert_eq!(big.decode(&scaled(3)).expect("short").payload, r#"{"d":"0.005"}"#);
    assert_eq!(big.decode(&scaled(-3)).expect("short").payload, r#"{"d":"5000"}"#);
}

#[test]
fn broken_bytes_are_undecodable() {
    let cases: [(&str, &[u8]); 8] = [
        (r#"{"type":"map","values":"boolean"}"#, &[2, 2, b'k', 2, 0]),
        (r#"{"type":"map","values":"string"}"#, &[2, 2, b'k', 2, 0xFF, 0]),
        (r#"{"type":"map","values":"string"}"#, &[2, 2, 0xC3, 2, b'v', 0]),
        (r#"{"type":"map","values":"int"}"#, &[2, 2, b'k', 0x80, 0x80, 0x80, 0x80, 0x20, 0]),
        (
            r#"{"type":"map","values":"long"}"#,
            &[2, 2, b'k', 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0],
        ),
        (r#"{"type":"map","values":["null","int"]}"#, &[2, 2, b'k', 4, 0]),
        (r#"{"type":"map","values":["null","int"]}"#, &[2, 2, b'k', 1, 0]),
        (r#"{"type":"map","values":{"type":"enum","name":"E","symbols":["A"]}}"#, &[2, 2, b'k', 2, 0]),
    ];
    for (payload, bytes) in cases {
        assert_eq!(reason(schema(payload).decode(&datum(bytes))), Reason::Undecodable, "{payload} {bytes:?}");
    }
}

#[test]
fn every_truncation_and_every_extra_byte_is_undecodable() {
    let schema = WriterSchema::parse(CANONICAL_SCHEMA, &[]).expect("the canonical schema");
    let envelope = Envelope {
        event_id: ID.into(),
        event_type: "T".into(),
        aggregate_type: "A".into(),
        aggregate_id: "a".into(),
        timestamp: Timestamp::from_micros(1_763_640_000_123_456),
        version: 300,
        payload: "{}".into(),
        metadata: [("a".to_owned(), "b".to_owned())].into(),
    };
    let whole = encode_canonical(&envelope);
    assert_eq!(schema.decode(&whole), Ok(envelope));
    for length in 0..whole.len() {
        assert_eq!(reason(schema.decode(&whole[..length])), Reason::Undecodable, "{length} bytes");
    }
    assert_eq!(reason(schema.decode(&[whole, vec![0]].concat())), Reason::Undecodable);
}

fn refused(text: &str, references: &[String]) -> SchemaError {
    let began = Instant::now();
    let error = WriterSchema::parse(text, references).expect_err("refused");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    error
}

#[test]
fn schemas_are_bounded_before_they_are_parsed() {
    let deep = |levels: usize| {
        let open = r#"{"type":"array","items":"#.repeat(levels);
        schema_text(&format!("{open}\"null\"{}", "}".repeat(levels)))
    };
    assert!(matches!(refused(&deep(200), &[]), SchemaError::TooLarge(_)));
    assert!(matches!(refused(&deep(100_000), &[]), SchemaError::TooLarge(_)));
    assert!(matches!(refused(&"[".repeat(500_000), &[]), SchemaError::TooLarge(_)));
    // As deep as is allowed, on this thread's 2 MiB: parsed, then refused for its type.
    assert_eq!(refused(&deep(95), &[]), SchemaError::FieldType("payload"));
    assert!(matches!(refused(&" ".repeat(1024 * 1024 + 1), &[]), SchemaError::TooLarge(_)));
    assert!(matches!(refused("{}", &["x".repeat(1024 * 1024)]), SchemaError::TooLarge(_)));
    let scale = r#"{"type":"map","values":{"type":"bytes","logicalType":"decimal","precision":2000000000,"scale":1000000000}}"#;
    assert!(matches!(refused(&schema_text(scale), &[]), SchemaError::TooLarge(_)));
    let types: Vec<String> = (0..20_000)
        .map(|at| format!("{{\"name\":\"f{at}\",\"type\":[\"null\",\"int\",\"long\"]}}"))
        .collect();
    let many = format!(r#"{{"type":"record","name":"P","fields":[{}]}}"#, types.join(","));
    assert!(matches!(refused(&schema_text(&many), &[]), SchemaError::TooLarge(_)));
}

#[test]
fn aliases_defaults_and_attributes_cost_nothing() {
    // apache-avro alone would keep a copy of the record, its aliases included, for each alias.
    let aliases: Vec<String> = (0..40_000).map(|at| format!("\"A{at}\"")).collect();
    let payload = format!(
        r#"{{"type":"record","name":"P","aliases":[{aliases}],"more":[{aliases}],"fields":[
        {{"name":"n","type":"long","default":"not a long","doc":"d"}}]}}"#,
        aliases = aliases.join(",")
    );
    let began = Instant::now();
    let parsed = WriterSchema::parse(&schema_text(&payload), &[]).expect("a usable schema");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(parsed.decode(&datum(&long(7))).expect("a datum").payload, r#"{"n":7}"#);
}

#[test]
fn types_within_types_cannot_multiply() {
    let fields: Vec<String> =
        (0..12_000).map(|at| format!("{{\"name\":\"f{at}\",\"type\":\"int\"}}")).collect();
    let inner = format!(r#"{{"type":"record","name":"P","fields":[{}]}}"#, fields.join(","));
    let nested = (0..25).fold(inner.clone(), |inner, level| {
        format!(r#"{{"type":"record","name":"L{level}","fields":[{{"name":"a","type":{inner}}}]}}"#)
    });
    assert!(matches!(refused(&schema_text(&nested), &[]), SchemaError::TooLarge(_)));
    assert!(WriterSchema::parse(&schema_text(&inner), &[]).is_ok());
}

#[test]
fn schemas_that_contradict_themselves_are_refused() {
    assert!(matches!(refused("", &[]), SchemaError::Invalid(_)));
    assert!(matches!(refused("{\"type\":\"record\"}", &[]), SchemaError::Invalid(_)));
    assert!(matches!(refused("\"string\"", &[]), SchemaError::Invalid(_)));
    assert!(matches!(refused(&schema_text("\"Nowhere\""), &[]), SchemaError::Invalid(_)));
    let own_name = r#"{"name":"Y","type":{"type":"record","name":"X","fields":[]}}"#.to_owned();
    let twice = vec![own_name.clone(), own_name.clone()];
    for references in
        [vec![own_name], twice, vec!["{}".to_owned()], vec!["[]".to_owned()], vec!["\"Y\"".to_owned()]]
    {
        assert!(
            matches!(refused(&schema_text("\"Y\""), &references), SchemaError::Invalid(_)),
            "{references:?}"
        );
    }
    assert_eq!(refused(&schema_text("\"int\""), &[]), SchemaError::FieldType("payload"));
    let without = schema_text(r#""string""#).replace("eventType", "kind");
    let error = refused(&without, &[]);
    assert_eq!(error, SchemaError::MissingField("eventType"));
    let refusal = Refusal::from(error);
    assert_eq!((refusal.reason, refusal.pointer.as_str()), (Reason::EnvelopeInvalid, "/eventType"));
    let plain = CANONICAL_SCHEMA.replace(r#", "logicalType": "timestamp-micros""#, "");
    assert_eq!(refused(&plain, &[]), SchemaError::FieldType("timestamp"));
}

#[test]
fn references_are_resolved_by_name() {
    let money =
        r#"{"type":"record","name":"Money","namespace":"shop","fields":[{"name":"cents","type":"long"}]}"#;
    let line =
        r#"{"type":"record","name":"Line","namespace":"shop","fields":[{"name":"price","type":"Money"}]}"#;
    let references = [money.to_owned(), line.to_owned()];
    let schema = WriterSchema::parse(&schema_text(r#"{"type":"map","values":"shop.Line"}"#), &references);
    let payload = [long(1), string("first"), long(250), long(0)].concat();
    let envelope = schema.expect("a usable schema").decode(&datum(&payload)).expect("a datum");
    assert_eq!(envelope.payload, r#"{"first":{"price":{"cents":250}}}"#);
}

const EXAMPLES: [&str; 4] = [
    CANONICAL_SCHEMA,
    include_str!("../../schemas/orders/order_placed/v1.avsc"),
    include_str!("../../schemas/inventory/stock_adjusted/v1.avsc"),
    include_str!("../../schemas/payments/payment_captured/v1.avsc"),
];

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(which in 0..EXAMPLES.len(), bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let schema = WriterSchema::parse(EXAMPLES[which], &[]).expect("an example");
        let _ = schema.decode(&bytes);
    }

    #[test]
    fn small_bytes_read_deep_and_never_panic(which in 0..EXAMPLES.len(), bytes in prop::collection::vec(0_u8..6, 0..400)) {
        let schema = WriterSchema::parse(EXAMPLES[which], &[]).expect("an example");
        let _ = schema.decode(&bytes);
    }

    #[test]
    fn arbitrary_schemas_never_panic(text in any::<String>(), reference in any::<String>()) {
        let _ = WriterSchema::parse(&text, &[reference]);
    }
}
