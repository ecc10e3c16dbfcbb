//! `GET /v1/events` and `/v1/events/{eventId}`: orders, pages, filters, cursors, lines.

use reqwest::StatusCode;
use serde_json::Value;
use test_support::{EventBuilder, Token, canonical_event};

use crate::server::{Server, encode, ids, json, problem};

/// 2025-06-01T00:00:00Z, in microseconds.
const JUNE: i64 = 1_748_736_000_000_000;

fn at(id: &str, seconds: i64) -> EventBuilder {
    canonical_event(id, 1).at_micros(JUNE + seconds * 1_000_000)
}

/// Every page of a list, following `nextCursor` to its end.
async fn all_pages(server: &Server, query: &str, limit: usize) -> Vec<Value> {
    let mut events = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.json(&format!("/v1/events?{query}&limit={limit}{cursor}")).await;
        let data = page["data"].as_array().expect("data").clone();
        assert!(data.len() <= limit);
        assert_eq!(page["page"]["limit"], limit);
        let done = data.is_empty();
        events.extend(data);
        match page["page"]["nextCursor"].as_str() {
            // Ascending recorded order has no end: an empty page is where to stop.
            Some(_) if done => return events,
            Some(next) => cursor = format!("&cursor={next}"),
            None => return events,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_pages_through_ties_without_loss() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    // Few moments for many events, out of order, over several appends and partitions: ties everywhere.
    for round in 0..6 {
        for partition in 0..2 {
            let events = (0..7).map(|index| at(&format!("a{index}"), (index * 5 + round) % 4));
            feeder.append_to("audit.events", partition, events).await;
        }
    }
    let by_time = all_pages(&server, "order=asc", 1000).await;
    assert_eq!(by_time.len(), 84);
    let key = |event: &Value| {
        let position = event["position"].as_str().expect("a position").split_once(':').expect("two numbers");
        let numbers =
            (position.0.parse::<i64>().expect("a log"), position.1.parse::<i64>().expect("an offset"));
        (event["timestamp"].as_str().expect("a time").to_owned(), numbers)
    };
    assert!(by_time.is_sorted_by_key(key), "by time, then by position");
    let recorded = all_pages(&server, "sort=recorded&order=asc", 1000).await;
    assert_eq!(recorded.len(), 84);
    for (query, whole) in [("order=asc", &by_time), ("sort=recorded&order=asc", &recorded)] {
        let forward = ids(whole);
        let backward: Vec<String> = forward.iter().rev().cloned().collect();
        for limit in [1, 2, 5, 83, 84, 85] {
            assert_eq!(ids(&all_pages(&server, query, limit).await), forward, "{query} by {limit}");
            let reverse = query.replace("asc", "desc");
            assert_eq!(ids(&all_pages(&server, &reverse, limit).await), backward, "{reverse} by {limit}");
        }
        assert_eq!(ids(&server.lines(&format!("/v1/events?{query}")).await), forward, "{query} as lines");
    }
    assert_eq!(
        ids(&server.lines("/v1/events").await),
        ids(&all_pages(&server, "", 1000).await),
        "newest first by default"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_end_except_in_the_order_that_never_does() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let empty = server.json("/v1/events?sort=recorded&order=asc").await;
    let start = empty["page"]["nextCursor"].as_str().expect("a cursor before the first event").to_owned();
    feeder.append([at("a", 1), at("a", 2), at("a", 3)]).await;
    for (query, limit, ends) in [
        ("", 3, true),
        ("", 4, true),
        ("", 2, false),
        ("&sort=recorded", 3, true),
        ("&sort=recorded&order=asc", 3, false),
    ] {
        let answer = server.get(&format!("/v1/events?limit={limit}{query}")).await;
        let link = answer.headers().get("link").map(|link| link.to_str().expect("text").to_owned());
        let page = json(answer, StatusCode::OK).await;
        let data = page["data"].as_array().expect("data").len();
        if query == "&sort=recorded" && !page["page"]["nextCursor"].is_null() {
            // Descending recorded order may need one more page to see that it was the last.
            let cursor = page["page"]["nextCursor"].as_str().expect("a cursor");
            let last = server.json(&format!("/v1/events?limit={limit}{query}&cursor={cursor}")).await;
            assert!(
                last["page"]["nextCursor"].is_null() && last["data"].as_array().expect("data").is_empty()
            );
            continue;
        }
        assert_eq!(page["page"]["nextCursor"].is_null(), ends, "{query} {limit}");
        assert_eq!(link.is_some(), !ends, "{query} {limit}");
        assert_eq!(data, 3.min(limit));
        if let Some(link) = link {
            let next = link
                .strip_prefix('<')
                .and_then(|link| link.strip_suffix(">; rel=\"next\""))
                .expect("a next link");
            server.json(next).await;
        }
    }
    // Polling from where the store was empty sees what came since, and later what comes then.
    let polled = server.json(&format!("/v1/events?sort=recorded&order=asc&cursor={start}")).await;
    assert_eq!(polled["data"].as_array().expect("data").len(), 3);
    let next = polled["page"]["nextCursor"].as_str().expect("a cursor").to_owned();
    feeder.append([at("late", -1_000_000)]).await;
    let polled = server.json(&format!("/v1/events?sort=recorded&order=asc&cursor={next}")).await;
    assert_eq!(polled["data"][0]["aggregateId"], "late", "a late arrival is not missed");
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn each_filter_filters_and_they_combine() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let one = at("id/1", 0)
        .event_type("Order_Placed")
        .aggregate_type("Order")
        .organization("acme")
        .metadata("userId", "ann")
        .metadata("source", "shop")
        .metadata("action", "create")
        .metadata("correlationId", "c-1")
        .metadata("causationId", "b-1");
    let other = at("id/2", 10)
        .event_type("OrderXPlaced")
        .aggregate_type("Invoice")
        .organization("other")
        .metadata("userId", "bob")
        .metadata("source", "desk")
        .metadata("action", "pay")
        .metadata("correlationId", "c-2")
        .metadata("causationId", "b-2");
    let nobody = at("id/3", 20)
        .event_type("Ping")
        .aggregate_type("Service")
        .without_metadata("organizationId")
        .without_metadata("userId");
    feeder.append([one, other, nobody]).await;
    let range = "from=2025-05-31T00:00:00Z&to=2025-06-02T00:00:00Z";
    for (query, expected) in [
        ("eventType=Order_Placed", "id/1"),
        ("eventType=Order*", "id/1 id/2"),
        ("eventType=Order_*", "id/1"),
        ("eventType=*Placed", "id/1 id/2"),
        ("eventType=O*r_P*d", "id/1"),
        ("eventType=Order%25", ""),
        ("eventType=%5C", ""),
        ("eventType=Ping&eventType=Order_Placed", "id/1 id/3"),
        ("aggregateType=Invoice", "id/2"),
        ("aggregateType=In*", "id/2"),
        ("aggregateType=*", "id/1 id/2 id/3"),
        ("aggregateId=id%2F1", "id/1"),
        ("aggregateId=id%2F1&aggregateId=id%2F3", "id/1 id/3"),
        ("userId=ann", "id/1"),
        ("userId=ann&userId=bob", "id/1 id/2"),
        ("organizationId=acme", "id/1"),
        ("organizationId=", "id/3"),
        ("organizationId=acme&organizationId=", "id/1 id/3"),
        ("source=shop", "id/1"),
        ("action=pay", "id/2"),
        ("correlationId=c-1", "id/1"),
        ("causationId=b-2", "id/2"),
        ("userId=ann&source=desk", ""),
        ("userId=ann&source=shop", "id/1"),
        ("recordedFrom=2020-01-01T00:00:00Z", "id/1 id/2 id/3"),
        ("recordedTo=2020-01-01T00:00:00Z", ""),
        ("from=2025-06-01T00:00:10Z", "id/2 id/3"),
        ("to=2025-06-01T00:00:10Z", "id/1"),
        ("from=2025-06-01T02:00:10%2B02:00&to=2025-06-01T00:00:10.000001Z", "id/2"),
        ("eventType='%20or%201=1%20--", ""),
        ("userId=%27%3B%20drop%20table%20audit.events%3B", ""),
    ] {
        let query = if query.contains("from=") || query.contains("to=") {
            query.to_owned()
        } else {
            format!("{range}&{query}")
        };
        for sort in ["", "&sort=recorded", "&sort=recorded&order=asc", "&order=asc"] {
            let page = server.json(&format!("/v1/events?{query}{sort}")).await;
            let mut found: Vec<_> = page["data"]
                .as_array()
                .expect("data")
                .iter()
                .map(|event| event["aggregateId"].as_str().expect("an id"))
                .collect();
            found.sort_unstable();
            assert_eq!(found.join(" "), expected, "{query}{sort}");
        }
        let mut lines = server.lines(&format!("/v1/events?{query}")).await;
        lines.sort_by_key(|event| event["aggregateId"].to_string());
        let found: Vec<_> = lines.iter().map(|event| event["aggregateId"].as_str().expect("an id")).collect();
        assert_eq!(found.join(" "), expected, "{query} as lines");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_answered_as_it_was_stored() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let payload = r#"{"z":1e3,"a":[1.0,"\u0041\ud83d\ude00","ä"],"big":12345678901234567890123}"#;
    let event = at("a", 0).payload_text(payload).metadata("extra", "\"quoted\"\n");
    let envelope = event.clone().build();
    let position = feeder.append([event]).await[0];
    let answer = server.get(&format!("/v1/events/{}", envelope.event_id)).await;
    let text = answer.text().await.expect("a body");
    assert!(text.contains(payload), "the payload's bytes are what they were: {text}");
    let found: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(found["timestamp"], "2025-06-01T00:00:00.000000Z");
    assert_eq!((&found["version"], &found["position"]), (&1.into(), &position.to_string().into()));
    assert_eq!(found["metadata"]["extra"], "\"quoted\"\n");
    assert_eq!(server.json("/v1/events").await["data"][0], found, "the list shows the same");
    assert_eq!(server.lines("/v1/replay").await[0], found, "and so does the replay");
    assert_eq!(server.json(&format!("/v1/events/{}", envelope.event_id.to_uppercase())).await, found);
    let none = server.get("/v1/events/0191d4c6-7d5e-7c1a-b1a2-0f5f6f1c2d3e").await;
    assert_eq!(problem(none, StatusCode::NOT_FOUND).await, "not-found");
    for bad in
        ["x", "0191d4c67d5e7c1ab1a20f5f6f1c2d3e", "%7B0191d4c6-7d5e-7c1a-b1a2-0f5f6f1c2d3e%7D", "%00", "%ff"]
    {
        assert_eq!(
            problem(server.get(&format!("/v1/events/{bad}")).await, StatusCode::BAD_REQUEST).await,
            "invalid-request",
            "{bad}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_belong_to_their_request() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder.append((0..5).map(|index| at("a", index))).await;
    let page = server.json("/v1/events?limit=2&userId=user-1").await;
    let cursor = page["page"]["nextCursor"].as_str().expect("a cursor").to_owned();
    for other in [
        "limit=2",
        "limit=2&userId=user-2",
        "userId=user-1&order=asc",
        "userId=user-1&sort=recorded",
        "userId=user-1&from=2025-01-01T00:00:00Z",
    ] {
        let answer = server.get(&format!("/v1/events?{other}&cursor={cursor}")).await;
        assert_eq!(problem(answer, StatusCode::BAD_REQUEST).await, "cursor-mismatch", "{other}");
    }
    let same = server.json(&format!("/v1/events?userId=user-1&limit=3&cursor={cursor}")).await;
    assert_eq!(same["data"].as_array().expect("data").len(), 3, "another limit is the same list");
    let mut tampered: Vec<String> = (0..cursor.len())
        .map(|at| {
            let mut text: Vec<u8> = cursor.clone().into_bytes();
            text[at] = if text[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(text).expect("ASCII")
        })
        .collect();
    tampered.extend([
        "x".to_owned(),
        "%00".to_owned(),
        "A".repeat(300),
        cursor[..cursor.len() - 1].to_owned(),
    ]);
    for cursor in tampered {
        let answer = server.get(&format!("/v1/events?userId=user-1&cursor={cursor}")).await;
        assert!([200, 400].contains(&answer.status().as_u16()), "{cursor}: {}", answer.status());
    }
    // A cursor gives nobody more than his token does.
    let own = Token::org_admin("other");
    let answer = server.get_as(&format!("/v1/events?userId=user-1&cursor={cursor}"), &own).await;
    assert!(json(answer, StatusCode::OK).await["data"].as_array().expect("data").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_given_when_asked_for() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder.append((0..5).map(|index| at("a", index))).await;
    assert!(server.json("/v1/events").await["page"].get("total").is_none());
    for count in ["exact", "capped"] {
        let page = server.json(&format!("/v1/events?count={count}&limit=2&from=2025-06-01T00:00:01Z")).await;
        assert_eq!(page["page"]["total"], 4, "{count}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_are_named_with_the_remedy() {
    let server = Server::start().await;
    for (query, kind, status) in [
        ("limit=0", "invalid-request", 400),
        ("limit=1001", "invalid-request", 400),
        ("limit=x", "invalid-request", 400),
        ("order=up", "invalid-request", 400),
        ("sort=size", "invalid-request", 400),
        ("count=some", "invalid-request", 400),
        ("from=yesterday", "invalid-request", 400),
        ("from=2025-13-01T00:00:00Z", "invalid-request", 400),
        ("from=2025-02-01T00:00:00Z&to=2025-01-01T00:00:00Z", "invalid-request", 400),
        ("userId=", "invalid-request", 400),
        ("userId=%00", "invalid-request", 400),
        ("userid=x", "invalid-request", 400),
        ("payload=7", "invalid-request", 400),
        ("limit=1&limit=2", "invalid-request", 400),
        ("cursor=x", "invalid-cursor", 400),
        ("source=x", "query-too-broad", 422),
        ("action=x", "query-too-broad", 422),
        ("payload=%7B%22total%22:1%7D", "query-too-broad", 422),
        ("eventType=*x", "query-too-broad", 422),
        ("recordedFrom=2025-01-01T00:00:00Z", "query-too-broad", 422),
        ("source=x&from=2025-01-01T00:00:00Z&to=2025-03-01T00:00:00Z", "query-too-broad", 422),
    ] {
        let answer = server.get(&format!("/v1/events?{query}")).await;
        let status = StatusCode::from_u16(status).expect("a status");
        assert_eq!(answer.status(), status, "{query}");
        let body = answer.text().await.expect("a body");
        let name = query.split('=').next().expect("a name");
        assert!(body.contains(&format!("urn:audit-trail:problem:{kind}")), "{query}: {body}");
        assert!(
            body.contains(name) || query.starts_with("from=2025-02"),
            "{query}: the parameter is named: {body}"
        );
    }
    for accept in ["text/plain", "text/html", "application/xml;q=1"] {
        let request = server.request("/v1/events", &Token::admin()).header("accept", accept);
        assert_eq!(
            problem(request.send().await.expect("an answer"), StatusCode::NOT_ACCEPTABLE).await,
            "not-acceptable"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accesses_are_left_out_unless_asked_for_by_type() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder.append([at("a", 0), at("tester", 1).aggregate_type("AuditAccess")]).await;
    for path in ["/v1/events", "/v1/replay"] {
        assert_eq!(server.lines(path).await.len(), 1, "{path}");
        assert_eq!(server.lines(&format!("{path}?aggregateType=AuditAccess")).await.len(), 1, "{path}");
        assert_eq!(server.lines(&format!("{path}?aggregateType=*")).await.len(), 2, "{path}");
    }
    assert_eq!(server.json("/v1/events?count=exact").await["page"]["total"], 1);
    let history = server.json(&format!("/v1/aggregates/AuditAccess/{}/events", encode("tester"))).await;
    assert_eq!(history["data"].as_array().expect("data").len(), 1);
}
