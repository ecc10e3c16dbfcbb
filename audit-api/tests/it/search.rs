//! `payload` and `q` of `GET /v1/events`: what is found, in every form of the answer, and what is refused with its remedy.
//! (store/tests/search.rs holds what contains what.)

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::text_query::TextFields;
use store::indexes::{Optional, create};
use test_support::{EventBuilder, Role, TestDatabase, Token, canonical_event};

use crate::server::{Options, Server, encode, ids, json as answer, parse_lines, problem};

/// 2025-06-01T00:00:00Z, in microseconds.
const JUNE: i64 = 1_748_736_000_000_000;
const IN_JUNE: &str = "from=2025-06-01T00:00:00Z&to=2025-07-01T00:00:00Z";

fn event(number: i64) -> EventBuilder {
    let country = if number % 3 == 0 { "CL" } else { "DO" };
    canonical_event(&format!("a{number}"), 1)
        .at_micros(JUNE + number * 3_600_000_000)
        .organization(if number % 2 == 0 { "acme" } else { "beta" })
        .payload(&json!({
            "customer": {"country": country, "tags": ["new", number]},
            "note": format!("order number {number} is late"),
        }))
}

async fn filled(database: TestDatabase) -> Server {
    let server = Server::on(database, Options::default()).await;
    server.feeder().await.append((0..60).map(event)).await;
    server
}

async fn with_indexes() -> Server {
    let database = TestDatabase::create().await;
    let url = database.database_url(Role::Migrator);
    create(&url, &Optional::Payload, |_| {}).await.expect("built");
    let fields = TextFields::new(["/note"]).expect("fields");
    create(&url, &Optional::Text(fields), |_| {}).await.expect("built");
    filled(database).await
}

fn numbers(events: &[Value]) -> Vec<i64> {
    let number = |event: &Value| event["aggregateId"].as_str()?.strip_prefix('a')?.parse().ok();
    events.iter().map(|event| number(event).expect("an event of this test")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_searched_in_every_form_of_the_answer() {
    let server = filled(TestDatabase::create().await).await;
    let question = format!("payload={}&{IN_JUNE}", encode(r#"{ "customer": {"country": "CL"} }"#));
    let wanted: Vec<i64> = (0..60).rev().filter(|number| number % 3 == 0).collect();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.json(&format!("/v1/events?{question}&limit=7&count=exact{cursor}")).await;
        assert_eq!(page["page"]["total"], 20);
        found.extend(page["data"].as_array().expect("data").clone());
        match page["page"]["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(numbers(&found), wanted);
    assert_eq!(ids(&server.lines(&format!("/v1/events?{question}")).await), ids(&found));
    let rest = server.get(&format!("/v1/events?payload=%7B%7D&{IN_JUNE}{cursor}")).await;
    assert_eq!(problem(rest, StatusCode::BAD_REQUEST).await, "cursor-mismatch");
    let csv = server.request(&format!("/v1/events?{question}"), &Token::admin()).header("accept", "text/csv");
    let csv = csv.send().await.expect("an answer").text().await.expect("a whole answer");
    assert_eq!(csv.lines().count(), 21);
    // With other filters, in recorded order, and in a replay, which needs no bound.
    let both = server.json(&format!("/v1/events?{question}&organizationId=acme&limit=1000")).await;
    assert_eq!(both["data"].as_array().map(Vec::len), Some(10));
    let recorded = server.json(&format!("/v1/events?{question}&sort=recorded&limit=1000")).await;
    assert_eq!(numbers(recorded["data"].as_array().expect("data")), wanted);
    let replay =
        server.lines(&format!("/v1/replay?payload={}", encode(r#"{"customer":{"tags":[7]}}"#))).await;
    assert_eq!(numbers(&replay), [7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_without_a_bound_needs_the_index_and_names_it() {
    let server = filled(TestDatabase::create().await).await;
    let detail = async |path: &str| {
        let refused = answer(server.get(path).await, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(refused["type"], "urn:audit-trail:problem:query-too-broad");
        refused["detail"].as_str().expect("a detail").to_owned()
    };
    let question = format!("payload={}", encode(r#"{"customer":{"tags":[7]}}"#));
    let refused = detail(&format!("/v1/events?{question}")).await;
    assert!(refused.contains("`trailctl index create payload`") && refused.contains("31 days"), "{refused}");
    let refused = detail(&format!("/v1/events?q=late&{IN_JUNE}")).await;
    assert!(refused.contains("`trailctl index create fulltext"), "{refused}");
    let user = server.json(&format!("/v1/events?{question}&userId=user-1")).await;
    assert_eq!(numbers(user["data"].as_array().expect("data")), [7]);

    for text in
        ["", "[]", "1", "{", r#"{"a":1,"a":2}"#, r#"{"email":{"$protected":"v1"}}"#, &"x".repeat(4097)]
    {
        let asked = server.get(&format!("/v1/events?payload={}&{IN_JUNE}", encode(text))).await;
        let refused = answer(asked, StatusCode::BAD_REQUEST).await;
        assert!(refused["detail"].as_str().expect("a detail").contains("payload"), "{refused}");
    }
    let twice = server.get(&format!("/v1/events?payload=%7B%7D&payload=%7B%7D&{IN_JUNE}")).await;
    assert_eq!(problem(twice, StatusCode::BAD_REQUEST).await, "invalid-request");
    let elsewhere = server.get("/v1/replay?q=late").await;
    assert_eq!(problem(elsewhere, StatusCode::BAD_REQUEST).await, "invalid-request");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_their_indexes_payloads_and_words_are_found_anywhere_within_the_scope() {
    let server = with_indexes().await;
    let tag = format!("payload={}", encode(r#"{"customer":{"tags":["new",7]}}"#));
    for (question, wanted) in [
        (tag.clone(), vec![7]),
        ("q=late&limit=3".to_owned(), vec![59, 58, 57]),
        (format!("q={}", encode("\"number 12\"")), vec![12]),
        ("q=number+-late".to_owned(), vec![]),
        (format!("q=late&{tag}"), vec![7]),
        (format!("q=late&eventType=OrderCreated&aggregateType=Order&aggregateId=a4&{IN_JUNE}"), vec![4]),
    ] {
        let page = server.json(&format!("/v1/events?{question}&count=exact")).await;
        let found = numbers(page["data"].as_array().expect("data"));
        assert_eq!(found, wanted, "{question}");
    }
    // Another organisation's event is not found by any of it.
    let beta = Token::org_admin("beta");
    let acme = Token::org_admin("acme");
    for question in [tag.clone(), "q=7".to_owned(), format!("q=late&{tag}"), format!("{tag}&{IN_JUNE}")] {
        for (token, wanted) in [(&beta, 1), (&acme, 0)] {
            let page = server.get_as(&format!("/v1/events?{question}&count=exact"), token).await;
            let page = answer(page, StatusCode::OK).await;
            assert_eq!(page["page"]["total"], wanted, "{question}");
            assert_eq!(page["data"].as_array().map(Vec::len), Some(wanted), "{question}");
            let lines = server
                .request(&format!("/v1/events?{question}"), token)
                .header("accept", "application/x-ndjson")
                .send()
                .await
                .expect("an answer");
            assert_eq!(parse_lines(&lines.text().await.expect("a whole answer")).len(), wanted, "{question}");
        }
    }
    let no_words = server.get("/v1/events?q=-late").await;
    assert_eq!(problem(no_words, StatusCode::BAD_REQUEST).await, "invalid-request");
    let broad = server.get(&format!("/v1/events?payload={}", encode(r#"{"customer":{}}"#))).await;
    assert_eq!(problem(broad, StatusCode::UNPROCESSABLE_ENTITY).await, "query-too-broad");
}
