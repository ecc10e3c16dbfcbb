//! The older vocabularies: every example of the documents, and every rule, against `schemas/golden/vocabulary.json`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::envelope::{Acceptance, Envelope, accept};
use shared::event::Event;
use shared::json::ProtectedMarker;
use shared::timestamp::Timestamp;
use shared::vocabulary::{
    Action, DataAccess, Facts, Level, NAMES, OlderMessage, OlderRecord, RecordKind, Resolution,
    SecurityEvent, Severity, UnmappableReason, data_access, lookup, map, map_record, markdown, resolution,
    security_event, security_resolution,
};
use uuid::Uuid;

const FRESH: Uuid = Uuid::from_u128(0x019a_0000_0000_7000_8000_0000_0000_0001);
const RECEIVED: &str = "2026-11-21T08:00:00.000000Z";

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Golden {
    received_at: Timestamp,
    fresh_id: Uuid,
    cases: Vec<Case>,
}

#[derive(Serialize, Deserialize, Clone)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    exchange: String,
    routing_key: String,
    message_id: Option<String>,
    timestamp: Option<Timestamp>,
    redelivered: bool,
    body: String,
    expect: Value,
}

fn message(case: &Case) -> OlderMessage<'_> {
    OlderMessage {
        exchange: &case.exchange,
        routing_key: &case.routing_key,
        message_id: case.message_id.as_deref(),
        timestamp: case.timestamp,
        received_at: received(),
        redelivered: case.redelivered,
        body: case.body.as_bytes(),
    }
}

fn received() -> Timestamp {
    Timestamp::parse(RECEIVED).expect("a time")
}

/// The envelope through the door, as the ingestor would take it.
fn stored(envelope: Envelope) -> Event {
    let acceptance =
        Acceptance { now: received(), topic_organization: "", protected: ProtectedMarker::Refused };
    accept(envelope, &acceptance).expect("what is mapped passes the door")
}

fn shown(case: &Case) -> Value {
    let envelope = match map(&message(case), || FRESH) {
        Ok(envelope) => envelope,
        Err(unmappable) => {
            return json!({"unmappable": unmappable.reason.as_str(), "pointer": unmappable.pointer});
        }
    };
    let event = stored(envelope);
    let facts = Facts::from(&event);
    let mut shown = json!({
        "eventId": event.event_id, "eventType": event.event_type, "aggregateType": event.aggregate_type,
        "aggregateId": event.aggregate_id, "timestamp": event.timestamp, "version": event.version,
        "metadata": serde_json::from_str::<Value>(&event.metadata).expect("JSON"),
        "payloadIsTheMessage": serde_json::from_str::<Value>(&event.payload).ok()
            == serde_json::from_str::<Value>(&case.body).ok(),
    });
    let object = shown.as_object_mut().expect("an object");
    if let Some(found) = security_event(&facts) {
        object.insert("securityEvent".to_owned(), show_security(&found));
    }
    if let Some(found) = security_resolution(&facts) {
        object.insert("resolution".to_owned(), show_resolution(&found));
    }
    if let Some(found) = data_access(&facts) {
        object.insert("dataAccess".to_owned(), show_access(&found));
    }
    shown
}

fn show_security(found: &SecurityEvent) -> Value {
    json!({
        "id": found.id, "organizationId": found.organization_id, "eventType": found.event_type,
        "severity": found.severity.as_str(), "level": found.severity.level().as_str(), "userId": found.user_id,
        "username": found.username, "email": found.email, "description": found.description,
        "details": found.details, "ipAddress": found.ip_address, "location": found.location,
        "device": found.device, "userAgent": found.user_agent, "requiresAction": found.requires_action,
        "timestamp": found.timestamp,
    })
}

fn show_resolution(found: &Resolution) -> Value {
    json!({
        "securityEventId": found.security_event_id, "organizationId": found.organization_id,
        "resolvedAt": found.resolved_at, "notes": found.notes, "resolvedBy": found.resolved_by,
    })
}

fn show_access(found: &DataAccess) -> Value {
    json!({
        "id": found.id, "organizationId": found.organization_id, "accessorUserId": found.accessor_user_id,
        "accessorName": found.accessor_name, "accessorRole": found.accessor_role,
        "subjectUserId": found.subject_user_id, "subjectName": found.subject_name, "dataType": found.data_type,
        "fieldsAccessed": found.fields_accessed, "purpose": found.purpose,
        "justification": found.justification, "ipAddress": found.ip_address,
        "serviceName": found.service_name, "accessedAt": found.accessed_at,
    })
}

fn golden() -> Golden {
    let path = project("schemas/golden/vocabulary.json");
    let text = std::fs::read_to_string(&path).expect("the golden file");
    serde_json::from_str(&text).expect("golden cases")
}

#[test]
fn every_example_of_the_documents_becomes_the_pinned_event() {
    let mut golden = golden();
    assert_eq!((golden.received_at, golden.fresh_id), (received(), FRESH));
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for case in &mut golden.cases {
        let shown = shown(case);
        if update && case.expect.is_null() {
            case.expect = shown;
        } else {
            assert_eq!(shown, case.expect, "{}", case.name);
        }
    }
    if update {
        let text = serde_json::to_string_pretty(&golden).expect("JSON") + "\n";
        std::fs::write(project("schemas/golden/vocabulary.json"), text).expect("written");
    }
}

#[test]
fn the_page_is_the_table() {
    let path = project("docs/vocabulary.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, markdown()).expect("written");
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(page, markdown(), "run with UPDATE_GOLDEN=1 to write docs/vocabulary.md anew");
}

#[test]
fn no_name_stands_twice_and_each_is_found_as_it_is_written() {
    let names: BTreeSet<_> = NAMES.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), NAMES.len());
    for row in NAMES {
        assert_eq!(lookup(row.name), Some(row));
    }
    assert_eq!(lookup("Warehouse.Deleted").map(|row| row.name), Some("*.Deleted"));
    assert_eq!(lookup("user-created").map(|row| row.name), Some("USER_CREATED"));
    assert_eq!(lookup("OrderPlaced"), None);
}

#[test]
fn the_two_scales_hold_each_other() {
    for level in Level::ALL {
        assert_eq!(Severity::parse(level.as_str()).map(Severity::level), Some(level));
        for severity in level.severities() {
            assert_eq!(severity.level(), level);
        }
    }
    for severity in Severity::ALL {
        assert!(severity.level().severities().contains(&severity));
        assert_eq!(Severity::parse(&severity.as_str().to_uppercase()), Some(severity));
    }
    for action in Action::ALL {
        assert_eq!(Action::parse(action.in_004()), Some(action));
    }
}

fn record(kind: RecordKind, body: &str) -> Result<Event, (UnmappableReason, String)> {
    map_record(&OlderRecord { kind, received_at: received(), body: body.as_bytes() }, || FRESH)
        .map(stored)
        .map_err(|unmappable| (unmappable.reason, unmappable.pointer))
}

#[test]
fn a_record_sent_by_http_keeps_nothing_of_amqp() {
    let body = r#"{"eventType":"Update","action":"Vehicle.PriceChanged","userId":"u","entityType":"Vehicle","entityId":"v"}"#;
    let event = record(RecordKind::AuditLog, body).expect("an event");
    assert_eq!(event.event_type, "Vehicle.PriceChanged");
    assert_eq!((event.aggregate_type.as_str(), event.aggregate_id.as_str()), ("Vehicle", "v"));
    assert_eq!(event.promoted.action, "UPDATE");
    assert!(!event.metadata.contains("amqp"), "{}", event.metadata);
}

#[test]
fn a_record_that_lacks_what_its_address_needs_is_refused_with_its_place() {
    let field = UnmappableReason::FieldInvalid;
    for (kind, body, expected) in [
        (RecordKind::AuditLog, r#"{"userId":"u"}"#, (UnmappableReason::EventTypeMissing, "/eventType")),
        (RecordKind::AuditLog, r#"{"eventType":"Update"}"#, (UnmappableReason::AggregateMissing, "")),
        (RecordKind::SecurityEvent, r#"{"type":"LoginFailed"}"#, (field, "/severity")),
        (
            RecordKind::SecurityEvent,
            r#"{"severity":"Info"}"#,
            (UnmappableReason::EventTypeMissing, "/eventType"),
        ),
        (RecordKind::DataAccess, r#"{"accessorUserId":"a"}"#, (field, "/subjectUserId")),
        (
            RecordKind::DataAccess,
            r#"{"accessorUserId":"a","subjectUserId":"b","dataType":"HealthData"}"#,
            (field, "/purpose"),
        ),
    ] {
        let refused = record(kind, body).expect_err(body);
        assert_eq!((refused.0, refused.1.as_str()), expected, "{body}");
    }
}

#[test]
fn a_resolution_is_read_back_as_it_was_written() {
    let written = Resolution {
        security_event_id: FRESH,
        organization_id: "acme".to_owned(),
        resolved_at: received(),
        notes: Some("a \"false\" alarm".to_owned()),
        resolved_by: Some("ana".to_owned()),
    };
    let event = stored(resolution(&written, Uuid::nil()));
    assert_eq!(security_resolution(&Facts::from(&event)), Some(written));
    assert_eq!(security_event(&Facts::from(&event)), None);
}

#[test]
fn canonical_events_that_use_the_same_words_are_read_alike() {
    let body = r#"{"description":"a new admin"}"#;
    let mut event = record(RecordKind::AuditLog, r#"{"eventType":"Any","userId":"u"}"#).expect("an event");
    body.clone_into(&mut event.payload);
    for (metadata, severity) in [
        (r#"{"category":"security","severity":"high"}"#, Some(Severity::High)),
        (r#"{"category":"authorization","severity":"Warning"}"#, Some(Severity::Medium)),
        (r#"{"category":"security"}"#, None),
        (r#"{"category":"weather","severity":"high"}"#, None),
        (r#"{"severity":"high"}"#, None),
    ] {
        metadata.clone_into(&mut event.metadata);
        let found = security_event(&Facts::from(&event)).map(|found| found.severity);
        assert_eq!(found, severity, "{metadata}");
    }
}

/// Members that matter in many spellings, with values of every kind; what is not object is now and then.
fn body() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        prop::sample::select(vec![
            "eventType",
            "EventType",
            "event_type",
            "type",
            "action",
            "id",
            "eventId",
            "userId",
            "user_id",
            "resourceType",
            "resourceId",
            "entityType",
            "EntityId",
            "serviceName",
            "source",
            "severity",
            "timestamp",
            "created_at",
            "payload",
            "metadata",
            "organizationId",
            "accessorUserId",
            "subjectUserId",
            "status",
            "success",
            "httpStatusCode",
            "userAgent",
            "isResolved",
            "details",
        ])
        .prop_map(str::to_owned),
        ".{0,12}",
    ];
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,300}".prop_map(Value::from),
        prop::sample::select(vec![
            "Update",
            "USER_CREATED",
            "Vehicle.Sold",
            "high",
            "Info",
            "2026-01-07T10:30:00Z",
            "0000-01-01T00:00:00Z",
            "6f1c2b5e-8d1a-4f0e-9c57-1d2e3f4a5b6c",
        ])
        .prop_map(Value::from),
    ];
    let value = scalar.prop_recursive(2, 12, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z_]{1,14}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::vec((name, value), 0..10)
        .prop_map(|members| Value::Object(members.into_iter().collect()).to_string())
}

proptest! {
    #[test]
    fn whatever_is_mapped_passes_the_door_and_keeps_its_message(
        body in body(), key in "[ -~]{0,40}", redelivered: bool, id in prop::option::of(".{0,20}"),
    ) {
        let message = OlderMessage {
            exchange: "events", routing_key: &key, message_id: id.as_deref(), timestamp: None,
            received_at: received(), redelivered, body: body.as_bytes(),
        };
        let first = map(&message, || FRESH);
        prop_assert_eq!(&first, &map(&message, || FRESH), "the same again");
        if let Ok(envelope) = first {
            let event = stored(envelope);
            prop_assert_eq!(&event.payload, &body);
            let facts = Facts::from(&event);
            let _ = (security_event(&facts), security_resolution(&facts), data_access(&facts));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let message = OlderMessage {
            exchange: "", routing_key: "a.b", message_id: None, timestamp: None, received_at: received(),
            redelivered: false, body: &body,
        };
        let _ = map(&message, || FRESH);
    }

    #[test]
    fn one_message_id_is_one_event_whatever_is_delivered_again(id in ".{1,40}", other in ".{1,40}") {
        let of = |exchange: &str, id: &str| {
            let message = OlderMessage {
                exchange, routing_key: "user.created", message_id: Some(id), timestamp: None,
                received_at: received(), redelivered: true, body: br#"{"userId":"u"}"#,
            };
            map(&message, || FRESH).expect("an event").event_id
        };
        prop_assert_eq!(of("events", &id), of("events", &id));
        prop_assert_ne!(of("events", &id), of("audit.flow", &id));
        prop_assert_eq!(of("events", &id) == of("events", &other), id == other);
    }
}
