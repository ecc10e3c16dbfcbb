//! What is counted beside the ingest: aggregates and event types, and the moment that they show.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use service::{Health, Shutdown};
use test_support::{Role, TestDatabase, Token, canonical_event, wait_until};

use crate::server::{Server, encode, json as json_of, problem};

/// Runs a projector until it has read everything, and stops it.
pub(crate) async fn project(database: &TestDatabase) {
    let settings = projector::Settings {
        database_url: database.database_url(Role::Projector),
        batch_max_events: 1000,
        poll: Duration::from_millis(20),
    };
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let running = tokio::spawn(async move { projector::run(settings, &Health::new(), shutdown).await });
    let client =
        store::connect(&database.database_url(Role::Operator), "test-api").await.expect("a connection");
    wait_until("the projections have read everything", Duration::from_mins(1), || async {
        let states = store::projections::states(&client).await.expect("readable");
        states.iter().all(|state| state.as_of.behind == 0).then_some(())
    })
    .await;
    stop.request();
    running.await.expect("it does not panic").expect("it stops as asked");
}

/// Two aggregates of `demo`, one of them with a gap and a fork, one of `other`, one access record.
async fn filled() -> Server {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder.append((1..4).map(|version| canonical_event("o-1", version))).await;
    feeder.append([1, 4, 4, 7].map(|version| canonical_event("o-2", version))).await;
    feeder.append([canonical_event("o-1", 1).organization("other").event_type("OrderSeen")]).await;
    feeder.append([canonical_event("u", 0).aggregate_type("AuditAccess").event_type("Read")]).await;
    project(&server.database).await;
    server
}

fn names<'a>(answer: &'a Value) -> Vec<(&'a str, &'a str)> {
    let items = answer["data"].as_array().expect("data");
    let text = |value: &'a Value| value.as_str().expect("a text");
    items.iter().map(|item| (text(&item["aggregateId"]), text(&item["organizationId"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_are_listed_with_their_counts_and_faults() {
    let server = filled().await;
    let answer = server.json("/v1/aggregates").await;
    let first = |version: &str| format!("2026-01-15T12:00:{version}.000000Z");
    let item = |id: &str, own: &str, count: i64, last: i32, integrity: Value| {
        json!({
            "aggregateType": "Order", "aggregateId": id, "organizationId": own, "eventCount": count, "lastVersion": last,
            "firstTime": first("01"), "lastTime": first(&format!("0{last}")), "integrity": integrity,
        })
    };
    let whole = json!({ "gaps": [], "forks": [] });
    let expected = json!([
        item("o-1", "demo", 3, 3, whole.clone()),
        item("o-1", "other", 1, 1, whole),
        item("o-2", "demo", 4, 7, json!({ "gaps": [[2, 3], [5, 6]], "forks": [4] })),
    ]);
    assert_eq!(answer["data"], expected);
    assert_eq!(answer["page"], json!({ "limit": 100, "nextCursor": null }));
    let recorded = server.json("/v1/events?aggregateType=AuditAccess").await["data"][0]["recordedAt"].clone();
    let as_of = json!({ "append": 4, "recordedAt": recorded, "behind": 0, "ageSeconds": 0.0 });
    assert_eq!(answer["asOf"], as_of);

    let cases = [
        ("integrity=gap", vec![("o-2", "demo")]),
        ("integrity=fork", vec![("o-2", "demo")]),
        ("aggregateType=Order&aggregateId=o-1", vec![("o-1", "demo"), ("o-1", "other")]),
        ("aggregateType=Ord*&organizationId=other", vec![("o-1", "other")]),
        ("aggregateType=AuditAccess", vec![("u", "demo")]),
        ("aggregateType=None", vec![]),
        ("from=2026-01-15T12:00:04Z", vec![("o-2", "demo")]),
        ("to=2026-01-15T12:00:01Z", vec![]),
        ("from=2026-01-15T12:00:02Z&to=2026-01-15T12:00:02Z", vec![("o-1", "demo"), ("o-2", "demo")]),
    ];
    for (query, expected) in cases {
        let answer = server.json(&format!("/v1/aggregates?{query}")).await;
        assert_eq!(names(&answer), expected, "{query}");
    }
    for query in ["aggregateId=o-1", "aggregateId=o-1&aggregateType=Ord*", "aggregateType=*x"] {
        let answer = server.get(&format!("/v1/aggregates?{query}")).await;
        assert_eq!(problem(answer, StatusCode::UNPROCESSABLE_ENTITY).await, "query-too-broad", "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_aggregates_and_types_meet_without_overlap() {
    let server = filled().await;
    for (path, all) in [("/v1/aggregates?limit=1", 3), ("/v1/event-types?limit=1", 4)] {
        let (mut seen, mut address) = (Vec::new(), path.to_owned());
        loop {
            let answer = server.json(&address).await;
            seen.extend(answer["data"].as_array().expect("data").clone());
            let Some(cursor) = answer["page"]["nextCursor"].as_str() else { break };
            address = format!("{path}&cursor={}", encode(cursor));
        }
        let whole = server.json(path.split('?').next().expect("a path")).await;
        assert_eq!((&Value::from(seen), whole["data"].as_array().map(Vec::len)), (&whole["data"], Some(all)));
        let cursor = server.json(path).await["page"]["nextCursor"].as_str().expect("a next page").to_owned();
        let answer = server.get(&format!("{path}&organizationId=demo&cursor={cursor}")).await;
        assert_eq!(problem(answer, StatusCode::BAD_REQUEST).await, "cursor-mismatch");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn event_types_are_counted_over_what_the_caller_may_see() {
    let server = filled().await;
    let at = |second: u8| format!("2026-01-15T12:00:0{second}.000000Z");
    let kind = |name: &str, count: i64, first: u8, last: u8| json!({ "eventType": name, "eventCount": count, "firstTime": at(first), "lastTime": at(last) });
    let all = [
        kind("OrderCreated", 2, 1, 1),
        kind("OrderSeen", 1, 1, 1),
        kind("OrderUpdated", 5, 2, 7),
        kind("Read", 1, 0, 0),
    ];
    let answer = server.json("/v1/event-types").await;
    assert_eq!(answer["data"], json!(all));
    assert_eq!((&answer["asOf"]["append"], &answer["asOf"]["behind"]), (&json!(4), &json!(0)));
    assert_eq!(server.json("/v1/event-types?eventType=OrderS*").await["data"], json!([all[1]]));
    assert_eq!(server.json("/v1/event-types?organizationId=other").await["data"], json!([all[1]]));

    let other = Token::org_admin("other");
    let own = json_of(server.get_as("/v1/event-types", &other).await, StatusCode::OK).await;
    assert_eq!(own["data"], json!([all[1]]));
    let own = json_of(server.get_as("/v1/aggregates", &other).await, StatusCode::OK).await;
    assert_eq!(names(&own), [("o-1", "other")]);
    for path in ["/v1/event-types", "/v1/aggregates"] {
        let answer = server.get_as(&format!("{path}?organizationId=demo"), &other).await;
        problem(answer, StatusCode::FORBIDDEN).await;
        problem(server.get_as(path, &Token::with_roles(&["audit:operator"])).await, StatusCode::FORBIDDEN)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_says_how_far_it_has_come_also_when_nobody_counts() {
    let server = Server::start().await;
    let answer = server.json("/v1/aggregates").await;
    let nothing = json!({ "append": 0, "recordedAt": null, "behind": 0, "ageSeconds": 0.0 });
    assert_eq!((&answer["data"], &answer["asOf"]), (&json!([]), &nothing));
    let mut feeder = server.feeder().await;
    feeder.append([canonical_event("o-1", 1)]).await;
    project(&server.database).await;
    // The projector is stopped now.
    feeder.append([canonical_event("o-2", 1)]).await;
    feeder.append([canonical_event("o-3", 1)]).await;
    let answer = server.json("/v1/aggregates").await;
    assert_eq!(names(&answer), [("o-1", "demo")]);
    let as_of = &answer["asOf"];
    assert_eq!((&as_of["append"], &as_of["behind"]), (&json!(1), &json!(2)));
    let age = as_of["ageSeconds"].as_f64().expect("a number");
    let later = server.json("/v1/event-types").await["asOf"]["ageSeconds"].as_f64().expect("a number");
    assert!(0.0 < age && age < later, "{age} {later}");
}
