//! What became of a record, and the dead letters: who sees what of them.

use reqwest::StatusCode;
use serde_json::Value;
use shared::{account::DispositionKind, refusal::Reason};
use test_support::{Token, canonical_event};

use crate::{
    feeder::Record,
    server::{Server, json, problem},
};

fn operator() -> Token {
    Token::with_roles(&["audit:operator"])
}

/// Offsets 0 stored (acme), 1 duplicate of it, 2 dead-lettered, 3 to 9 a gap, 10 stored (other).
async fn fill(server: &Server) {
    let mut feeder = server.feeder().await;
    let stored = canonical_event("a", 1).organization("acme");
    feeder.append_to("t.1/x", 3, [stored.clone()]).await;
    let records = [
        stored.into(),
        Record::Refused(Reason::TimestampInFuture),
        Record::Skipped(7, DispositionKind::Gap),
        canonical_event("b", 1).organization("other").into(),
    ];
    feeder.append_to("t.1/x", 3, records).await;
}

fn path(offset: i64) -> String {
    format!("/v1/ledger/records/t.1%2Fx/3/{offset}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_offset_has_a_fate() {
    let server = Server::start().await;
    fill(&server).await;
    for (offset, state, kind, reason) in [
        (0, "stored", None, None),
        (1, "duplicate", Some("duplicate"), None),
        (2, "dead-lettered", Some("dead-lettered"), Some("timestamp-in-future")),
        (3, "skipped", Some("gap"), None),
        (9, "skipped", Some("gap"), None),
        (10, "stored", None, None),
        (11, "not-read", None, None),
        (i64::MAX, "not-read", None, None),
    ] {
        let fate = server.json(&path(offset)).await;
        assert_eq!(fate["state"], state, "{offset}");
        assert_eq!(fate.get("kind").and_then(Value::as_str), kind, "{offset}");
        assert_eq!(fate.get("reason").and_then(Value::as_str), reason, "{offset}");
        assert_eq!(
            (&fate["topic"], &fate["partition"], &fate["incarnation"]),
            (&"t.1/x".into(), &3.into(), &1.into())
        );
        assert_eq!(fate["offset"], offset);
    }
    assert_eq!(server.json(&path(2)).await["pointer"], "/timestamp");
    let (first, second) = (server.json(&path(0)).await, server.json(&path(1)).await);
    assert_eq!(first["event"]["aggregateId"], "a");
    assert_eq!((&first["event"], &first["eventId"]), (&second["event"], &second["eventId"]));
    assert_eq!(server.json(&format!("{}?incarnation=1&cluster=default", path(0))).await, first);
    for none in [
        "/v1/ledger/records/none/0/0",
        &format!("{}?incarnation=2", path(0)),
        &format!("{}?cluster=none", path(0)),
    ] {
        assert_eq!(problem(server.get(none).await, StatusCode::NOT_FOUND).await, "not-found", "{none}");
    }
    for bad in [
        "/v1/ledger/records/t/x/0",
        "/v1/ledger/records/t/-1/0",
        "/v1/ledger/records/t/0/-1",
        "/v1/ledger/records/t/0/99999999999999999999",
        "/v1/ledger/records/%00/0/0",
    ] {
        assert_eq!(problem(server.get(bad).await, StatusCode::BAD_REQUEST).await, "invalid-request", "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fates_are_shown_by_role() {
    let server = Server::start().await;
    fill(&server).await;
    let acme = Token::org_admin("acme");
    for (offset, status) in [(0, 200), (1, 200), (2, 404), (3, 404), (10, 404), (11, 404)] {
        assert_eq!(server.get_as(&path(offset), &acme).await.status().as_u16(), status, "{offset}");
    }
    assert!(json(server.get_as(&path(0), &acme).await, StatusCode::OK).await["event"].is_object());
    for offset in [0, 1, 2, 3, 10, 11] {
        let fate = json(server.get_as(&path(offset), &operator()).await, StatusCode::OK).await;
        assert!(fate.get("event").is_none(), "an operator sees no payload: {fate}");
    }
    let both = Token::with_roles(&["audit:operator", "audit:org-admin"]).claim("org", "acme");
    assert!(json(server.get_as(&path(0), &both).await, StatusCode::OK).await["event"].is_object());
    assert!(json(server.get_as(&path(10), &both).await, StatusCode::OK).await.get("event").is_none());
    let producer = Token::with_roles(&["audit:producer"]).claim("org", "acme");
    assert_eq!(server.get_as(&path(0), &producer).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_and_shown() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    for round in 0..4 {
        let reason = if round % 2 == 0 { Reason::Undecodable } else { Reason::UnknownSchema };
        feeder
            .append_to(&format!("topic-{}", round / 2), 0, [Record::Refused(reason), Record::Refused(reason)])
            .await;
    }
    let mut seen = Vec::new();
    let mut next = "/v1/dead-letters?limit=3".to_owned();
    loop {
        let page = server.json(&next).await;
        seen.extend(page["data"].as_array().expect("data").clone());
        let Some(cursor) = page["page"]["nextCursor"].as_str() else { break };
        next = format!("/v1/dead-letters?limit=3&cursor={cursor}");
    }
    assert_eq!(seen.len(), 8);
    assert!(
        seen.is_sorted_by(|one, other| one["recordedAt"].as_str() >= other["recordedAt"].as_str()),
        "newest first"
    );
    let distinct: std::collections::BTreeSet<_> =
        seen.iter().map(|letter| letter["id"].to_string()).collect();
    assert_eq!(distinct.len(), 8);
    assert!(seen.iter().all(|letter| letter.get("record").is_none()), "the list holds no bytes");
    let count = async |query: &str| {
        server.json(&format!("/v1/dead-letters?{query}")).await["data"].as_array().expect("data").len()
    };
    assert_eq!(count("reason=undecodable").await, 4);
    assert_eq!(count("topic=topic-1").await, 4);
    assert_eq!(count("topic=topic-1&reason=unknown-schema").await, 2);
    assert_eq!(count("topic=none").await, 0);
    let middle = seen[3]["recordedAt"].as_str().expect("a time");
    assert_eq!(count(&format!("from={middle}")).await, 4, "inclusive");
    assert_eq!(count(&format!("to={middle}")).await, 4, "exclusive");
    assert_eq!(server.get("/v1/dead-letters?reason=bad").await.status(), StatusCode::BAD_REQUEST);

    let id = seen[0]["id"].as_str().expect("an id");
    let one = server.json(&format!("/v1/dead-letters/{id}")).await;
    assert_eq!(
        (&one["record"]["key"], &one["record"]["value"]),
        (&"a2V5".into(), &"c2VjcmV0IHZhbHVl".into())
    );
    assert_eq!((&one["pointer"], &one["stage"]), (&"/timestamp".into(), &"validate".into()));
    let shown =
        json(server.get_as(&format!("/v1/dead-letters/{id}"), &operator()).await, StatusCode::OK).await;
    assert!(shown.get("record").is_none(), "an operator sees no bytes: {shown}");
    let own = server.get_as(&format!("/v1/dead-letters/{id}"), &Token::org_admin("demo")).await;
    assert_eq!(problem(own, StatusCode::NOT_FOUND).await, "not-found");
    assert_eq!(problem(server.get("/v1/dead-letters/99:0").await, StatusCode::NOT_FOUND).await, "not-found");
    assert_eq!(
        problem(server.get("/v1/dead-letters/x").await, StatusCode::BAD_REQUEST).await,
        "invalid-request"
    );
}
