//! The older addresses that read what the projector keeps: security events, data accesses, the reports over them.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::Value;
use service::Health;
use test_support::{Role, Token};

use crate::{
    feeder::Record,
    older::{compare, examples},
    server::{Server, json, problem},
};

const USER: &str = "6f1c2b5e-8d1a-4f0e-9c57-1d2e3f4a5b6c";
const SUBJECT: &str = "0b9d7c3e-52a1-4f6b-8e0d-7c1a2b3c4d5e";

/// A projector beside the API, until it is dropped.
pub(crate) struct Projecting {
    shutdown: service::Shutdown,
}

impl Projecting {
    pub(crate) fn beside(server: &Server) -> Self {
        let shutdown = service::Shutdown::new();
        let settings = projector::Settings {
            database_url: server.database.database_url(Role::Projector),
            batch_max_events: 1000,
            poll: std::time::Duration::from_millis(20),
        };
        let stop = shutdown.clone();
        tokio::spawn(async move {
            projector::run(settings, &Health::new(), stop).await.expect("the projector");
        });
        Self { shutdown }
    }
}

impl Drop for Projecting {
    fn drop(&mut self) {
        self.shutdown.request_immediate();
    }
}

/// Every example of the documents, stored and projected.
async fn with_examples() -> (Arc<Server>, Projecting) {
    let server = Arc::new(Server::start().await);
    let mut feeder = server.feeder().await;
    let head = feeder.append(examples().into_iter().map(Record::Event)).await;
    assert!(!head.is_empty());
    let projecting = Projecting::beside(&server);
    let all = async {
        loop {
            let seen = server.json("/audit/security-events").await["total"].as_u64();
            let accesses = server.json("/api/audit/compliance/gdpr").await["totalAccesses"].as_u64();
            if seen >= Some(20) && accesses == Some(2) {
                break;
            }
        }
    };
    crate::server::soon("the projections", all).await;
    (server, projecting)
}

#[tokio::test(flavor = "multi_thread")]
async fn security_events_and_data_accesses_are_read_back_in_their_documents_shapes() {
    let (server, _projecting) = with_examples().await;
    compare(
        &server,
        "older_projected.json",
        &[
            "/audit/security-events?severity=medium&startDate=2026-02-01T00:00:00Z&endDate=2026-03-01T00:00:00Z".to_owned(),
            "/audit/security-events?severity=high&limit=50".to_owned(),
            format!("/api/audit/security?severity=Warning&userId={USER}&endDate=2026-03-01T00:00:00Z"),
            "/api/audit/security?type=DataBreach".to_owned(),
            "/api/audit/security?type=Suspicious*".to_owned(),
            "/api/audit/security/unresolved".to_owned(),
            format!("/api/audit/data-access/user/{SUBJECT}"),
            format!("/api/audit/data-access/accessor/{USER}?startDate=2026-01-01T00:00:00Z&endDate=2026-02-01T00:00:00Z"),
        ],
    )
    .await;
    let mut report = server.json(&format!("/api/audit/compliance/gdpr?userId={SUBJECT}")).await;
    assert!(report["generatedAt"].take().is_string());
    assert_eq!(report["totalAccesses"], 2);
    assert_eq!(report["byPurpose"]["CustomerSupport"], 2);
    assert_eq!(report["byAccessor"][USER], 2);
    assert_eq!(report["accesses"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbered_pages_of_projections_hold_every_row_once() {
    let (server, _projecting) = with_examples().await;
    for list in ["/audit/security-events?", "/api/audit/security?", "/api/audit/security?severity=Warning&"] {
        let total = |body: &Value| {
            body.get("total").or_else(|| body["pagination"].get("total")).and_then(Value::as_u64)
        };
        let whole = server.json(&format!("{list}limit=1000")).await;
        let ids = |body: &Value| -> Vec<String> {
            let items = body["data"].as_array().expect("items");
            items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
        };
        assert_eq!(total(&whole), Some(ids(&whole).len() as u64));
        let mut paged = Vec::new();
        for page in 1..=ids(&whole).len().div_ceil(3) {
            paged.extend(ids(&server.json(&format!("{list}page={page}&limit=3")).await));
        }
        assert_eq!(paged, ids(&whole), "{list}");
        assert!(ids(&server.json(&format!("{list}page=100&limit=3")).await).is_empty());
    }
}

const READS: [&str; 6] = [
    "/audit/security-events",
    "/api/audit/security",
    "/api/audit/security/unresolved",
    "/api/audit/data-access/user/u",
    "/api/audit/data-access/accessor/u",
    "/api/audit/compliance/gdpr",
];

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_parameters_hold_there_too() {
    let server = Server::start().await;
    for address in READS.into_iter().chain(["/api/audit/compliance/retention"]) {
        for roles in [&["audit:producer"][..], &["audit:operator"], &[]] {
            let answer = server.get_as(address, &Token::with_roles(roles).claim("org", "acme")).await;
            assert_eq!(problem(answer, StatusCode::FORBIDDEN).await, "forbidden", "{address}");
        }
        for token in [Token::admin(), Token::org_admin("acme"), Token::with_roles(&["audit:auditor"])] {
            let answer = server.get_as(address, &token).await;
            assert_eq!(answer.headers()["deprecation"], "@1795219200", "{address}");
            json(answer, StatusCode::OK).await;
        }
        let body = json(server.get(&format!("{address}?surprise=1")).await, StatusCode::BAD_REQUEST).await;
        assert_eq!(body["errors"][0]["parameter"], "surprise", "{address}");
    }
    for address in READS {
        let foreign =
            server.get_as(&format!("{address}?organizationId=other"), &Token::org_admin("acme")).await;
        assert_eq!(problem(foreign, StatusCode::FORBIDDEN).await, "forbidden", "{address}");
    }
    let check = server.json("/api/audit/compliance/retention").await;
    assert_eq!(check["compliant"], false);
    assert_eq!(check["policies"][1]["policy"], "SecurityEvents");
    for (address, name) in [
        ("/audit/security-events?severity=Warning", "severity"),
        ("/api/audit/security?severity=low", "severity"),
        ("/api/audit/compliance/gdpr?startDate=x", "startDate"),
    ] {
        let body = json(server.get(address).await, StatusCode::BAD_REQUEST).await;
        assert_eq!(body["errors"][0]["parameter"], name, "{address}: {body}");
    }
}
