//! `GET /v1/accesses`: who looked, by who looked and by who was looked at, from the request to the answer.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use test_support::{Daemon, DaemonConfig, Role, TestTopic, Token, canonical_event, unique, wait_until};

use crate::{
    accesses::recording,
    projected::project,
    server::{Options, Server, json as json_of, problem},
};

fn ann() -> Token {
    Token::org_admin("acme").claim("sub", "ann")
}

/// Five requests of three people, recorded, stored and projected.
async fn looked_at() -> (Server, TestTopic) {
    let (server, topic) = recording(Options::default()).await;
    let mut feeder = server.feeder().await;
    let own = |version| canonical_event("o-1", version).organization("acme").metadata("userId", "bob");
    feeder.append((1..=2).map(own)).await;
    let of_otto = Token::org_admin("other").claim("sub", "otto");
    let root = Token::admin().claim("sub", "root");
    for (path, token, status) in [
        ("/v1/events?userId=bob", ann(), StatusCode::OK),
        ("/v1/events?userId=bob&limit=0", ann(), StatusCode::BAD_REQUEST),
        ("/v1/aggregates/Order/o-1/events", root, StatusCode::OK),
        ("/audit/reports/bob", of_otto, StatusCode::OK),
    ] {
        assert_eq!(server.get_as(path, &token).await.status(), status, "{path}");
    }
    let stream = server.request("/v1/replay", &ann()).header("accept", "application/x-ndjson");
    stream.send().await.expect("an answer").bytes().await.expect("a whole answer");
    let config = DaemonConfig::new(&server.database).topics(&[topic.name()]);
    let ingestor = Daemon::ingestor(&config.dead_letter_topic(&unique("dlq"))).ready().await;
    let client = server.database.connect(Role::Superuser).await;
    let count = "select count(*) from audit.events where aggregate_type = 'AuditAccess'";
    wait_until("the records are stored", Duration::from_secs(30), || async {
        let stored: i64 = client.query_one(count, &[]).await.expect("a count").get(0);
        (stored == 6).then_some(())
    })
    .await;
    drop(ingestor);
    project(&server.database).await;
    (server, topic)
}

fn word<'a>(access: &'a Value, name: &str) -> &'a str {
    access[name].as_str().expect("a word")
}

/// Operation and outcome of each access of a page.
fn listed(answer: &Value) -> Vec<(&str, &str)> {
    let items = answer["data"].as_array().expect("data");
    items.iter().map(|access| (word(access, "operation"), word(access, "outcome"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn accesses_are_found_by_who_looked_and_by_who_was_looked_at() {
    let (server, _topic) = looked_at().await;
    for (query, expected) in [
        (
            "",
            vec![
                ("replay", "closed"),
                ("replay", "opened"),
                ("reportOfUser", "answered"),
                ("aggregateHistory", "answered"),
                ("listEvents", "refused"),
                ("listEvents", "answered"),
            ],
        ),
        (
            "?subject=bob",
            vec![("reportOfUser", "answered"), ("listEvents", "refused"), ("listEvents", "answered")],
        ),
        ("?subject=bob&outcome=answered&operation=listEvents", vec![("listEvents", "answered")]),
        ("?subject=nobody", vec![]),
        ("?userId=root", vec![("aggregateHistory", "answered")]),
        ("?aggregateId=o-1", vec![("aggregateHistory", "answered")]),
        ("?aggregateType=Order&aggregateId=o-1", vec![("aggregateHistory", "answered")]),
        ("?aggregateType=Invoice&aggregateId=o-1", vec![]),
        ("?userId=ann&outcome=closed", vec![("replay", "closed")]),
        ("?organizationId=", vec![("aggregateHistory", "answered")]),
        ("?to=2026-01-01T00:00:00Z", vec![]),
    ] {
        let answer = server.json(&format!("/v1/accesses{query}")).await;
        assert_eq!(listed(&answer), expected, "{query}");
        assert_eq!(answer["asOf"]["append"].as_i64().map(|append| append > 0), Some(true));
    }
    let closed = server.json("/v1/accesses?outcome=closed").await["data"][0].clone();
    assert_eq!((&closed["rows"], &closed["ended"]), (&json!(2), &json!("complete")));
    assert_eq!((&closed["accessor"]["id"], &closed["organizationId"]), (&json!("ann"), &json!("acme")));
    assert_eq!(closed["ipAddress"], "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_sees_its_own_accessors_alone_and_pages_go_on() {
    let (server, _topic) = looked_at().await;
    let own = json_of(server.get_as("/v1/accesses?subject=bob", &ann()).await, StatusCode::OK).await;
    assert_eq!(listed(&own), [("listEvents", "refused"), ("listEvents", "answered")]);
    let theirs = server.get_as("/v1/accesses?organizationId=other", &ann()).await;
    assert_eq!(problem(theirs, StatusCode::FORBIDDEN).await, "forbidden");
    for role in ["audit:producer", "audit:operator"] {
        let token = Token::with_roles(&[role]).claim("org", "acme");
        assert_eq!(server.get_as("/v1/accesses", &token).await.status(), StatusCode::FORBIDDEN, "{role}");
    }
    let auditor = Token::with_roles(&["audit:auditor"]);
    let all = json_of(server.get_as("/v1/accesses", &auditor).await, StatusCode::OK).await;
    assert_eq!(listed(&all).len(), 6);

    let (mut seen, mut path) = (Vec::new(), "/v1/accesses?limit=4".to_owned());
    loop {
        let page = server.json(&path).await;
        seen.extend(page["data"].as_array().expect("data").clone());
        let Some(cursor) = page["page"]["nextCursor"].as_str() else { break };
        path = format!("/v1/accesses?limit=4&cursor={cursor}");
        let other = server.get(&format!("/v1/accesses?userId=ann&cursor={cursor}")).await;
        assert_eq!(problem(other, StatusCode::BAD_REQUEST).await, "cursor-mismatch");
    }
    assert_eq!(&seen, all["data"].as_array().expect("data"));
    for (query, names) in [("aggregateType=Order", "aggregateId"), ("subject=a&aggregateId=b", "ask twice")] {
        let answer = server.get(&format!("/v1/accesses?{query}")).await;
        let body = json_of(answer, StatusCode::BAD_REQUEST).await;
        assert!(body["detail"].as_str().expect("a detail").contains(names), "{query}: {body}");
    }
}
