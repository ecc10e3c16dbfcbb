//! The older services' addresses: every example of their documents is read back in its document's own shape, page by page,
//! by whom it may be.

use std::{collections::BTreeMap, path::PathBuf};

use reqwest::StatusCode;
use serde_json::Value;
use shared::{
    event::Event,
    timestamp::Timestamp,
    vocabulary::{OlderMessage, map},
};
use test_support::{Token, canonical_event};
use uuid::Uuid;

use crate::{
    feeder::{Record, event},
    server::{Server, json, problem},
};

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas/golden").join(name)
}

/// Every message of `schemas/golden/vocabulary.json` that becomes an event, as the bridge would have it stored.
pub(crate) fn examples() -> Vec<Event> {
    let text = std::fs::read_to_string(golden("vocabulary.json")).expect("the golden file");
    let given: Value = serde_json::from_str(&text).expect("JSON");
    let time = |value: &Value| value.as_str().and_then(|text| Timestamp::parse(text).ok());
    let received_at = time(&given["receivedAt"]).expect("a time");
    let mut fresh = 0_u128;
    let mut events = Vec::new();
    for case in given["cases"].as_array().expect("cases") {
        let message = OlderMessage {
            exchange: case["exchange"].as_str().expect("a name"),
            routing_key: case["routingKey"].as_str().expect("a key"),
            message_id: case["messageId"].as_str(),
            timestamp: time(&case["timestamp"]),
            received_at,
            redelivered: false,
            body: case["body"].as_str().expect("a body").as_bytes(),
        };
        fresh += 1;
        if let Ok(envelope) = map(&message, || Uuid::from_u128(fresh)) {
            let mut event = event(envelope);
            // Several examples are one record in the words of several documents.
            if events.iter().any(|known: &Event| known.event_id == event.event_id) {
                event.event_id = Uuid::from_u128(fresh << 64);
            }
            events.push(event);
        }
    }
    events
}

async fn with_examples() -> Server {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder.append(examples().into_iter().map(Record::Event)).await;
    server
}

const USER: &str = "6f1c2b5e-8d1a-4f0e-9c57-1d2e3f4a5b6c";
const SUBJECT: &str = "0b9d7c3e-52a1-4f6b-8e0d-7c1a2b3c4d5e";

/// Answers are compared with the pinned ones; with `UPDATE_GOLDEN` those that are not pinned yet are written.
pub(crate) async fn compare(server: &Server, file: &str, addresses: &[String]) {
    let path = golden(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
    let mut pinned: BTreeMap<String, Value> = serde_json::from_str(&text).expect("JSON");
    for address in addresses {
        let answer = server.json(address).await;
        match pinned.get(address) {
            Some(expected) => assert_eq!(answer, *expected, "{address}"),
            None if std::env::var_os("UPDATE_GOLDEN").is_some() => {
                drop(pinned.insert(address.clone(), answer));
            }
            None => panic!("{address} is not in {}: run with UPDATE_GOLDEN=1", path.display()),
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = serde_json::to_string_pretty(&pinned).expect("JSON") + "\n";
        std::fs::write(&path, text).expect("written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_read_back_in_its_documents_own_shape() {
    let server = with_examples().await;
    let id = "3d5b8a70-1c2e-4f93-a6b7-8c9d0e1f2a3b";
    compare(
        &server,
        "older_logs.json",
        &[
            "/logs?organization_id=acme&event_type=USER_CREATED".to_owned(),
            format!("/logs?user_id={USER}&event_type=LOGIN_*&start_date=2026-01-01T00:00:00Z"),
            "/audit/logs?userId=uuid&limit=50".to_owned(),
            format!("/audit/logs?resourceType=user&resourceId={SUBJECT}"),
            format!("/audit/logs?userId={USER}&action=UPDATE&eventType=ROLE_*"),
            "/audit/logs?resourceType=Vehicle".to_owned(),
            format!("/audit/logs/{id}"),
            format!("/audit/reports/{USER}?startDate=2025-01-01T00:00:00Z&endDate=2026-12-01T00:00:00Z"),
            "/api/audit?userId=uuid&entityType=Vehicle".to_owned(),
            "/api/audit?eventType=Update&startDate=2026-01-01T00:00:00Z&endDate=2026-01-31T00:00:00Z".to_owned(),
            "/api/audit/entity/Vehicle/vehicle-uuid".to_owned(),
            format!("/api/audit/entity/User/{SUBJECT}"),
            format!("/api/audit/user/{USER}?eventType=Http.Requested"),
            "/api/audit/search?action=Vehicle.*&serviceName=VehiclesSaleService&entityType=Vehicle&entityId=uuid".to_owned(),
            "/api/audit/search?traceId=4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_found_through_the_canonical_api() {
    let server = with_examples().await;
    for event in examples() {
        let found = server.json(&format!("/v1/events/{}", event.event_id)).await;
        assert_eq!(found["eventType"], event.event_type.as_str());
        assert_eq!(found["payload"], serde_json::from_str::<Value>(&event.payload).expect("JSON"));
        let by_001 = server.json(&format!("/audit/logs/{}", event.event_id)).await;
        assert_eq!(by_001["eventType"], event.event_type.as_str());
        assert_eq!(by_001["resourceId"], event.aggregate_id.as_str());
    }
}

const LISTS: [&str; 5] =
    ["/logs?", "/audit/logs?", "/api/audit?", "/api/audit/search?", "/api/audit/user/user-1?"];

fn items(page: &Value) -> Vec<String> {
    let items = page.get("data").or_else(|| page.get("logs")).and_then(Value::as_array).expect("items");
    let id = |item: &Value| {
        item.get("id").or_else(|| item.get("event_id")).and_then(Value::as_str).map(str::to_owned)
    };
    items.iter().map(|item| id(item).expect("an id")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn numbered_pages_hold_every_event_once() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let events: Vec<_> = (0..47).map(|n| canonical_event(&format!("o{n}"), 1)).collect();
    let mut expected: Vec<String> = events.iter().map(|event| event.clone().build().event_id).collect();
    expected.sort();
    feeder.append(events).await;
    for list in LISTS {
        let mut seen = Vec::new();
        for page in 1..=7 {
            let answer = server.json(&format!("{list}page={page}&limit=7")).await;
            let paging = answer.get("pagination").unwrap_or(&answer);
            let pages = paging.get("totalPages").or_else(|| paging.get("total_pages"));
            assert_eq!((&paging["total"], pages), (&47.into(), Some(&7.into())), "{list}");
            assert_eq!((&paging["page"], &paging["limit"]), (&page.into(), &7.into()));
            seen.extend(items(&answer));
        }
        seen.sort();
        assert_eq!(seen, expected, "{list}");
        assert!(items(&server.json(&format!("{list}page=8&limit=7")).await).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_that_there_is_a_newer_address() {
    let server = Server::start().await;
    for address in LISTS.into_iter().chain(["/audit/logs/x", "/audit/reports/u", "/logs?limit=0"]) {
        let answer = server.get(address).await;
        assert_eq!(answer.headers()["deprecation"], "@1795219200", "{address}");
        let link = answer.headers()["link"].to_str().expect("text");
        assert!(
            link.starts_with("</v1/") && link.ends_with("rel=\"successor-version\""),
            "{address}: {link}"
        );
    }
    assert!(!server.get("/v1/events").await.headers().contains_key("deprecation"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_name_themselves_and_broad_queries_their_remedy() {
    let server = Server::start().await;
    for (address, name) in [
        ("/logs?userId=u", "userId"),
        ("/logs?start_date=yesterday", "start_date"),
        ("/audit/logs?page=0", "page"),
        ("/audit/logs?limit=1001", "limit"),
        ("/audit/logs?startDate=2026-02-01T00:00:00Z&endDate=2026-01-01T00:00:00Z", "endDate"),
        ("/audit/logs/not-an-id", "id"),
        ("/audit/reports/u?startDate=x", "startDate"),
        ("/api/audit?entity=Vehicle", "entity"),
        ("/api/audit/search?action=Vehicle.Sold&eventType=Vehicle.*", "action"),
    ] {
        let body = json(server.get(address).await, StatusCode::BAD_REQUEST).await;
        assert_eq!(body["errors"][0]["parameter"], name, "{address}: {body}");
    }
    for (address, remedy) in [
        ("/logs?event_type=*x", "start_date and end_date"),
        ("/audit/logs?action=UPDATE", "resourceType and resourceId"),
        ("/api/audit?eventType=Update", "entityType and entityId"),
        ("/api/audit/search?serviceName=s", "userId"),
        ("/audit/logs?page=501", "GET /v1/events"),
    ] {
        let answer = server.get(address).await;
        let body = json(answer, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert!(body["detail"].as_str().expect("a detail").contains(remedy), "{address}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_organisations_hold_as_they_do_under_v1() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let of = |organization: &str| canonical_event("o", 1).organization(organization);
    let (own, other) = (of("acme"), of("other"));
    let (own_id, other_id) = (own.clone().build().event_id, other.clone().build().event_id);
    feeder.append([own, other]).await;
    let own_admin = Token::org_admin("acme");
    for list in LISTS {
        for (token, seen) in [
            (Token::admin(), vec![own_id.clone(), other_id.clone()]),
            (Token::with_roles(&["audit:auditor"]), vec![own_id.clone(), other_id.clone()]),
            (own_admin.clone(), vec![own_id.clone()]),
        ] {
            let mut found = items(&json(server.get_as(list, &token).await, StatusCode::OK).await);
            let mut seen = seen;
            found.sort();
            seen.sort();
            assert_eq!(found, seen, "{list}");
        }
        let organization = if list.starts_with("/logs") { "organization_id" } else { "organizationId" };
        let foreign = server.get_as(&format!("{list}{organization}=other"), &own_admin).await;
        assert_eq!(problem(foreign, StatusCode::FORBIDDEN).await, "forbidden");
    }
    for address in LISTS.into_iter().chain(["/audit/logs/x", "/audit/reports/user-1"]) {
        for roles in [&["audit:producer"][..], &["audit:operator"], &[]] {
            let answer = server.get_as(address, &Token::with_roles(roles).claim("org", "acme")).await;
            assert_eq!(problem(answer, StatusCode::FORBIDDEN).await, "forbidden", "{address}");
        }
        let anonymous = server.client.get(server.url(address)).send().await.expect("an answer");
        assert_eq!(problem(anonymous, StatusCode::UNAUTHORIZED).await, "unauthorized", "{address}");
    }
    let foreign = server.get_as(&format!("/audit/logs/{other_id}"), &own_admin).await;
    assert_eq!(problem(foreign, StatusCode::NOT_FOUND).await, "not-found");
    let period = "startDate=2026-01-01T00:00:00Z&endDate=2026-02-01T00:00:00Z";
    let report = server.get_as(&format!("/audit/reports/user-1?{period}"), &own_admin).await;
    assert_eq!(json(report, StatusCode::OK).await["totalActions"], 1);
}
