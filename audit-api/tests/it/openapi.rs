//! The OpenAPI document: committed as it is served, and true about parameters.

use std::{collections::BTreeMap, path::Path};

use audit_api::openapi;
use reqwest::StatusCode;
use serde_json::Value;
use test_support::Token;

use crate::server::{Server, encode};

/// An operation of the document.
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) definition: Value,
}

/// Every operation, as served.
pub(crate) fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&openapi::to_json(&openapi::document())).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").clone();
    let mut operations = Vec::new();
    for (path, item) in paths {
        for (method, definition) in item.as_object().expect("an item") {
            operations.push(Operation {
                method: method.clone(),
                path: path.clone(),
                definition: definition.clone(),
            });
        }
    }
    operations
}

/// Every operation that reads. Those that write have tests of their own for each of their rules.
pub(crate) fn reads() -> Vec<Operation> {
    operations().into_iter().filter(|operation| operation.method == "get").collect()
}

impl Operation {
    /// The names of its parameters in this place, with their schemas.
    pub(crate) fn parameters(&self, place: &str) -> Vec<(String, Value)> {
        let all = self.definition["parameters"].as_array().cloned().unwrap_or_default();
        all.into_iter()
            .filter(|parameter| parameter["in"] == place)
            .map(|parameter| {
                (parameter["name"].as_str().expect("a name").to_owned(), parameter["schema"].clone())
            })
            .collect()
    }

    /// The path with its parameters filled; panics for one that is not known, so that a new route is seen.
    pub(crate) fn fill(&self, values: &BTreeMap<&str, String>) -> String {
        let mut path = self.path.clone();
        for (name, _) in self.parameters("path") {
            let value = values
                .get(name.as_str())
                .unwrap_or_else(|| panic!("{}: no value for the path parameter {name}", self.path));
            path = path.replace(&format!("{{{name}}}"), &encode(value));
        }
        assert!(!path.contains('{'), "{path}");
        path
    }

    /// Whether it is one of `/v1`, or an older service's address.
    pub(crate) fn needs_a_token(&self) -> bool {
        !self.path.starts_with("/health/")
            && !["/metrics", "/audit/exports/{name}"].contains(&self.path.as_str())
    }

    /// The statuses that it documents.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        let responses = self.definition["responses"].as_object().expect("responses");
        responses.keys().map(|status| status.parse().expect("a status")).collect()
    }
}

#[test]
fn the_committed_document_is_the_derived_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let derived = openapi::to_json(&openapi::document());
    if std::env::var_os("AUDIT_UPDATE_OPENAPI").is_some() {
        std::fs::write(&file, &derived).expect("written");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == derived,
        "audit-api/openapi.json is not what the code says: look at the change, then run this test with AUDIT_UPDATE_OPENAPI=1"
    );
}

#[test]
fn the_document_is_complete() {
    let document: Value = serde_json::from_str(&openapi::to_json(&openapi::document())).expect("JSON");
    assert!(document["openapi"].as_str().expect("a version").starts_with("3.1"));
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    let documented: Vec<String> = reads().into_iter().map(|operation| operation.path).collect();
    for path in [
        "/v1/events",
        "/v1/events/{eventId}",
        "/v1/event-types",
        "/v1/stats",
        "/v1/accesses",
        "/v1/aggregates",
        "/v1/events/{eventId}/causation",
        "/v1/correlations/{correlationId}/causation",
        "/v1/aggregates/{type}/{id}",
        "/v1/aggregates/{type}/{id}/diff",
        "/v1/aggregates/{type}/{id}/events",
        "/v1/aggregates/{type}/{id}/replay",
        "/v1/replay",
        "/v1/stream",
        "/v1/ledger/records/{topic}/{partition}/{offset}",
        "/v1/dead-letters",
        "/v1/dead-letters/{id}",
        "/health/live",
        "/health/ready",
        "/metrics",
    ] {
        assert!(documented.iter().any(|known| known == path), "{path} is not documented");
    }
    let writes: Vec<(String, String)> = operations()
        .into_iter()
        .filter(|operation| operation.method != "get")
        .map(|operation| (operation.method, operation.path))
        .collect();
    for (method, path) in [("post", "/v1/events"), ("post", "/v1/dead-letters/{id}/redrive")] {
        assert!(writes.iter().any(|known| (known.0.as_str(), known.1.as_str()) == (method, path)), "{path}");
    }
    for operation in operations() {
        let definition = &operation.definition;
        assert!(
            definition["summary"].is_string() && definition["operationId"].is_string(),
            "{}",
            operation.path
        );
        for parameter in definition["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{}: {parameter}", operation.path);
        }
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().expect("quoted")) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_parameter_is_known_and_no_other() {
    let server = Server::start().await;
    let values = BTreeMap::from([
        ("eventId", "0191d4c6-7d5e-7c1a-b1a2-0f5f6f1c2d3e".to_owned()),
        ("type", "T".to_owned()),
        ("id", "1:1".to_owned()),
        ("correlationId", "c".to_owned()),
        ("topic", "t".to_owned()),
        ("partition", "0".to_owned()),
        ("offset", "0".to_owned()),
        ("userId", "u".to_owned()),
    ]);
    for operation in reads().iter().filter(|operation| operation.needs_a_token()) {
        let path = operation.fill(&values);
        for (name, _) in operation.parameters("query") {
            let answer = server.get_as(&format!("{path}?{name}=%00"), &Token::admin()).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path} {name}");
            let answer = server.get_as(&format!("{path}?{name}=x"), &Token::admin()).await;
            let text = if answer.status() == StatusCode::OK {
                String::new()
            } else {
                answer.text().await.expect("a body")
            };
            assert!(!text.contains("is not a parameter"), "{path} {name}: {text}");
        }
        let answer = server.get_as(&format!("{path}?surprise=x"), &Token::admin()).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
        let text = answer.text().await.expect("a body");
        assert!(text.contains("surprise"), "{text}");
    }
}
