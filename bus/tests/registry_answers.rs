//! What the registry client makes of answers, good and bad; only "there is none" may count as unknown.

#![expect(clippy::unwrap_used, reason = "tests: the helpers too")]

use std::time::{Duration, Instant};

use bus::registry::{Compatibility, Registry, RegistryError};
use credentials::Secret;
use serde_json::{Value, json};
use service::config::RegistrySettings;
use shared::avro::SchemaReference;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, basic_auth, body_json, method, path},
};

fn registry(server: &MockServer) -> Registry {
    let settings = RegistrySettings {
        url: Some(format!("{}/", server.uri())),
        timeout: Duration::from_millis(500),
        ..RegistrySettings::default()
    };
    Registry::new(&settings).unwrap()
}

async fn answering(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    server
}

async fn fetched(server: &MockServer) -> Result<bus::registry::RegisteredSchema, RegistryError> {
    registry(server).fetch(SchemaReference::Id(7)).await
}

fn schema(text: &str, references: &Value) -> Value {
    json!({ "schema": text, "references": references })
}

#[tokio::test]
async fn only_the_registrys_own_word_makes_an_id_unknown() {
    let coded =
        |status: u16, code: u32| ResponseTemplate::new(status).set_body_json(json!({"error_code": code}));
    let unknown = answering(coded(404, 40403)).await;
    assert!(matches!(fetched(&unknown).await, Err(RegistryError::Unknown(_))));
    let transient = [
        coded(500, 50001),
        coded(429, 42901),
        coded(404, 99999),
        coded(500, 40403),
        coded(401, 40101),
        ResponseTemplate::new(404),
        ResponseTemplate::new(404).set_body_string("<html>not here</html>"),
        ResponseTemplate::new(503),
        ResponseTemplate::new(200).set_body_string("<html>sign in</html>"),
        ResponseTemplate::new(200).set_body_json(json!({"no": "schema"})),
    ];
    for answer in transient {
        let text = format!("{answer:?}");
        let error = fetched(&answering(answer).await).await.unwrap_err();
        assert!(error.is_transient(), "{error} for {text}");
    }
}

#[tokio::test]
async fn a_registry_without_guids_says_unknown_only_while_it_is_healthy() {
    let server = MockServer::start().await;
    let guid = SchemaReference::Guid("0190f3a0-0000-7000-8000-000000000001".parse().unwrap());
    let error = registry(&server).fetch(guid).await.unwrap_err();
    assert!(error.is_transient(), "{error}: everything is 404, so this is no registry");
    Mock::given(path("/schemas/types"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!(["AVRO"])))
        .mount(&server)
        .await;
    let error = registry(&server).fetch(guid).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unknown(_)), "{error}");
}

#[tokio::test]
async fn a_guid_is_asked_for_by_its_address() {
    let server = MockServer::start().await;
    Mock::given(path("/schemas/guids/0190f3a0-0000-7000-8000-000000000001"))
        .respond_with(ResponseTemplate::new(200).set_body_json(schema("\"string\"", &json!(null))))
        .mount(&server)
        .await;
    let guid = SchemaReference::Guid("0190F3A0-0000-7000-8000-000000000001".parse().unwrap());
    assert_eq!(registry(&server).fetch(guid).await.unwrap().text, "\"string\"");
}

#[tokio::test]
async fn a_slow_or_absent_registry_is_unavailable_in_time() {
    let slow = answering(ResponseTemplate::new(200).set_delay(Duration::from_secs(30))).await;
    let started = Instant::now();
    assert!(matches!(fetched(&slow).await, Err(RegistryError::Unavailable(_))));
    assert!(started.elapsed() < Duration::from_secs(5));
    let gone = RegistrySettings {
        url: Some("http://user:hunter2@127.0.0.1:1".to_owned()),
        ..RegistrySettings::default()
    };
    let error = Registry::new(&gone).unwrap().fetch(SchemaReference::Id(1)).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unavailable(_)), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_schema_that_cannot_be_used_is_told_apart() {
    let large = schema(&"x".repeat(1024 * 1024 + 1), &json!([]));
    let json_schema = json!({"schema": "{}", "schemaType": "JSON"});
    for answer in [large, json_schema] {
        let server = answering(ResponseTemplate::new(200).set_body_json(answer)).await;
        let error = fetched(&server).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unusable(_)), "{error}");
        assert!(!error.is_transient());
    }
}

async fn subject(server: &MockServer, name: &str, answer: Value) {
    Mock::given(path(format!("/subjects/{name}/versions/1")))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .expect(1)
        .mount(server)
        .await;
}

fn reference(name: &str) -> Value {
    json!({"name": name, "subject": name, "version": 1})
}

#[tokio::test]
async fn references_come_before_what_refers_to_them_each_once_and_a_circle_ends() {
    let server = MockServer::start().await;
    let root = schema("root", &json!([reference("left"), reference("right")]));
    Mock::given(path("/schemas/ids/7"))
        .respond_with(ResponseTemplate::new(200).set_body_json(root))
        .mount(&server)
        .await;
    subject(&server, "left", schema("left", &json!([reference("base")]))).await;
    subject(&server, "right", schema("right", &json!([reference("base"), reference("left")]))).await;
    subject(&server, "base", schema("base", &json!([reference("right")]))).await;
    let fetched = fetched(&server).await.unwrap();
    assert_eq!(fetched.text, "root");
    assert_eq!(fetched.references, ["right", "base", "left"]);
}

#[tokio::test]
async fn endless_references_are_cut_off() {
    let server = MockServer::start().await;
    let next = |request: &wiremock::Request| {
        let depth = request.url.path().chars().filter(|letter| *letter == 'x').count();
        let name = "x".repeat(depth + 1);
        ResponseTemplate::new(200).set_body_json(schema("s", &json!([reference(&name)])))
    };
    Mock::given(any()).respond_with(next).mount(&server).await;
    assert!(matches!(fetched(&server).await, Err(RegistryError::Unusable(_))));
    assert!(server.received_requests().await.unwrap().len() < 20);

    let wide: Vec<Value> = (0..100).map(|n| reference(&format!("w{n}"))).collect();
    let server = MockServer::start().await;
    let root = schema("root", &json!(wide));
    Mock::given(path("/schemas/ids/7"))
        .respond_with(ResponseTemplate::new(200).set_body_json(root))
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(schema("leaf", &json!([]))))
        .mount(&server)
        .await;
    assert!(matches!(fetched(&server).await, Err(RegistryError::Unusable(_))));
}

#[tokio::test]
async fn credentials_go_with_every_request_and_are_never_printed() {
    let server = MockServer::start().await;
    Mock::given(basic_auth("audit", "hunter2"))
        .and(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(schema("\"int\"", &json!([]))))
        .mount(&server)
        .await;
    Mock::given(basic_auth("audit", "hunter2"))
        .and(method("PUT"))
        .and(path("/config/a%2Fb"))
        .and(body_json(json!({"compatibility": "FULL_TRANSITIVE"})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
        .mount(&server)
        .await;
    let settings = RegistrySettings {
        url: Some(server.uri()),
        username: Some("audit".to_owned()),
        password: Some(Secret::from("hunter2")),
        ..RegistrySettings::default()
    };
    let registry = Registry::new(&settings).unwrap();
    registry.fetch(SchemaReference::Id(1)).await.unwrap();
    registry.set_compatibility("a/b", Compatibility::FullTransitive).await.unwrap();
    assert!(!format!("{registry:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_registration_is_refused_by_the_registrys_word_and_waits_for_anything_else() {
    for (status, body, refused) in [
        (409, json!({"error_code": 409, "message": "incompatible"}), true),
        (422, json!({"error_code": 42201, "message": "not Avro"}), true),
        (500, json!({"error_code": 50001, "message": "store"}), false),
        (503, json!({}), false),
    ] {
        let server = answering(ResponseTemplate::new(status).set_body_json(body)).await;
        let error = registry(&server).register("s-value", "\"int\"", &[]).await.unwrap_err();
        assert_eq!(matches!(error, RegistryError::Refused(_)), refused, "{status}: {error}");
        assert_eq!(error.is_transient(), !refused, "{status}: {error}");
    }
}
