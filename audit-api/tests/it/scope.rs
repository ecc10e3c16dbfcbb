//! No route shows one organisation the other's events: every operation of the OpenAPI document, every role.

use std::collections::BTreeMap;

use reqwest::header::ACCEPT;
use shared::refusal::Reason;
use test_support::{Token, canonical_event};

use crate::{
    feeder::Record,
    openapi::{Operation, reads},
    projected::project,
    server::{Server, encode},
};

/// A word that only the other organisation's events hold, wherever a word can be.
const CANARY: &str = "canary-of-other";

/// What is asked for by name: the other organisation's event, aggregate, record and dead letter.
fn values(event_id: &str) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("eventId", event_id.to_owned()),
        ("type", format!("Type-{CANARY}")),
        ("id", format!("id-{CANARY}")),
        ("correlationId", CANARY.to_owned()),
        ("topic", "audit.events".to_owned()),
        ("partition", "0".to_owned()),
        ("offset", "1".to_owned()),
        ("userId", CANARY.to_owned()),
    ])
}

/// The operation with every way to ask for what is not one's own.
fn addresses(operation: &Operation, values: &BTreeMap<&'static str, String>) -> Vec<String> {
    let mut values = values.clone();
    if operation.path.starts_with("/v1/dead-letters/") {
        values.insert("id", "1:2".to_owned());
    }
    if operation.path == "/audit/logs/{id}" {
        values.insert("id", values["eventId"].clone());
    }
    let path = operation.fill(&values);
    let mut addresses = vec![path.clone()];
    for (name, _) in operation.parameters("query") {
        let value = match name.as_str() {
            "organizationId" | "organization_id" => "other",
            "aggregateId" | "resourceId" | "resource_id" | "entityId" => "id-canary-of-other",
            "severity" => "critical",
            "type" | "eventType" | "event_type" | "aggregateType" | "resourceType" | "resource_type"
            | "entityType" => "Type-canary*",
            "userId" | "user_id" | "source" | "serviceName" | "action" | "correlationId" | "traceId"
            | "causationId" => CANARY,
            "after" => "start",
            "follow" => "false",
            "blame" | "raw" => "true",
            "sort" => "recorded",
            "order" => "asc",
            "count" => "exact",
            "limit" => "1000",
            "cluster" => "default",
            "topic" => "audit.events",
            "reason" => "undecodable",
            "integrity" => "gap",
            "version" | "fromVersion" | "toVersion" | "incarnation" | "page" => "1",
            "from" | "fromAt" | "recordedFrom" | "startDate" | "start_date" => "0001-01-01T00:00:00Z",
            "to" | "toAt" | "recordedTo" | "at" | "endDate" | "end_date" => "9999-01-01T00:00:00Z",
            "cursor" => continue,
            other => panic!(
                "{}: no value for the parameter {other}: say how it could reach another organisation",
                operation.path
            ),
        };
        addresses.push(format!("{path}?{name}={}", encode(value)));
    }
    addresses
}

/// As much of an answer as comes within a short time: a tail never ends.
async fn text(server: &Server, address: &str, accept: &str, token: &Token) -> (u16, String) {
    let answer = server.request(address, token).header(ACCEPT, accept).send().await;
    let mut answer = answer.expect("an answer");
    let (status, mut text) = (answer.status().as_u16(), String::new());
    while let Ok(Ok(Some(chunk))) =
        tokio::time::timeout(std::time::Duration::from_millis(400), answer.chunk()).await
    {
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    (status, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_shows_another_organisations_events() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let other = canonical_event(&format!("id-{CANARY}"), 1)
        .aggregate_type(&format!("Type-{CANARY}"))
        .event_type(&format!("Type-{CANARY}"))
        .organization("other")
        .payload(&serde_json::json!({ "secret": CANARY }))
        .metadata("userId", CANARY)
        .metadata("source", CANARY)
        .metadata("action", CANARY)
        .metadata("correlationId", CANARY)
        .metadata("causationId", CANARY);
    let event_id = other.clone().build().event_id;
    let own = canonical_event("own", 1).organization("acme");
    feeder.append([own.into(), Record::from(other), Record::Refused(Reason::Undecodable)]).await;
    project(&server.database).await;

    let outsiders = [
        Token::org_admin("acme"),
        Token::with_roles(&["audit:org-admin", "audit:producer"]).claim("org", "acme"),
        Token::with_roles(&["audit:org-admin"]),
        Token::with_roles(&["audit:producer"]).claim("org", "other"),
        Token::with_roles(&["audit:operator"]).claim("org", "other"),
        Token::with_roles(&[]).claim("org", "other"),
    ];
    let values = values(&event_id);
    let mut shown_to_admin = 0;
    for operation in reads().iter().filter(|operation| operation.needs_a_token()) {
        let produced: Vec<String> = operation.definition["responses"]["200"]["content"]
            .as_object()
            .expect("content")
            .keys()
            .cloned()
            .collect();
        for address in addresses(operation, &values) {
            for accept in &produced {
                for token in &outsiders {
                    let (status, text) = text(&server, &address, accept, token).await;
                    // The caller's own words come back in a refusal that names a parameter; data never do.
                    let leaked =
                        text.contains(&event_id) && status == 200 && !operation.path.contains("ledger")
                            || text.contains("\"secret\"")
                            || text.contains("\"eventType\":\"Type-canary")
                            || text.contains("\"aggregateId\":\"id-canary");
                    assert!(!leaked, "{address} as {accept} for {token:?}: {text}");
                    assert!(status < 500, "{address}: {status}");
                    let lists_nothing = operation.path.starts_with("/api/audit/entity/") && status == 200;
                    let names_one = operation.path.contains("{eventId}") || operation.path.contains("{type}");
                    if names_one && !lists_nothing {
                        assert!([403, 404].contains(&status), "{address} for {token:?}: {status}");
                    }
                }
                let (status, text) = text(&server, &address, accept, &Token::admin()).await;
                shown_to_admin += usize::from(status == 200 && text.contains(CANARY));
            }
        }
    }
    assert!(shown_to_admin > 40, "the canary can be seen where it may: {shown_to_admin}");
}
