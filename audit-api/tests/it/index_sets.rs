//! The API over a database with the essential indexes (semantics.md 7, 11): the guard, an organisation's own events, and
//! how it learns that the indexes changed.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use shared::index_set::IndexSet;
use store::indexes::apply;
use test_support::{
    Daemon, DaemonConfig, EventBuilder, Role, TestDatabase, Token, canonical_event, wait_until,
};

use crate::{
    feeder::Feeder,
    server::{Options, Server, ids, json, parse_lines, problem},
};

/// 2025-06-01T00:00:00Z, in microseconds.
const JUNE: i64 = 1_748_736_000_000_000;
const DAY: i64 = 86_400_000_000;

async fn with_indexes(set: IndexSet) -> TestDatabase {
    let database = TestDatabase::create().await;
    apply(&database.database_url(Role::Migrator), set, |_| {}).await.expect("the set is applied");
    database
}

fn event(number: i64, organization: &str) -> EventBuilder {
    canonical_event(&format!("a{number}"), 1)
        .at_micros(JUNE + number * DAY)
        .organization(organization)
        .metadata("correlationId", "c")
        .metadata("causationId", "d")
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_without_their_index_are_refused_with_the_remedy_or_bounded() {
    let server = Server::on(with_indexes(IndexSet::Essential).await, Options::default()).await;
    server.feeder().await.append((0..60).map(|number| event(number, "acme"))).await;
    let june = "from=2025-06-01T00:00:00Z&to=2025-07-01T00:00:00Z";
    for filter in [
        "organizationId=acme",
        "userId=user-1",
        "eventType=OrderCreated",
        "eventType=Order*",
        "correlationId=c",
        "causationId=d",
    ] {
        let answer = server.get(&format!("/v1/events?{filter}")).await;
        let refused = json(answer, StatusCode::UNPROCESSABLE_ENTITY).await;
        let detail = refused["detail"].as_str().expect("a detail");
        let name = filter.split('=').next().expect("a name");
        assert_eq!(refused["type"], "urn:audit-trail:problem:query-too-broad");
        assert!(detail.starts_with(&format!("{name} has no index in this database")), "{detail}");
        assert!(detail.contains("`trailctl index --set standard`"), "{detail}");
        for sort in ["", "&sort=recorded", "&order=asc"] {
            let found = server.json(&format!("/v1/events?{filter}&{june}&limit=1000{sort}")).await;
            assert_eq!(found["data"].as_array().map(Vec::len), Some(30), "{filter}{sort}");
        }
        let bound = "aggregateType=Order&aggregateId=a7";
        assert_eq!(
            server.json(&format!("/v1/events?{filter}&{bound}")).await["data"][0]["aggregateId"],
            "a7"
        );
    }
    // What needs no index of its own is as before: everything, one aggregate, recorded order.
    assert_eq!(server.json("/v1/events?limit=1000&count=exact").await["page"]["total"], 60);
    for path in ["/v1/replay?userId=user-1", "/v1/aggregates/Order/a7/replay", "/v1/events?sort=recorded"] {
        assert!(!server.lines(path).await.is_empty(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_lists_its_own_events_whole_without_an_index() {
    let server = Server::on(with_indexes(IndexSet::Essential).await, Options::default()).await;
    let mut feeder = server.feeder().await;
    // One event in fifty is of the small organisation, over five years.
    let of = |number: i64| if number % 50 == 7 { "small" } else { "large" };
    let events = (0..500).map(|number| event(number * 4 - 2000, of(number)));
    feeder.append(events).await;
    let token = Token::org_admin("small");
    let mut wanted: Vec<String> = Vec::new();
    for query in ["", "organizationId=small&", "from=1948-01-01T00:00:00Z&", "count=exact&"] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let answer = server.get_as(&format!("/v1/events?{query}limit=3{cursor}"), &token).await;
            let page = json(answer, StatusCode::OK).await;
            found.extend(page["data"].as_array().expect("data").clone());
            match page["page"]["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert!(found.is_sorted_by(|a, b| a["timestamp"].as_str() > b["timestamp"].as_str()), "{query}");
        assert!(found.iter().all(|event| event["metadata"]["organizationId"] == "small"));
        assert_eq!(found.len(), 10, "{query}");
        wanted = ids(&found);
    }
    let lines = server.request("/v1/events?order=asc", &token).header("accept", "application/x-ndjson");
    let lines: Vec<Value> =
        parse_lines(&lines.send().await.expect("an answer").text().await.expect("a whole answer"));
    wanted.reverse();
    assert_eq!(ids(&lines), wanted);

    let other = server.get_as("/v1/events?organizationId=large", &token).await;
    assert_eq!(problem(other, StatusCode::FORBIDDEN).await, "forbidden");
    let user = server.get_as("/v1/events?userId=user-1", &token).await;
    assert_eq!(problem(user, StatusCode::UNPROCESSABLE_ENTITY).await, "query-too-broad");
    let none = json(server.get_as("/v1/events", &Token::org_admin("nobody")).await, StatusCode::OK).await;
    assert_eq!((&none["data"], &none["page"]["nextCursor"]), (&serde_json::json!([]), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_api_learns_that_the_indexes_changed() {
    let database = with_indexes(IndexSet::Essential).await;
    Feeder::new(&database).await.append([event(0, "acme")]).await;
    let daemon = Daemon::audit_api(&DaemonConfig::new(&database)).ready().await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let status = async || {
        let request = client.get(daemon.url("/v1/events?userId=user-1"));
        request.header("authorization", Token::admin().bearer()).send().await.expect("an answer").status()
    };
    let until = async |what: &str, wanted: StatusCode| {
        let ask = async || (status().await == wanted).then_some(());
        wait_until(what, Duration::from_secs(20), ask).await;
    };
    assert_eq!(status().await, StatusCode::UNPROCESSABLE_ENTITY);
    let migrator = database.database_url(Role::Migrator);
    apply(&migrator, IndexSet::Standard, |_| {}).await.expect("built");
    until("the API uses the index", StatusCode::OK).await;
    apply(&migrator, IndexSet::Essential, |_| {}).await.expect("dropped");
    until("the API knows that it is gone", StatusCode::UNPROCESSABLE_ENTITY).await;
}
