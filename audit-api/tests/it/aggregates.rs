//! The history and the replay of one aggregate.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use service::config::ApiSettings;
use test_support::{Token, canonical_event};

use crate::{
    server::{Options, Server, encode, ids, parse_lines, problem},
    sse::{self, Stream},
};

/// Ids as CloudTrail has them, and worse.
const IDS: [&str; 5] =
    ["arn:aws:iam::123837392027:user/Level6/x", "a/b/c?d#e%2F", "ä ö 😀", "a+b&c=d;e,f", "\\'\"--"];

fn versions(events: &[Value]) -> Vec<i64> {
    events.iter().map(|event| event["version"].as_i64().expect("a version")).collect()
}

async fn history(server: &Server, query: &str) -> Vec<i64> {
    let page = server.json(&format!("/v1/aggregates/Order/a/events?{query}")).await;
    versions(page["data"].as_array().expect("data"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_comes_by_version_page_by_page() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    // Stored backwards, over appends and partitions; two unversioned ones and a fork besides; versions 8 and 9 missing.
    for (partition, stored) in [(0, vec![7, 5, 3]), (1, vec![6, 4, 2]), (0, vec![1, 10, 0, 0, 5])] {
        feeder
            .append_to(
                "audit.events",
                partition,
                stored.into_iter().map(|version| canonical_event("a", version)),
            )
            .await;
    }
    feeder.append([canonical_event("b", 1)]).await;
    let whole = [0, 0, 1, 2, 3, 4, 5, 5, 6, 7, 10];
    assert_eq!(history(&server, "").await, whole);
    for limit in [1, 2, 3, 10, 11, 12] {
        let (mut seen, mut all, mut cursor) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = server.json(&format!("/v1/aggregates/Order/a/events?limit={limit}{cursor}")).await;
            let integrity = json!({"gaps": [[8, 9]], "forks": [5]});
            assert_eq!(
                page.get("integrity"),
                cursor.is_empty().then_some(&integrity),
                "on the first page alone"
            );
            let data = page["data"].as_array().expect("data");
            assert!(!data.is_empty() && data.len() <= limit);
            seen.extend(versions(data));
            all.extend(ids(data));
            let Some(next) = page["page"]["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, whole, "by {limit}");
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), whole.len());
    }
    assert_eq!(history(&server, "fromVersion=4&toVersion=6").await, [4, 5, 5, 6]);
    assert_eq!(history(&server, "fromVersion=11").await, Vec::<i64>::new());
    // canonical_event's time is noon plus so many seconds as its version.
    assert_eq!(history(&server, "from=2026-01-15T12:00:03Z&to=2026-01-15T12:00:05Z").await, [3, 4]);
    let cursor = server.json("/v1/aggregates/Order/a/events?limit=2").await["page"]["nextCursor"]
        .as_str()
        .expect("a cursor")
        .to_owned();
    for other in ["Order/a/events?fromVersion=1&", "Order/b/events?"] {
        let answer = server.get(&format!("/v1/aggregates/{other}cursor={cursor}")).await;
        assert_eq!(problem(answer, StatusCode::BAD_REQUEST).await, "cursor-mismatch");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_may_hold_anything() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder.append(IDS.map(|id| canonical_event(id, 1).aggregate_type("AWS::IAM/User"))).await;
    for id in IDS {
        let path = format!("/v1/aggregates/{}/{}", encode("AWS::IAM/User"), encode(id));
        for (suffix, accept) in [("events", "application/json"), ("replay", "application/x-ndjson")] {
            let request =
                server.request(&format!("{path}/{suffix}"), &Token::admin()).header("accept", accept);
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::OK, "{id} {suffix}");
            let text = answer.text().await.expect("a body");
            assert!(text.contains(&json!(id).to_string()), "{id} {suffix}: {text}");
        }
        let listed = server.json(&format!("/v1/events?aggregateId={}", encode(id))).await;
        assert_eq!(listed["data"][0]["aggregateId"], id, "the filter form");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregate_belongs_to_one_organisation() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder
        .append([
            canonical_event("a", 1).organization("acme"),
            canonical_event("a", 2).organization("other"),
            canonical_event("a", 3).without_metadata("organizationId"),
            canonical_event("single", 1).organization("other"),
        ])
        .await;
    for route in ["events", "replay"] {
        let get = async |query: &str, token: &Token| {
            let answer = server.get_as(&format!("/v1/aggregates/Order/{query}"), token).await;
            let status = answer.status();
            (status.as_u16(), answer.text().await.expect("a body"))
        };
        let admin = Token::admin();
        let (status, body) = get(&format!("a/{route}"), &admin).await;
        assert!(status == 409 && body.contains("ambiguous-aggregate"), "{status} {body}");
        for (organization, version) in [("acme", 1), ("other", 2), ("", 3)] {
            let (status, body) = get(&format!("a/{route}?organizationId={organization}"), &admin).await;
            assert!(
                status == 200 && body.contains(&format!("\"version\":{version},")),
                "{organization}: {body}"
            );
            assert_eq!(body.matches("\"eventId\"").count(), 1);
        }
        let acme = Token::org_admin("acme");
        assert!(
            get(&format!("a/{route}"), &acme).await.1.contains("\"version\":1,"),
            "the own one is not ambiguous"
        );
        assert_eq!(get(&format!("single/{route}"), &acme).await.0, 404);
        assert_eq!(get(&format!("a/{route}?organizationId=other"), &acme).await.0, 403);
        assert_eq!(get(&format!("none/{route}"), &admin).await.0, 404);
        assert_eq!(get(&format!("single/{route}?organizationId=acme"), &admin).await.0, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_covers_its_range() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder.append((1..=300).map(|version| canonical_event("a", version))).await;
    for (query, expected) in [
        ("", (1..=300).collect::<Vec<i64>>()),
        ("fromVersion=10&toVersion=12", vec![10, 11, 12]),
        ("toVersion=2", vec![1, 2]),
        ("at=2026-01-15T12:00:03Z", vec![1, 2, 3]),
        ("from=2026-01-15T12:04:59Z", vec![299, 300]),
        ("to=2026-01-15T12:00:03Z", vec![1, 2]),
        ("at=2020-01-01T00:00:00Z", vec![]),
        ("follow=false&toVersion=1", vec![1]),
    ] {
        let path = format!("/v1/aggregates/Order/a/replay?{query}");
        assert_eq!(versions(&server.lines(&path).await), expected, "{query}");
        let request = server.request(&path, &Token::admin()).header("accept", "text/event-stream");
        let text = request.send().await.expect("an answer").text().await.expect("a whole stream");
        let blocks = sse::parse(&text);
        assert_eq!(blocks[0].retry.as_deref(), Some("2000"));
        assert!(blocks.last().expect("blocks").is_end());
        let events: Vec<Value> =
            blocks.iter().filter(|block| block.is_event()).map(sse::Block::json).collect();
        assert_eq!(versions(&events), expected, "{query}");
        // From each id the rest follows; from the end's, nothing.
        for (index, block) in blocks.iter().filter(|block| block.is_event()).enumerate().step_by(37) {
            let id = block.id.as_deref().expect("every event has an id");
            assert!(id.starts_with("h."), "{id}");
            let request = server.request(&path, &Token::admin()).header("accept", "text/event-stream");
            let rest = request
                .header("last-event-id", id)
                .send()
                .await
                .expect("an answer")
                .text()
                .await
                .expect("a stream");
            let rest: Vec<Value> =
                sse::parse(&rest).iter().filter(|block| block.is_event()).map(sse::Block::json).collect();
            assert_eq!(versions(&rest), expected[index + 1..], "{query} behind {id}");
        }
        let end = blocks.last().and_then(|block| block.id.clone()).expect("the end has an id");
        let request = server.request(&path, &Token::admin()).header("accept", "text/event-stream");
        let answer = request.header("last-event-id", end).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
    for query in [
        "follow=true&at=2026-01-15T12:00:03Z",
        "follow=true&to=2026-01-15T12:00:03Z",
        "follow=true&toVersion=3",
        "follow=yes",
        "fromVersion=-1",
        "fromVersion=5&toVersion=4",
        "after=start",
    ] {
        let answer = server.get(&format!("/v1/aggregates/Order/a/replay?{query}")).await;
        assert_eq!(problem(answer, StatusCode::BAD_REQUEST).await, "invalid-request", "{query}");
    }
    for id in ["x", "1:2", "h.1.2.3.4", "h.9999999.1.1.1.1", "r.999:0", "r.1:0"] {
        let request =
            server.request("/v1/aggregates/Order/a/replay", &Token::admin()).header("last-event-id", id);
        let answer = request.header("accept", "text/event-stream").send().await.expect("an answer");
        assert_eq!(problem(answer, StatusCode::BAD_REQUEST).await, "invalid-request", "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_replay_goes_on_live_without_loss() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder.append([canonical_event("a", 2), canonical_event("a", 1)]).await;
    let path = "/v1/aggregates/Order/a/replay?follow=true";
    let mut stream = Stream::open(server.request(path, &Token::admin())).await;
    let (first, second) = (stream.event().await, stream.event().await);
    assert_eq!((&first.json()["version"], &second.json()["version"]), (&1.into(), &2.into()));
    feeder.append([canonical_event("b", 1)]).await;
    feeder.append([canonical_event("a", 4), canonical_event("a", 3)]).await;
    let (third, fourth) = (stream.event().await, stream.event().await);
    assert_eq!(
        (&third.json()["version"], &fourth.json()["version"]),
        (&4.into(), &3.into()),
        "recorded order"
    );
    assert!(third.id.as_deref().expect("an id").starts_with("r."));
    drop(stream);
    feeder.append([canonical_event("a", 5)]).await;
    // From the history's id: the rest of the history, then all that came later; from a live id: what is behind it.
    for (id, expected) in [
        (first.id, vec![2, 4, 3, 5]),
        (second.id, vec![4, 3, 5]),
        (third.id, vec![3, 5]),
        (fourth.id, vec![5]),
    ] {
        let request = server.request(path, &Token::admin()).header("last-event-id", id.expect("an id"));
        let mut stream = Stream::open(request).await;
        for version in expected {
            assert_eq!(stream.event().await.json()["version"], version);
        }
    }
    let mut later = Stream::open(
        server.request("/v1/aggregates/Order/a/replay?follow=true&fromVersion=5", &Token::admin()),
    )
    .await;
    assert_eq!(later.event().await.json()["version"], 5);
    feeder.append([canonical_event("a", 1), canonical_event("a", 6)]).await;
    assert_eq!(later.event().await.json()["version"], 6, "below fromVersion nothing is sent live either");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_replay_as_lines_arrives_at_once() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder.append([canonical_event("a", 1)]).await;
    let request = server
        .request("/v1/aggregates/Order/a/replay?follow=true", &Token::admin())
        .header("accept-encoding", "gzip");
    let mut answer = request.header("accept", "application/x-ndjson").send().await.expect("an answer");
    assert!(!answer.headers().contains_key("content-encoding"), "what must arrive at once is not compressed");
    let line = answer.chunk().await.expect("a chunk").expect("a line");
    assert_eq!(parse_lines(std::str::from_utf8(&line).expect("UTF-8")).len(), 1);
    feeder.append([canonical_event("a", 2)]).await;
    let line = tokio::time::timeout(Duration::from_secs(5), answer.chunk())
        .await
        .expect("soon")
        .expect("a chunk")
        .expect("a line");
    assert_eq!(parse_lines(std::str::from_utf8(&line).expect("UTF-8"))[0]["version"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_ends_followers_so_that_they_resume_elsewhere() {
    let api = ApiSettings { heartbeat: Duration::from_millis(300), ..Options::default().api };
    let server = Server::with(Options { api, ..Options::default() }).await;
    let mut feeder = server.feeder().await;
    feeder.append([canonical_event("a", 1)]).await;
    let mut stream =
        Stream::open(server.request("/v1/aggregates/Order/a/replay?follow=true", &Token::admin())).await;
    stream.event().await;
    server.stop();
    while let Some(block) = stream.next().await {
        assert!(!block.is_end(), "the stream is not at its end");
    }
}
