//! `POST /v1/dead-letters/{id}/redrive`: who may, what goes where, and that it is known afterwards.

use reqwest::{Response, StatusCode};
use serde_json::Value;
use shared::refusal::Reason;
use test_support::{TestTopic, Token};

use crate::{
    feeder::Record,
    server::{Options, Server, json, problem},
    submit::writing,
};

async fn redrive(server: &Server, id: &str, token: &Token) -> Response {
    let url = server.url(&format!("/v1/dead-letters/{id}/redrive"));
    server.client.post(url).header("authorization", token.bearer()).send().await.expect("an answer")
}

async fn shown(server: &Server, id: &str) -> Value {
    server.json(&format!("/v1/dead-letters/{id}")).await
}

/// One dead letter, 1:0, of a topic of its own.
async fn refused() -> (Server, TestTopic) {
    let topic = TestTopic::create(1).await;
    let options = Options { writing: Some(writing("audit.events")), ..Options::default() };
    let server = Server::with(options).await;
    server.feeder().await.append_to(topic.name(), 0, [Record::Refused(Reason::UnknownSchema)]).await;
    (server, topic)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_original_record_goes_to_its_topic_again_and_that_is_known() {
    let (server, topic) = refused().await;
    assert_eq!(shown(&server, "1:0").await["redrives"], serde_json::json!([]));
    let operator = Token::with_roles(&["audit:operator"]).claim("sub", "olga");
    for (round, token) in [operator, Token::admin()].iter().enumerate() {
        let answer = json(redrive(&server, "1:0", token).await, StatusCode::ACCEPTED).await;
        assert_eq!((answer["id"].as_str(), answer["topic"].as_str()), (Some("1:0"), Some(topic.name())));
        assert_eq!((&answer["partition"], &answer["offset"]), (&0.into(), &round.into()));
        // Each time is one row more, newest first.
        let redrives = shown(&server, "1:0").await["redrives"].clone();
        assert_eq!(redrives.as_array().map(Vec::len), Some(round + 1));
        assert_eq!(redrives[0]["redriveId"], answer["redriveId"]);
        assert_eq!(redrives[0]["outcome"], "produced");
        assert_eq!(redrives[0]["offset"], answer["offset"]);
        assert_eq!(redrives[0]["requestedBy"], ["olga", "tester"][round]);
    }
    let records = topic.read_all().await;
    assert_eq!(records.len(), 2);
    for record in records {
        assert_eq!(
            (record.key.as_deref(), record.value.as_deref()),
            (Some(&b"key"[..]), Some(&b"secret value"[..]))
        );
        assert_eq!(record.header("audit.redrive.of"), Some("1:0"));
        assert!(record.headers.iter().any(|(name, value)| name == "h" && value.is_none()));
    }
    // The old record's account is what it was.
    let path = format!("/v1/ledger/records/{}/0/0", topic.name());
    assert_eq!(server.json(&path).await["state"], "dead-lettered");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_and_operators_may_and_only_what_there_is() {
    let (server, topic) = refused().await;
    for token in [
        Token::with_roles(&["audit:auditor"]),
        Token::with_roles(&["audit:producer"]).claim("org", "acme"),
        Token::org_admin("acme"),
        Token::with_roles(&[]),
    ] {
        assert_eq!(problem(redrive(&server, "1:0", &token).await, StatusCode::FORBIDDEN).await, "forbidden");
    }
    assert_eq!(
        redrive(&server, "1:0", &Token::admin().expires_in(-60)).await.status(),
        StatusCode::UNAUTHORIZED
    );
    for (id, status) in [("1:1", 404), ("99:0", 404), ("99999999999:0", 400), ("x", 400)] {
        let answer = redrive(&server, id, &Token::admin()).await;
        assert_eq!(answer.status().as_u16(), status, "{id}");
    }
    assert_eq!(topic.end_offsets().await, [0]);
    assert_eq!(shown(&server, "1:0").await["redrives"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_that_kafka_does_not_take_is_known_too() {
    let mut config = writing("audit.events");
    config.kafka.bootstrap_servers = Some("127.0.0.1:1".to_owned());
    config.submissions.delivery_timeout = std::time::Duration::from_secs(1);
    let server = Server::with(Options { writing: Some(config), ..Options::default() }).await;
    server.feeder().await.append([Record::Refused(Reason::UnknownSchema)]).await;
    let refused = redrive(&server, "1:0", &Token::admin()).await;
    assert_eq!(problem(refused, StatusCode::SERVICE_UNAVAILABLE).await, "unavailable");
    assert_eq!(shown(&server, "1:0").await["redrives"][0]["outcome"], "failed");
    let reads_only = Server::start().await;
    assert_eq!(redrive(&reads_only, "1:0", &Token::admin()).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}
