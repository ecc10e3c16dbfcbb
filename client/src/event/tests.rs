//! What is built, what is refused, and that nothing invalid can be built.

use proptest::prelude::*;
use serde_json::json;
use shared::{
    avro::{CANONICAL_SCHEMA, WriterSchema, unframe},
    clock::ManualClock,
    envelope::{self, Acceptance},
    json::ProtectedMarker,
};

use super::*;

fn mint() -> Mint {
    let noon = Timestamp::parse("2026-11-21T12:00:00Z").expect("a time");
    Mint::new(ManualClock::at(noon), || Uuid::from_u128(7))
}

fn order() -> EventBuilder {
    AuditEvent::named("OrderPlaced").of("Order", "order-1")
}

fn refused(builder: EventBuilder) -> (Reason, String) {
    let refusal = builder.build(&mint()).expect_err("it breaks a rule");
    (refusal.reason, refusal.pointer)
}

#[test]
fn what_is_left_out_has_a_sensible_value() {
    let event = order().build(&mint()).expect("valid");
    assert_eq!(event.id(), Uuid::from_u128(7));
    assert_eq!(event.timestamp().to_string(), "2026-11-21T12:00:00.000000Z");
    assert_eq!((event.version(), event.payload(), event.metadata().len()), (0, "{}", 0));
}

#[test]
fn each_broken_rule_is_named() {
    let day_after = Timestamp::parse("2026-11-22T12:00:00.000001Z").expect("a time");
    let long = "x".repeat(256);
    let cases = [
        (refused(AuditEvent::named("").of("Order", "1")), Reason::EnvelopeInvalid, "/eventType"),
        (refused(AuditEvent::named("A").of("Or\nder", "1")), Reason::EnvelopeInvalid, "/aggregateType"),
        (refused(AuditEvent::named("A").of("Order", long)), Reason::EnvelopeInvalid, "/aggregateId"),
        (refused(order().version(u32::MAX)), Reason::EnvelopeInvalid, "/version"),
        (refused(order().metadata("k", "v".repeat(2049))), Reason::EnvelopeInvalid, "/metadata/k"),
        (refused(order().at(day_after)), Reason::TimestampInFuture, "/timestamp"),
        (refused(order().payload(&[1])), Reason::PayloadInvalid, ""),
        (refused(order().payload(&json!({ "$protected": 1 }))), Reason::PayloadInvalid, "/$protected"),
        (refused(order().payload(&BTreeMap::from([((), 1)]))), Reason::PayloadInvalid, ""),
        (refused(order().payload(&json!({ "x": "x".repeat(MAX_RECORD_BYTES) }))), Reason::LimitExceeded, ""),
    ];
    for ((reason, pointer), expected, place) in cases {
        assert_eq!((reason, pointer.as_str()), (expected, place));
    }
}

/// 255 characters of four bytes each, twice, are over 2,000 bytes; a topic's organisation counts as well.
#[test]
fn a_key_that_fits_only_without_the_topics_organisation_is_refused() {
    let named = |bytes: usize| AuditEvent::named("A").of("\u{1F980}".repeat(250), "i".repeat(bytes));
    assert!(named(255).organization("o").build(&mint()).is_ok());
    let wide = AuditEvent::named("A").of("\u{1F980}".repeat(255), "\u{1F980}".repeat(220));
    assert_eq!(refused(wide.clone()), (Reason::EnvelopeInvalid, "/aggregateId".to_owned()));
    assert!(wide.organization("o").build(&mint()).is_ok());
}

#[test]
fn a_consequence_names_its_cause_and_stays_in_its_conversation() {
    let first = order().id(Uuid::from_u128(1)).build(&mint()).expect("valid");
    let second = order().id(Uuid::from_u128(2)).caused_by(&first).build(&mint()).expect("valid");
    let third = order().caused_by(&second).build(&mint()).expect("valid");
    let links =
        |event: &AuditEvent| ["causationId", "correlationId"].map(|key| event.metadata()[key].clone());
    let (one, two) = (first.id().to_string(), second.id().to_string());
    assert_eq!(links(&second), [one.clone(), one.clone()]);
    assert_eq!(links(&third), [two, one]);
}

/// Names that are often good and sometimes long, empty or with control characters.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[A-Za-z/ ]{1,40}",
        2 => "\\PC{1,260}",
        1 => any::<String>(),
    ]
}

fn metadata() -> impl Strategy<Value = Vec<(String, String)>> {
    let key = prop_oneof![
        "[a-z]{1,10}",
        Just("organizationId".to_owned()),
        Just("action".to_owned()),
        any::<String>()
    ];
    let value = prop_oneof!["[ -~]{0,20}", ".{0,700}", any::<String>()];
    prop::collection::vec((key, value), 0..5)
}

fn payload() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![any::<i64>().prop_map(|n| json!(n)), any::<String>().prop_map(|text| json!(text))];
    let tree = leaf.prop_recursive(70, 80, 2, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|list| json!(list)),
            prop::collection::btree_map("[a-c$]{1,2}", inner, 0..3).prop_map(|object| json!(object)),
        ]
    });
    prop_oneof![8 => tree.clone().prop_map(|value| json!({ "value": value })), 1 => tree]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// The ingestor takes whatever could be built, from its own bytes, whatever organisation the topic has.
    #[test]
    fn whatever_can_be_built_is_accepted(
        (what, kind, id) in (name(), name(), name()),
        (version, ahead) in (any::<u32>(), -1_000_000_000..100_000_000_000_i64),
        (payload, metadata) in (payload(), metadata()),
        topic_organization in "[a-z]{0,255}",
    ) {
        let now = mint().now();
        let at = Timestamp::from_micros(now.as_micros() + ahead);
        let mut builder = AuditEvent::named(what).of(kind, id).version(version).at(at).payload(&payload);
        for (key, value) in metadata {
            builder = builder.metadata(key, value);
        }
        if let Ok(event) = builder.build(&mint()) {
            let outgoing = event.clone().into_record().into_outgoing("audit.events", 7);
            let value = outgoing.value.expect("a value");
            let (_, datum) = unframe(Some(&value), None).expect("framed");
            let schema = WriterSchema::parse(CANONICAL_SCHEMA, &[]).expect("our own schema");
            let decoded = schema.decode(datum).expect("our own datum");
            prop_assert_eq!(&decoded, &event.envelope);
            let acceptance =
                Acceptance { now, topic_organization: &topic_organization, protected: ProtectedMarker::Refused };
            let accepted = envelope::accept(decoded, &acceptance);
            prop_assert!(accepted.is_ok(), "{:?}", accepted);
        }
    }
}
