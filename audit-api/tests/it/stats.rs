//! Statistics: the counts of an independent recount, in every grain, for every dimension, within the scope.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::StatusCode;
use serde_json::{Value, json};
use test_support::{EventBuilder, Role, Token, canonical_event, data};

use crate::{
    csv::records,
    feeder::{Record, event},
    projected::project,
    server::{Server, json as json_of, problem},
};

/// What the recount knows of an event.
struct Seen {
    dimensions: BTreeMap<&'static str, String>,
    time: String,
}

const DIMENSIONS: [&str; 7] =
    ["eventType", "aggregateType", "userId", "organizationId", "source", "action", "outcome"];

/// An event as canonical JSON has it; words for its outcome stand in its metadata alone here.
fn seen(event: &Value) -> Seen {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let dimension = |name: &'static str| match name {
        "eventType" | "aggregateType" => (name, text(&event[name])),
        _ => (name, text(&event["metadata"][name])),
    };
    Seen { dimensions: DIMENSIONS.into_iter().map(dimension).collect(), time: text(&event["timestamp"]) }
}

/// The start of the bucket, by cutting the text of the time.
fn cut(time: &str, interval: &str) -> String {
    match interval {
        "hour" => format!("{}:00:00.000000Z", &time[..13]),
        "day" => format!("{}T00:00:00.000000Z", &time[..10]),
        "month" => format!("{}-01T00:00:00.000000Z", &time[..7]),
        other => panic!("{other} is not cut out of a text"),
    }
}

/// Events and failures by group and bucket, counted here.
type Counts = BTreeMap<(Vec<String>, String), (u64, u64)>;

fn recount<'a>(events: impl IntoIterator<Item = &'a Seen>, group_by: &[&str], interval: &str) -> Counts {
    let mut counts = Counts::new();
    for seen in events {
        let group = group_by.iter().map(|name| seen.dimensions[name].clone()).collect();
        let count = counts.entry((group, cut(&seen.time, interval))).or_default();
        count.0 += 1;
        count.1 += u64::from(seen.dimensions["outcome"] == "failure");
    }
    counts
}

/// The same out of an answer; checks that its sums and shares agree with each other.
fn counted(answer: &Value, group_by: &[&str]) -> Counts {
    assert_eq!(answer["truncated"], false);
    let number = |value: &Value| value.as_u64().expect("a count");
    let (mut counts, mut sums) = (Counts::new(), Vec::new());
    for item in answer["data"].as_array().expect("data") {
        let group: Vec<String> =
            group_by.iter().map(|name| item["group"][name].as_str().expect("a name").to_owned()).collect();
        let (mut events, mut failures) = (0, 0);
        for bucket in item["buckets"].as_array().expect("buckets") {
            let count = (number(&bucket["eventCount"]), number(&bucket["failureCount"]));
            (events, failures) = (events + count.0, failures + count.1);
            if count.0 > 0 {
                counts.insert((group.clone(), bucket["start"].as_str().expect("a time").to_owned()), count);
            }
        }
        assert_eq!((number(&item["eventCount"]), number(&item["failureCount"])), (events, failures));
        assert_rate(item, events, failures);
        sums.push(events);
    }
    assert!(sums.is_sorted_by(|one, next| one >= next), "the largest first: {sums:?}");
    assert_eq!(number(&answer["total"]["eventCount"]), sums.iter().sum::<u64>());
    assert_eq!(number(&answer["groupCount"]), sums.len() as u64);
    counts
}

/// Fails with what differs alone: whole answers fill screens.
fn assert_same(found: &Counts, expected: &Counts, what: &str) {
    assert!(!expected.is_empty(), "{what}");
    let differing = |one: &Counts, other: &Counts| -> Vec<_> {
        one.iter()
            .filter(|(key, count)| other.get(*key) != Some(*count))
            .map(|pair| format!("{pair:?}"))
            .take(3)
            .collect()
    };
    assert_eq!(differing(found, expected), differing(expected, found), "{what}");
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn assert_rate(item: &Value, events: u64, failures: u64) {
    let rate = item["failureRate"].as_f64().expect("a share");
    assert!((rate * events as f64 - failures as f64).abs() < 1e-6, "{item}");
}

/// Events of few names, over some weeks around a change of clocks and a new year, in an order of their own.
fn generated(count: i64) -> Vec<EventBuilder> {
    let pick = |n: i64, words: &[&'static str]| words[usize::try_from(n).expect("positive") % words.len()];
    let build = |n: i64| {
        let mixed = (n * 7919) % 10_007;
        let built = canonical_event(&format!("o-{}", n % 40), n)
            .at_micros(1_761_350_400_000_000 + mixed * 611_000_000)
            .event_type(pick(mixed, &["OrderPlaced", "OrderPaid", "SignIn"]))
            .aggregate_type(pick(mixed / 3, &["Order", "Basket"]))
            .organization(pick(mixed / 5, &["demo", "demo", "other"]));
        let words = [
            ("userId", pick(mixed / 7, &["", "ann", "bob", "cem"])),
            ("source", pick(mixed / 11, &["", "shop"])),
            ("action", pick(mixed / 13, &["CREATE", "READ", ""])),
            ("outcome", pick(mixed / 17, &["success", "failure", "", "success"])),
        ];
        words.into_iter().fold(built, |built, (key, word)| match word {
            "" => built.without_metadata(key),
            word => built.metadata(key, word),
        })
    };
    (0..count).map(build).collect()
}

/// A server with these events, some of them twice, and what they are.
async fn with_generated(count: i64) -> (Server, Vec<Seen>) {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let events: Vec<_> = generated(count).into_iter().map(|built| event(built.build())).collect();
    let mut known = Vec::new();
    for chunk in events.chunks(500) {
        // A duplicate is stored once, and counted once.
        let again = chunk.iter().take(20).cloned();
        feeder.append(chunk.iter().cloned().chain(again).map(Record::Event)).await;
    }
    for event in &events {
        let metadata: Value = serde_json::from_str(&event.metadata).expect("JSON");
        let json = json!({
            "eventType": event.event_type, "aggregateType": event.aggregate_type,
            "timestamp": event.timestamp.to_string(), "metadata": metadata,
        });
        known.push(seen(&json));
    }
    project(&server.database).await;
    (server, known)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_dimension_and_interval_equals_a_recount() {
    let (server, events) = with_generated(3000).await;
    for first in DIMENSIONS {
        for second in DIMENSIONS.into_iter().filter(|second| *second != first) {
            let by_user = [first, second].contains(&"userId");
            for interval in ["hour", "day", "month"].into_iter().filter(|word| !(by_user && *word == "hour"))
            {
                let groups: Vec<&str> = if second == "outcome" { vec![first] } else { vec![first, second] };
                // An hour's buckets of many groups are more than one answer holds.
                let range = if interval == "hour" {
                    ("2025-10-25T00:00:00Z", "2025-11-01T00:00:00Z")
                } else {
                    ("2025-10-01T00:00:00Z", "2026-03-01T00:00:00Z")
                };
                let named: Vec<String> = groups.iter().map(|name| format!("groupBy={name}")).collect();
                let (from, to) = range;
                let query = format!("interval={interval}&from={from}&to={to}&{}", named.join("&"));
                let answer = server.json(&format!("/v1/stats?{query}")).await;
                let whole = &from[..19]..&to[..19];
                let within = events.iter().filter(|seen| whole.contains(&seen.time.as_str()));
                let expected = recount(within, &groups, interval);
                assert_same(&counted(&answer, &groups), &expected, &query);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_select_what_they_say() {
    let (server, events) = with_generated(1500).await;
    type Selects = fn(&Seen) -> bool;
    let cases: [(&str, Selects); 9] = [
        ("eventType=Order*", |seen| seen.dimensions["eventType"].starts_with("Order")),
        ("eventType=SignIn&eventType=OrderPaid", |seen| seen.dimensions["eventType"] != "OrderPlaced"),
        ("aggregateType=Basket", |seen| seen.dimensions["aggregateType"] == "Basket"),
        ("userId=ann&userId=bob", |seen| ["ann", "bob"].contains(&seen.dimensions["userId"].as_str())),
        ("organizationId=other", |seen| seen.dimensions["organizationId"] == "other"),
        ("source=shop&action=READ", |seen| {
            seen.dimensions["source"] == "shop" && seen.dimensions["action"] == "READ"
        }),
        ("outcome=failure", |seen| seen.dimensions["outcome"] == "failure"),
        ("outcome=&outcome=success", |seen| seen.dimensions["outcome"] != "failure"),
        ("eventType=*d&from=2025-11-01T00:00:00Z&to=2025-11-20T00:00:00Z", |seen| {
            seen.dimensions["eventType"].ends_with('d')
                && ("2025-11-01".."2025-11-20").contains(&seen.time.as_str())
        }),
    ];
    for (query, selects) in cases {
        let answer = server.json(&format!("/v1/stats?{query}&interval=day&groupBy=eventType")).await;
        let expected = recount(events.iter().filter(|seen| selects(seen)), &["eventType"], "day");
        assert_same(&counted(&answer, &["eventType"]), &expected, query);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_counts_its_own_alone() {
    let (server, events) = with_generated(1500).await;
    let own: Vec<&Seen> = events.iter().filter(|seen| seen.dimensions["organizationId"] == "other").collect();
    let admin = Token::org_admin("other");
    for groups in [&["organizationId", "eventType"][..], &["userId"]] {
        let named: Vec<String> = groups.iter().map(|name| format!("groupBy={name}")).collect();
        let path = format!("/v1/stats?interval=day&{}", named.join("&"));
        let answer = json_of(server.get_as(&path, &admin).await, StatusCode::OK).await;
        assert_same(&counted(&answer, groups), &recount(own.iter().copied(), groups, "day"), &path);
    }
    let total = json_of(server.get_as("/v1/stats?organizationId=other", &admin).await, StatusCode::OK).await;
    assert_eq!(total["total"]["eventCount"], own.len());
    problem(server.get_as("/v1/stats?organizationId=demo", &admin).await, StatusCode::FORBIDDEN).await;
    for role in ["audit:operator", "audit:producer"] {
        problem(server.get_as("/v1/stats", &Token::with_roles(&[role])).await, StatusCode::FORBIDDEN).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_active_users_come_first_and_the_rest_together() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let by = |user: &str, events: i64, failed: i64| -> Vec<EventBuilder> {
        let build = |n| {
            let outcome = if n <= failed { "failure" } else { "success" };
            canonical_event(user, n).metadata("userId", user).metadata("outcome", outcome)
        };
        (1..=events).map(build).collect()
    };
    let events = [by("ann", 5, 0), by("bob", 9, 3), by("cem", 5, 5), by("dora", 1, 1)].concat();
    feeder.append(events).await;
    project(&server.database).await;
    let answer = server.json("/v1/stats?groupBy=userId&top=2").await;
    let group = |user: &str, events: u64, failures: u64, rate: f64| json!({ "group": { "userId": user }, "eventCount": events, "failureCount": failures, "failureRate": rate });
    // Of two with as many events the first by name.
    assert_eq!(answer["data"], json!([group("bob", 9, 3, 3.0 / 9.0), group("ann", 5, 0, 0.0)]));
    assert_eq!(answer["rest"], json!({ "eventCount": 6, "failureCount": 6, "failureRate": 1.0 }));
    assert_eq!(answer["total"], json!({ "eventCount": 20, "failureCount": 9, "failureRate": 0.45 }));
    assert_eq!((&answer["groupCount"], &answer["truncated"]), (&json!(4), &json!(true)));
    assert_eq!((&answer["asOf"]["append"], &answer["asOf"]["behind"]), (&json!(1), &json!(0)));

    let whole = server.json("/v1/stats").await;
    let all = json!({ "group": {}, "eventCount": 20, "failureCount": 9, "failureRate": 0.45 });
    assert_eq!(
        (&whole["data"], &whole["groupBy"], &whole["interval"]),
        (&json!([all]), &json!([]), &json!(null))
    );

    let csv = server
        .request("/v1/stats?groupBy=userId&groupBy=outcome&top=2", &Token::admin())
        .header("accept", "text/csv");
    let text = csv.send().await.expect("an answer").text().await.expect("a text");
    let expected: Vec<Vec<&str>> = vec![
        vec!["part", "userId", "outcome", "eventCount", "failureCount", "failureRate"],
        vec!["group", "bob", "success", "6", "0", "0"],
        vec!["group", "ann", "success", "5", "0", "0"],
        vec!["rest", "", "", "9", "9", "1"],
    ];
    assert_eq!(records(&text), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_end_at_utc_borders_and_empty_ones_are_there() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let times = [
        "2025-12-28T23:59:59.999999Z", // a Sunday
        "2025-12-29T00:00:00Z",
        "2025-12-31T23:30:00-01:00", // the new year in UTC
        "2026-01-01T00:59:59.999999Z",
        "2026-01-01T02:00:00Z",
    ];
    feeder.append(times.map(|time| canonical_event("o", 0).at(time))).await;
    project(&server.database).await;
    let buckets = async |query: &str| -> Vec<(String, u64)> {
        let answer = server.json(&format!("/v1/stats?{query}")).await;
        let bucket = |bucket: &Value| {
            let start = bucket["start"].as_str().expect("a time");
            (start[..13].to_owned(), bucket["eventCount"].as_u64().expect("a count"))
        };
        answer["data"][0]["buckets"].as_array().into_iter().flatten().map(bucket).collect()
    };
    let counts = |counts: &[(&str, u64)]| -> Vec<(String, u64)> {
        counts.iter().map(|(start, count)| ((*start).to_owned(), *count)).collect()
    };
    let new_year = "from=2026-01-01T00:00:00Z&to=2026-01-01T04:00:00Z&interval=hour";
    assert_eq!(
        buckets(new_year).await,
        counts(&[("2026-01-01T00", 2), ("2026-01-01T01", 0), ("2026-01-01T02", 1), ("2026-01-01T03", 0)])
    );
    let days = [("2025-12-28T00", 1), ("2025-12-29T00", 1), ("2025-12-30T00", 0), ("2025-12-31T00", 0)];
    assert_eq!(buckets("interval=day").await, counts(&[&days[..], &[("2026-01-01T00", 3)]].concat()));
    assert_eq!(buckets("interval=week").await, counts(&[("2025-12-22T00", 1), ("2025-12-29T00", 4)]));
    assert_eq!(buckets("interval=month").await, counts(&[("2025-12-01T00", 2), ("2026-01-01T00", 3)]));
    // The first bucket is cut by `from`, not left out.
    let cut = buckets("interval=month&from=2025-12-29T00:00:00Z&to=2026-01-01T01:00:00Z").await;
    assert_eq!(cut, counts(&[("2025-12-01T00", 1), ("2026-01-01T00", 2)]));
    // Nothing at all: every bucket of the range, each with nothing.
    let nothing =
        server.json("/v1/stats?interval=day&from=1999-01-01T00:00:00Z&to=1999-01-03T00:00:00Z").await;
    assert_eq!(nothing["data"][0]["buckets"].as_array().map(Vec::len), Some(2));
    assert_eq!(nothing["total"], json!({ "eventCount": 0, "failureCount": 0, "failureRate": null }));
    assert_eq!(server.json("/v1/stats?groupBy=source&eventType=None").await["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_in_no_such_grain_or_too_much_is_refused_with_the_remedy() {
    let server = Server::start().await;
    let refused = async |query: &str, status: StatusCode, remedy: &str| {
        let answer = server.get(&format!("/v1/stats?{query}")).await;
        assert_eq!(answer.status(), status, "{query}");
        let text = answer.text().await.expect("a body");
        assert!(text.contains(remedy), "{query}: {text}");
    };
    let (bad, broad) = (StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY);
    for (query, status, remedy) in [
        ("from=2026-01-01T00:30:00Z", bad, "is not a whole hour in UTC"),
        ("to=2026-01-01T00:00:00%2B05:30", bad, "is not a whole hour in UTC"),
        ("userId=u&to=2026-01-01T01:00:00Z", bad, "is not midnight in UTC"),
        ("groupBy=userId&from=2026-01-01T00:00:00%2B01:00", bad, "is not midnight in UTC"),
        ("userId=u&interval=hour", broad, "users are counted by day"),
        ("groupBy=userId&interval=hour", broad, "give interval=day"),
        ("groupBy=day", bad, "is not one of: eventType, aggregateType"),
        ("groupBy=source&groupBy=source", bad, "twice"),
        ("groupBy=source&groupBy=action&groupBy=outcome", bad, "more than twice"),
        ("interval=year", bad, "is not one of: hour, day, week, month"),
        ("top=1001", bad, "from 1 to 1000"),
        ("outcome=perhaps", bad, "success, failure"),
        ("raw=true", bad, "text/csv"),
        ("eventType=*x", broad, "at most 31 days apart"),
        ("interval=hour&from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", broad, "a longer interval"),
    ] {
        refused(query, status, remedy).await;
    }
    let mut feeder = server.feeder().await;
    let ends = ["2015-01-01T00:00:00Z", "2025-01-01T00:00:00Z"];
    feeder.append(ends.map(|time| canonical_event("o", 0).at(time))).await;
    project(&server.database).await;
    // Two counts, but empty buckets without end between them.
    refused("interval=hour", broad, "from and to closer to each other").await;
    let types = (0..40).map(|n| canonical_event("o", 0).event_type(&format!("T-{n}")).at(ends[0]));
    feeder.append(types).await;
    project(&server.database).await;
    let hours = "interval=hour&groupBy=eventType&from=2015-01-01T00:00:00Z&to=2015-02-01T00:00:00Z";
    refused(hours, broad, "a smaller top").await;
    assert_eq!(server.json(&format!("/v1/stats?{hours}&top=20")).await["truncated"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn accesses_are_counted_only_when_asked_for() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let access = canonical_event("u", 0).aggregate_type("AuditAccess").event_type("AuditAccess.Read");
    feeder.append([canonical_event("o", 1), access]).await;
    project(&server.database).await;
    let total =
        async |query: &str| server.json(&format!("/v1/stats?{query}")).await["total"]["eventCount"].clone();
    assert_eq!(total("").await, 1);
    assert_eq!(total("aggregateType=AuditAccess").await, 1);
    assert_eq!(total("eventType=AuditAccess.*").await, 1);
    assert_eq!(total("aggregateType=AuditAccess&aggregateType=Order").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_is_counted_where_it_happened_and_a_rebuild_counts_the_same() {
    let (server, mut events) = with_generated(800).await;
    let mut feeder = server.feeder().await;
    let late = canonical_event("late", 1).at("2025-10-26T00:30:00Z").metadata("outcome", "failure");
    feeder.append([late.clone()]).await;
    project(&server.database).await;
    let built = late.build();
    let metadata = serde_json::to_value(&built.metadata).expect("JSON");
    events.push(seen(&json!({
        "eventType": built.event_type, "aggregateType": built.aggregate_type,
        "timestamp": "2025-10-26T00:30:00.000000Z", "metadata": metadata,
    })));
    let path = "/v1/stats?interval=day&groupBy=userId&groupBy=eventType";
    let before = server.json(path).await;
    let groups = ["userId", "eventType"];
    assert_same(&counted(&before, &groups), &recount(&events, &groups, "day"), path);
    let operator = server.database.connect(Role::Operator).await;
    store::projections::rebuild(&operator, store::projections::Projection::Statistics, None)
        .await
        .expect("rebuilt");
    let empty = server.json(path).await;
    assert_eq!((&empty["data"], &empty["asOf"]["append"]), (&json!([]), &json!(0)));
    project(&server.database).await;
    let after = server.json(path).await;
    assert_eq!((&after["data"], &after["total"]), (&before["data"], &before["total"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loan_applications_are_counted_as_they_are() {
    let Some(lines) = data::lines("loan-applications") else { return };
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let (mut events, mut batch, mut users) = (Vec::new(), Vec::new(), BTreeSet::new());
    for line in lines.take(30_000) {
        let mut json: Value = serde_json::from_str(&line).expect("JSON");
        let envelope = shared::envelope::from_canonical_json(&line).expect("canonical");
        let stored = event(envelope);
        json["timestamp"] = stored.timestamp.to_string().into();
        events.push(seen(&json));
        users.insert(stored.promoted.user_id.clone());
        batch.push(Record::Event(stored));
        if batch.len() == 3000 {
            feeder.append(std::mem::take(&mut batch)).await;
        }
    }
    project(&server.database).await;
    for (groups, interval) in [
        (&["eventType"][..], "day"),
        (&["userId"], "day"),
        (&["userId", "eventType"], "month"),
        (&["source", "outcome"], "hour"),
    ] {
        let named: Vec<String> = groups.iter().map(|name| format!("groupBy={name}")).collect();
        let path = format!("/v1/stats?interval={interval}&top=1000&{}", named.join("&"));
        assert_same(&counted(&server.json(&path).await, groups), &recount(&events, groups, interval), &path);
    }
    let active = server.json("/v1/stats?groupBy=userId&top=10").await;
    assert_eq!(active["groupCount"], users.len());
    assert_eq!(active["data"].as_array().map(Vec::len), Some(10));
}
