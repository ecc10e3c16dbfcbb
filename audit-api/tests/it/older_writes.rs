//! Writing by the older addresses: what is recorded becomes an event, is answered in its document's shape, and is read
//! back by its own address and by the canonical one.

use std::{sync::Arc, time::Duration};

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use shared::avro::{CANONICAL_SCHEMA, WriterSchema};
use test_support::{TestTopic, Token, wait_until};

use crate::{
    feeder::{self, Record},
    older_projected::Projecting,
    server::{Server, json as body_of, problem},
    submit::{producer, taking},
};

/// What the ingestor does for these tests: whatever comes to the topic is stored.
pub(crate) struct Storing(tokio::task::JoinHandle<()>);

impl Storing {
    pub(crate) fn from(server: &Arc<Server>, topic: TestTopic) -> Self {
        let server = Arc::clone(server);
        Self(tokio::spawn(async move {
            let schema = WriterSchema::parse(CANONICAL_SCHEMA, &[]).expect("the canonical schema");
            let (mut feeder, mut stored) = (server.feeder().await, 0);
            loop {
                let records = topic.read_all().await;
                for record in &records[stored..] {
                    let value = record.value.as_ref().expect("a value");
                    let envelope = schema.decode(&value[5..]).expect("a canonical datum");
                    feeder.append_to(topic.name(), 0, [Record::Event(feeder::event(envelope))]).await;
                }
                stored = records.len();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }))
    }
}

impl Drop for Storing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn ready() -> (Arc<Server>, Storing, Projecting) {
    let (server, topic) = taking().await;
    let server = Arc::new(server);
    let (storing, projecting) = (Storing::from(&server, topic), Projecting::beside(&server));
    (server, storing, projecting)
}

async fn send(server: &Server, method: Method, path: &str, token: &Token, body: &Value) -> Response {
    let request = server.client.request(method, server.url(path)).header("authorization", token.bearer());
    request.json(body).send().await.expect("an answer")
}

async fn post(server: &Server, path: &str, token: &Token, body: &Value) -> Response {
    send(server, Method::POST, path, token, body).await
}

/// The body, without what differs from run to run: the id, and the times that were not sent.
async fn created(answer: Response) -> (String, Value) {
    let location = answer.headers().get("location").map(|place| place.to_str().expect("text").to_owned());
    assert_eq!(answer.headers()["deprecation"], "@1795219200");
    let mut body = body_of(answer, StatusCode::CREATED).await;
    let id = body["id"].take().as_str().expect("an id").to_owned();
    assert_eq!(location, Some(format!("/v1/events/{id}")));
    (id, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_document_004_is_recorded_and_read_back() {
    let (server, _storing, _projecting) = ready().await;
    let example = json!({
        "eventType": "Update", "action": "Vehicle.PriceChanged", "userId": "uuid", "entityType": "Vehicle",
        "entityId": "vehicle-uuid", "oldValue": "{\"price\": 15000}", "newValue": "{\"price\": 14500}",
        "ipAddress": "192.168.1.100", "serviceName": "VehiclesSaleService"
    });
    let (id, body) = created(post(&server, "/api/audit", &producer("acme"), &example).await).await;
    for (name, value) in example.as_object().expect("an object") {
        assert_eq!(&body[name], value, "{name}");
    }
    assert_eq!(body["success"], true);
    let history = server.json("/api/audit/entity/Vehicle/vehicle-uuid").await;
    assert_eq!(history["data"][0]["id"], id.as_str());
    let event = server.json(&format!("/v1/events/{id}")).await;
    assert_eq!(event["eventType"], "Vehicle.PriceChanged");
    assert_eq!(event["payload"], example);
    assert_eq!(event["metadata"]["organizationId"], "acme");
    assert_eq!(event["metadata"]["submittedBy"], "tester");
    assert_eq!(event["metadata"]["action"], "UPDATE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_with_an_id_of_its_own_is_stored_once() {
    let (server, _storing, _projecting) = ready().await;
    let record = json!({
        "eventId": "3d5b8a70-1c2e-4f93-a6b7-8c9d0e1f2a3b", "eventType": "Login", "userId": "u",
        "timestamp": "2026-01-07T10:30:00Z", "serviceName": "AuthService"
    });
    let first = created(post(&server, "/api/audit", &producer("acme"), &record).await).await;
    let again = created(post(&server, "/api/audit", &producer("acme"), &record).await).await;
    assert_eq!(first, again);
    assert_eq!(server.json("/api/audit/user/u").await["pagination"]["total"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_event_is_recorded_found_unresolved_and_resolved_by_an_event() {
    let (server, _storing, _projecting) = ready().await;
    let record = json!({
        "type": "DataBreach", "severity": "Critical", "description": "A laptop", "details": "{\"files\": 3}",
        "ipAddress": "192.168.1.100", "location": "Santo Domingo", "timestamp": "2026-01-07T10:30:00Z"
    });
    let (id, body) = created(post(&server, "/api/audit/security", &producer("acme"), &record).await).await;
    for (name, value) in record.as_object().expect("an object") {
        let expected = if name == "timestamp" { &json!("2026-01-07T10:30:00.000000Z") } else { value };
        assert_eq!(&body[name], expected, "{name}");
    }
    assert_eq!((&body["isResolved"], &body["requiresAction"]), (&json!(false), &json!(true)));
    let open = || async {
        let open = server.json("/api/audit/security/unresolved").await;
        open["data"].as_array().expect("items").iter().map(|item| item["id"].clone()).collect::<Vec<_>>()
    };
    wait_until("it is listed as open", Duration::from_secs(30), || async {
        (open().await == [json!(id)]).then_some(())
    })
    .await;

    let address = format!("/api/audit/security/{id}/resolve");
    let notes = json!({"resolutionNotes": "found, \"under\" a desk"});
    let both = Token::with_roles(&["audit:org-admin", "audit:producer"]).claim("org", "acme");
    for (token, status) in [
        (producer("acme"), StatusCode::FORBIDDEN),
        (Token::org_admin("acme"), StatusCode::FORBIDDEN),
        (Token::with_roles(&["audit:auditor"]), StatusCode::FORBIDDEN),
        (
            Token::with_roles(&["audit:org-admin", "audit:producer"]).claim("org", "other"),
            StatusCode::NOT_FOUND,
        ),
    ] {
        problem(send(&server, Method::PUT, &address, &token, &notes).await, status).await;
    }
    let settled = body_of(send(&server, Method::PUT, &address, &both, &notes).await, StatusCode::OK).await;
    assert_eq!(settled["id"], id.as_str());
    assert_eq!(settled["isResolved"], true);
    assert_eq!(settled["resolutionNotes"], notes["resolutionNotes"]);
    wait_until("it is no longer open", Duration::from_secs(30), || async {
        open().await.is_empty().then_some(())
    })
    .await;
    let listed = server.json("/api/audit/security?type=DataBreach").await;
    assert_eq!(listed["data"][0], settled, "the answer is what is read later");
    let history = server.json(&format!("/v1/aggregates/SecurityEvent/{id}/events")).await;
    let types: Vec<_> =
        history["data"].as_array().expect("events").iter().map(|event| &event["eventType"]).collect();
    assert_eq!(types, ["DataBreach", "SecurityEvent.Resolved"]);
    assert_eq!(history["data"][1]["metadata"]["userId"], "tester");
}

/// The administrator's own organisation has no part in it.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_of_an_organisation_resolves_a_security_event_of_none() {
    let (server, _storing, _projecting) = ready().await;
    let nobody = Token::with_roles(&["audit:admin"]);
    let of_acme = Token::with_roles(&["audit:admin"]).claim("org", "acme");
    let record = json!({"type": "DataBreach", "severity": "Critical", "timestamp": "2026-01-07T10:30:00Z"});
    let (id, _) = created(post(&server, "/api/audit/security", &nobody, &record).await).await;
    let resolved = || async {
        server.json("/api/audit/security?type=DataBreach").await["data"][0]["isResolved"].clone()
    };
    wait_until("it is open", Duration::from_secs(30), || async { (resolved().await == false).then_some(()) })
        .await;
    let address = format!("/api/audit/security/{id}/resolve");
    body_of(send(&server, Method::PUT, &address, &of_acme, &json!({})).await, StatusCode::OK).await;
    wait_until("it is settled", Duration::from_secs(30), || async {
        (resolved().await == true).then_some(())
    })
    .await;
    let of_others = Token::org_admin("acme");
    let answer = server.get_as("/api/audit/security?type=DataBreach", &of_others).await;
    assert_eq!(body_of(answer, StatusCode::OK).await["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_access_is_recorded_and_found_from_both_sides() {
    let (server, _storing, _projecting) = ready().await;
    let record = json!({
        "accessorUserId": "ana", "accessorName": "Ana", "accessorRole": "Support", "dataType": "PersonalInfo",
        "subjectUserId": "luis", "subjectName": "Luis", "purpose": "CustomerSupport", "justification": "ticket 7",
        "fieldsAccessed": ["email", "phone", "address"], "ipAddress": "192.168.1.100", "serviceName": "AdminService",
        "accessedAt": "2026-01-07T10:30:00.000000Z"
    });
    let (id, mut body) =
        created(post(&server, "/api/audit/data-access", &producer("acme"), &record).await).await;
    body.as_object_mut().expect("an object").remove("id");
    assert_eq!(body, record);
    for address in ["/api/audit/data-access/user/luis", "/api/audit/data-access/accessor/ana"] {
        wait_until("it is listed", Duration::from_secs(30), || async {
            (server.json(address).await["data"][0]["id"] == id.as_str()).then_some(())
        })
        .await;
    }
}

const WRITES: [&str; 3] = ["/api/audit", "/api/audit/security", "/api/audit/data-access"];

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_and_what_cannot_be_kept_are_refused_by_name() {
    let (server, topic) = taking().await;
    for address in WRITES {
        for token in [
            Token::org_admin("acme"),
            Token::with_roles(&["audit:auditor"]),
            Token::with_roles(&["audit:operator"]),
            Token::with_roles(&[]),
            Token::with_roles(&["audit:producer"]),
        ] {
            let answer = post(&server, address, &token, &json!({})).await;
            assert_eq!(problem(answer, StatusCode::FORBIDDEN).await, "forbidden", "{address}");
        }
    }
    for (address, record, pointer) in [
        (WRITES[0], json!({"userId": "u"}), "/eventType"),
        (WRITES[0], json!({"eventType": "Update"}), ""),
        (WRITES[0], json!({"eventType": "Login", "userId": {}}), "/userId"),
        (WRITES[0], json!({"eventType": "Login", "userId": "u", "timestamp": "soon"}), "/timestamp"),
        (WRITES[1], json!({"type": "LoginFailed", "severity": "loud"}), "/severity"),
        (
            WRITES[2],
            json!({"accessorUserId": "a", "subjectUserId": "b", "dataType": "HealthData"}),
            "/purpose",
        ),
    ] {
        let answer = post(&server, address, &producer("acme"), &record).await;
        let body = body_of(answer, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(body["errors"][0]["pointer"], pointer, "{address}: {body}");
    }
    let foreign = json!({"eventType": "Login", "userId": "u", "organizationId": "other"});
    let answer = post(&server, WRITES[0], &producer("acme"), &foreign).await;
    assert!([403, 422].contains(&answer.status().as_u16()), "{}", answer.status());
    assert_eq!(topic.end_offsets().await, [0], "nothing was produced");
    let reading = Server::start().await;
    let answer =
        post(&reading, WRITES[0], &producer("acme"), &json!({"eventType": "Login", "userId": "u"})).await;
    assert_eq!(problem(answer, StatusCode::SERVICE_UNAVAILABLE).await, "unavailable");
}
