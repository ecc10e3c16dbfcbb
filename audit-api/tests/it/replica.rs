//! Reads from a real streaming standby that is held back, goes away and comes again.

use std::{collections::BTreeSet, time::Duration};

use reqwest::StatusCode;
use serde_json::Value;
use service::config::ApiSettings;
use store::{DatabaseUrl, Reader};
use test_support::{FaultProxy, PostgresNode, Role, TestDatabase, Token, canonical_event, wait_until};

use crate::{
    feeder::Feeder,
    projected::project,
    server::{Options, Server, ids, json, problem},
    sse::Stream,
};

const PATIENCE: Duration = Duration::from_mins(1);

/// A primary with a database, a standby that streams from it, and an API over both.
struct Pair {
    primary: PostgresNode,
    standby: PostgresNode,
    server: Server,
}

impl Pair {
    async fn start(max_lag: Duration) -> Self {
        let primary = PostgresNode::start(&["wal_level=replica"]).await;
        let database = TestDatabase::create_on(&primary).await;
        let standby = primary.standby(&["hot_standby=on"]).await;
        let replica = standby.in_place_of(&database.url_for(Role::Api));
        let server = Server::on(database, options(max_lag, replica)).await;
        let pair = Self { primary, standby, server };
        pair.used(true).await;
        pair
    }

    /// Waits until reads go to the standby, or no longer do.
    async fn used(&self, expected: bool) {
        let replica = self.server.replica.as_ref().expect("this API has a standby");
        wait_until(&format!("the standby is used: {expected}"), PATIENCE, || async {
            (replica.is_used() == expected).then_some(())
        })
        .await;
    }

    /// Waits until the standby shows all that the primary has.
    async fn caught_up(&self) {
        let (primary, standby) =
            (self.primary.connect(self.name()).await, self.standby.connect(self.name()).await);
        let head = "select coalesce(max(append_no), 0) from audit.appends";
        let wanted: i64 = primary.query_one(head, &[]).await.expect("readable").get(0);
        wait_until("the standby has caught up", PATIENCE, || async {
            (standby.query_one(head, &[]).await.ok()?.get::<_, i64>(0) == wanted).then_some(())
        })
        .await;
    }

    fn name(&self) -> &str {
        self.server.database.name()
    }

    async fn count(&self, at_least: Option<&str>) -> usize {
        self.page("/v1/events?limit=1000", at_least).await["data"].as_array().expect("data").len()
    }

    async fn page(&self, path: &str, at_least: Option<&str>) -> Value {
        let mut request = self.server.request(path, &Token::admin());
        if let Some(position) = at_least {
            request = request.header("audit-at-least", position);
        }
        json(request.send().await.expect("an answer"), StatusCode::OK).await
    }

    async fn tail(&self, path: &str, last: Option<&str>) -> Stream {
        let mut request = self.server.request(path, &Token::admin());
        if let Some(id) = last {
            request = request.header("last-event-id", id);
        }
        Stream::open(request).await
    }
}

fn options(max_lag: Duration, replica: String) -> Options {
    let api = ApiSettings { pool_size: 4, replica_max_lag: max_lag, ..ApiSettings::default() };
    Options { api, replica: Some(replica), ..Options::default() }
}

async fn versions(stream: &mut Stream, count: usize) -> Vec<i64> {
    let mut versions = Vec::new();
    for _ in 0..count {
        versions.push(stream.event().await.json()["version"].as_i64().expect("a version"));
    }
    versions
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_held_standby_nothing_is_skipped_and_what_was_written_is_found() {
    let pair = Pair::start(PATIENCE * 60).await;
    let mut feeder = pair.server.feeder().await;
    feeder.append((1..=3).map(|version| canonical_event("a", version))).await;
    pair.caught_up().await;
    pair.standby.hold().await;
    let mut tail = pair.tail("/v1/stream?after=start", None).await;
    assert_eq!(versions(&mut tail, 3).await, [1, 2, 3]);
    let late = feeder.append((4..=5).map(|version| canonical_event("a", version))).await;
    let newest = late[1].to_string();

    assert_eq!(pair.count(None).await, 3, "the standby answers, with what it has");
    assert_eq!(pair.count(Some(&newest)).await, 5, "who has written asks for what he wrote");
    let page = pair.page("/v1/events?order=desc", Some(&newest)).await;
    let id = ids(page["data"].as_array().expect("data")).remove(0);
    assert_eq!(
        pair.server.json(&format!("/v1/events/{id}")).await["version"],
        5,
        "not known there: asked again"
    );
    let fate = pair.server.json(&format!("/v1/ledger/records/audit.events/0/{}", late[1].offset)).await;
    assert_eq!(fate["state"], "stored", "what became of a record is the primary's to say");
    let refused = pair.server.request("/v1/events", &Token::admin()).header("audit-at-least", "x");
    let refused = problem(refused.send().await.expect("an answer"), StatusCode::BAD_REQUEST).await;
    assert_eq!(refused, "invalid-request");

    // A stream that stood further than the standby goes on at the primary.
    let mut ahead = pair.tail("/v1/stream", Some(&late[0].to_string())).await;
    assert_eq!(versions(&mut ahead, 1).await, [5]);
    feeder.append([canonical_event("a", 6)]).await;
    assert_eq!(versions(&mut ahead, 1).await, [6]);
    // The tail behind the standby saw none of it, and misses none of it.
    pair.standby.go_on().await;
    assert_eq!(versions(&mut tail, 3).await, [4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_from_the_primary_waits_at_the_standby_and_never_goes_back() {
    let pair = Pair::start(PATIENCE * 60).await;
    let mut feeder = pair.server.feeder().await;
    feeder.append((1..=2).map(|version| canonical_event("a", version))).await;
    pair.caught_up().await;
    pair.standby.hold().await;
    let newest = feeder.append((3..=4).map(|version| canonical_event("a", version))).await[1].to_string();

    let path = "/v1/events?sort=recorded&order=asc&limit=3";
    let page = pair.page(path, Some(&newest)).await;
    let cursor = page["page"]["nextCursor"].as_str().expect("it is never null").to_owned();
    let (mut seen, next) = (ids(page["data"].as_array().expect("data")), format!("{path}&cursor={cursor}"));
    let waiting = pair.server.json(&next).await;
    assert_eq!(waiting["data"], serde_json::json!([]), "the standby has not come so far");
    assert_eq!(waiting["page"]["nextCursor"], *cursor, "and sends nobody back");

    // The replay of an aggregate, cut off in the middle at the primary, ends whole wherever it is resumed.
    let replay = "/v1/aggregates/Order/a/replay";
    let request = pair.server.request(replay, &Token::admin()).header("audit-at-least", &newest);
    let mut whole = Stream::open(request).await;
    let second = (whole.event().await, whole.event().await).1.id.expect("an id");
    let mut rest = pair.tail(replay, Some(&second)).await;
    assert_eq!(versions(&mut rest, 2).await, [3, 4]);
    assert!(rest.event().await.is_end());

    feeder.append([canonical_event("a", 5)]).await;
    pair.standby.go_on().await;
    pair.caught_up().await;
    let page = pair.server.json(&next).await;
    seen.extend(ids(page["data"].as_array().expect("data")));
    let all = pair.page("/v1/events?sort=recorded&order=asc", None).await;
    assert_eq!(seen, ids(all["data"].as_array().expect("data")), "each event once, in order");
    assert_eq!(seen.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn projections_say_how_far_behind_the_standby_is() {
    let pair = Pair::start(PATIENCE * 60).await;
    let mut feeder = pair.server.feeder().await;
    feeder.append([canonical_event("a", 1)]).await;
    project(&pair.server.database).await;
    pair.caught_up().await;
    pair.standby.hold().await;
    feeder.append([canonical_event("a", 2)]).await;
    feeder.append([canonical_event("a", 3)]).await;
    // The primary's projection goes on; the standby still shows the first append, and knows that two follow.
    project(&pair.server.database).await;
    wait_until("the answer knows what the standby lacks", PATIENCE, || async {
        let as_of = pair.server.json("/v1/aggregates").await["asOf"].clone();
        assert_eq!(as_of["append"], 1, "{as_of}");
        (as_of["behind"] == 2 && as_of["ageSeconds"].as_f64() > Some(0.0)).then_some(())
    })
    .await;
    pair.standby.go_on().await;
    wait_until("the answer is current again", PATIENCE, || async {
        let as_of = pair.server.json("/v1/aggregates").await["asOf"].clone();
        (as_of["append"] == 3 && as_of["behind"] == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_far_behind_or_away_the_primary_answers_and_tails_move_over() {
    let mut pair = Pair::start(Duration::from_secs(1)).await;
    let mut feeder = pair.server.feeder().await;
    feeder.append([canonical_event("a", 1)]).await;
    pair.caught_up().await;
    pair.standby.hold().await;
    let mut tail = pair.tail("/v1/stream?after=start", None).await;
    let last = tail.event().await.id.expect("an id");
    feeder.append([canonical_event("a", 2)]).await;
    pair.used(false).await;
    assert_eq!(pair.count(None).await, 2, "the primary answers");
    assert_eq!(tail.next().await.filter(|block| block.data.is_some()), None, "the tail ends");
    let mut tail = pair.tail("/v1/stream", Some(&last)).await;
    assert_eq!(versions(&mut tail, 1).await, [2], "and resumes at the primary");
    pair.standby.go_on().await;
    pair.used(true).await;

    pair.standby.stop();
    assert_eq!(pair.count(None).await, 2, "at once, also before the loss was noticed");
    pair.used(false).await;
    feeder.append([canonical_event("a", 3)]).await;
    assert_eq!(versions(&mut tail, 1).await, [3]);
    pair.standby.restart().await;
    pair.used(true).await;
    pair.caught_up().await;
    assert_eq!(pair.count(None).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_primary_reads_go_on_at_the_standby() {
    let mut pair = Pair::start(Duration::from_secs(10)).await;
    let mut feeder = pair.server.feeder().await;
    feeder.append((1..=2).map(|version| canonical_event("a", version))).await;
    pair.caught_up().await;
    drop(feeder);
    pair.primary.stop();
    assert_eq!(pair.count(None).await, 2);
    let history = pair.server.json("/v1/aggregates/Order/a/events").await;
    let known = ids(history["data"].as_array().expect("data"));
    assert_eq!(known.len(), 2);
    assert_eq!(pair.server.json(&format!("/v1/events/{}", known[1])).await["version"], 2);
    assert_eq!(pair.server.json("/v1/aggregates/Order/a").await["version"], 2);
    assert_eq!(pair.server.lines("/v1/replay").await.len(), 2);
    let mut tail = pair.tail("/v1/stream?after=start", None).await;
    assert_eq!(versions(&mut tail, 2).await, [1, 2]);
    // What the standby does not know, nobody can say now.
    let unknown = pair.server.get("/v1/events/0194fdc2-fa2f-7cc0-81d3-ff12045b73c8").await;
    assert_eq!(problem(unknown, StatusCode::SERVICE_UNAVAILABLE).await, "unavailable");
    pair.primary.restart().await;
    let unknown = pair.server.get("/v1/events/0194fdc2-fa2f-7cc0-81d3-ff12045b73c8").await;
    assert_eq!(problem(unknown, StatusCode::NOT_FOUND).await, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_the_standby_breaks_off_is_answered_by_the_primary() {
    let primary = PostgresNode::start(&["wal_level=replica"]).await;
    let database = TestDatabase::create_on(&primary).await;
    let standby = primary.standby(&["max_standby_streaming_delay=0"]).await;
    // PostgreSQL's own word for it: what has to be applied takes away what a statement is reading.
    let url = DatabaseUrl::new(standby.in_place_of(&database.url_for(Role::Api)));
    let reading = store::connect(&url, "test-replica").await.expect("the standby takes connections");
    reading.batch_execute("begin; select append_no from audit.appends").await.expect("a read has begun");
    let owner = primary.connect(database.name()).await;
    owner.batch_execute("begin; lock table audit.appends; commit").await.expect("the primary locks");
    let error = wait_until("the standby breaks the read off", PATIENCE, || async {
        reading.batch_execute("select append_no from audit.appends").await.err()
    })
    .await;
    assert!(store::StoreError::from(error).is_transient(), "worth another try");

    // And what the API makes of a standby that breaks off: the caller does not see it.
    let proxy = FaultProxy::start(&standby.address()).await;
    let replica = proxy.url(&database.url_for(Role::Api));
    let server = Server::on(database, options(PATIENCE, replica)).await;
    let pair = Pair { primary, standby, server };
    pair.used(true).await;
    pair.server.feeder().await.append([canonical_event("a", 1)]).await;
    pair.caught_up().await;
    proxy.refuse();
    proxy.cut();
    assert_eq!(pair.count(None).await, 1);
    assert_eq!(pair.server.lines("/v1/replay").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_standbys_behind_one_address_are_never_mixed() {
    let primary = PostgresNode::start(&["wal_level=replica"]).await;
    let database = TestDatabase::create_on(&primary).await;
    let (one, other) = tokio::join!(primary.standby(&[]), primary.standby(&[]));
    other.hold().await;
    let mut feeder = Feeder::new(&database).await;
    feeder.append([canonical_event("a", 1)]).await;
    // Such an address leads to one of the two each time.
    let url = format!(
        "postgres://audit_api@{},{}/{}?load_balance_hosts=random",
        one.address(),
        other.address(),
        database.name()
    );
    let reader =
        Reader::connect_to_one(&DatabaseUrl::new(url), 30, "test-replica").await.expect("one answers");
    let places = futures::future::join_all((0..30).map(|_| reader.place())).await;
    let (answers, refusals): (Vec<_>, Vec<_>) = places.into_iter().partition(Result::is_ok);
    let refusal = refusals.into_iter().find_map(Result::err).expect("30 connections meet both servers");
    assert!(refusal.is_transient() && refusal.to_string().contains("another server"), "{refusal}");
    let heads: BTreeSet<i64> = answers.into_iter().flatten().map(|place| place.append).collect();
    assert!(heads.len() <= 1, "heads of two moments: {heads:?}");
}
