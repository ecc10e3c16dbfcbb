//! The state, blame and diff of one aggregate: at any version, at any moment, as an independent fold has them.

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use reqwest::StatusCode;
use serde_json::{Map, Value, json};
use shared::{
    envelope::{Envelope, from_canonical_json},
    event::Event,
    timestamp::Timestamp,
};
use test_support::{EventBuilder, Token, canonical_event, data};

use crate::{
    causation::has_all,
    feeder::{Record, event},
    server::{Server, encode, json as body, problem},
};

fn path(aggregate_type: &str, aggregate_id: &str) -> String {
    format!("/v1/aggregates/{}/{}", encode(aggregate_type), encode(aggregate_id))
}

fn order(version: i64, payload: &Value) -> EventBuilder {
    canonical_event("a", version).payload(payload)
}

/// An order that is placed, paid, deleted and back; the ids of its events.
async fn stored_order(server: &Server) -> Vec<String> {
    let mut feeder = server.feeder().await;
    let by = |builder: EventBuilder, user: &str| builder.metadata("userId", user);
    let stored = [
        by(order(1, &json!({"status": "new", "lines": [1, 2]})), "ann").payload_text(
            r#"{"status":"new","lines":[1,2],"total":12.50,"big":123456789012345678901234567890}"#,
        ),
        by(order(2, &json!({"newValues": {"status": "paid", "lines": [3]}})), "bob"),
        by(order(3, &json!({"reason": "x"})), "cyd").event_type("ORDER_DELETED"),
        by(order(5, &json!({"changes": {"status": {"old": "paid", "new": "back"}}})), "")
            .without_metadata("userId"),
    ];
    feeder.append(stored.clone()).await;
    stored.into_iter().map(|event| event.build().event_id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_shown_at_any_version_and_moment() {
    let server = Server::start().await;
    let ids = stored_order(&server).await;
    let text = server.get("/v1/aggregates/Order/a").await.text().await.expect("a body");
    assert!(
        text.contains(
            r#""state":{"big":123456789012345678901234567890,"lines":[3],"status":"back","total":12.50}"#
        ),
        "{text}"
    );
    let whole = server.json("/v1/aggregates/Order/a?blame=true").await;
    assert_eq!(
        whole["blame"],
        json!({
            "/big": {"eventId": ids[0], "version": 1, "timestamp": "2026-01-15T12:00:01.000000Z", "userId": "ann"},
            "/lines": {"eventId": ids[1], "version": 2, "timestamp": "2026-01-15T12:00:02.000000Z", "userId": "bob"},
            "/status": {"eventId": ids[3], "version": 5, "timestamp": "2026-01-15T12:00:05.000000Z", "userId": null},
            "/total": {"eventId": ids[0], "version": 1, "timestamp": "2026-01-15T12:00:01.000000Z", "userId": "ann"},
        })
    );
    assert_eq!(whole["integrity"], json!({"gaps": [[4, 4]], "forks": []}));
    assert_eq!(
        (&whole["aggregateType"], &whole["aggregateId"], &whole["organizationId"], &whole["eventCount"]),
        (&json!("Order"), &json!("a"), &json!("demo"), &json!(4))
    );
    for (query, version, deleted, status) in [
        ("version=1", 1, false, "new"),
        ("version=2", 2, false, "paid"),
        ("version=3", 3, true, "paid"),
        ("version=4", 3, true, "paid"),
        ("version=2147483647", 5, false, "back"),
        ("at=2026-01-15T12:00:02Z", 2, false, "paid"),
        ("at=2026-01-15T12:00:01.999999Z&blame=false", 1, false, "new"),
        ("at=9999-12-31T23:59:59Z", 5, false, "back"),
    ] {
        let state = server.json(&format!("/v1/aggregates/Order/a?{query}")).await;
        assert_eq!(
            (&state["version"], &state["deleted"], &state["state"]["status"]),
            (&json!(version), &json!(deleted), &json!(status)),
            "{query}"
        );
        assert_eq!(state.get("blame"), None, "{query}");
        assert_eq!(state["integrity"]["gaps"], if version == 5 { json!([[4, 4]]) } else { json!([]) });
        assert_eq!(state["at"], format!("2026-01-15T12:00:0{version}.000000Z"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_names_the_event_behind_each_change() {
    let server = Server::start().await;
    let ids = stored_order(&server).await;
    let diff = server.json("/v1/aggregates/Order/a/diff?fromVersion=1&toAt=2026-01-15T12:00:05Z").await;
    assert_eq!(
        diff["changes"],
        json!([
            {"path": "/lines", "old": [1, 2], "new": [3], "eventId": ids[1]},
            {"path": "/status", "old": "new", "new": "back", "eventId": ids[3]},
        ])
    );
    assert_eq!((&diff["from"]["version"], &diff["to"]["version"]), (&json!(1), &json!(5)));
    let all = server.json("/v1/aggregates/Order/a/diff").await;
    assert_eq!((&all["from"]["eventCount"], &all["from"]["at"]), (&json!(0), &Value::Null));
    assert_eq!(all["patch"].as_array().map(Vec::len), Some(4));

    for (query, status, kind) in [
        ("?version=0", 404, "not-found"),
        ("?at=2020-01-01T00:00:00Z", 404, "not-found"),
        ("/diff?toVersion=0", 404, "not-found"),
        ("?version=1&at=2026-01-15T12:00:02Z", 400, "invalid-request"),
        ("/diff?fromVersion=1&fromAt=2026-01-15T12:00:02Z", 400, "invalid-request"),
        ("/diff?fromVersion=3&toVersion=2", 400, "invalid-request"),
        ("/diff?fromAt=2026-01-15T12:00:02Z&toAt=2026-01-15T12:00:01Z", 400, "invalid-request"),
        ("?version=-1", 400, "invalid-request"),
        ("?blame=yes", 400, "invalid-request"),
        ("?fromVersion=1", 400, "invalid-request"),
    ] {
        let answer = server.get(&format!("/v1/aggregates/Order/a{query}")).await;
        let status = StatusCode::from_u16(status).expect("a status");
        assert_eq!(problem(answer, status).await, kind, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_belongs_to_one_organisation_and_has_a_bound() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder
        .append([
            canonical_event("a", 1).organization("acme").payload(&json!({"whose": "acme"})),
            canonical_event("a", 1).organization("other").payload(&json!({"whose": "other"})),
            canonical_event("single", 1).organization("other"),
        ])
        .await;
    let (admin, acme) = (Token::admin(), Token::org_admin("acme"));
    for suffix in ["", "/diff"] {
        let get = async |id: &str, query: &str, token: &Token| {
            server.get_as(&format!("/v1/aggregates/Order/{id}{suffix}{query}"), token).await
        };
        assert_eq!(problem(get("a", "", &admin).await, StatusCode::CONFLICT).await, "ambiguous-aggregate");
        for (query, token) in [("?organizationId=acme", &admin), ("", &acme)] {
            let text = get("a", query, token).await.text().await.expect("a body");
            assert!(text.contains(r#""whose":"acme""#) || text.contains(r#""new":"acme""#), "{text}");
            assert!(!text.contains(r#""other""#), "{text}");
        }
        assert_eq!(problem(get("single", "", &acme).await, StatusCode::NOT_FOUND).await, "not-found");
        let forbidden = get("a", "?organizationId=other", &acme).await;
        assert_eq!(problem(forbidden, StatusCode::FORBIDDEN).await, "forbidden");
        assert_eq!(problem(get("none", "", &admin).await, StatusCode::NOT_FOUND).await, "not-found");
    }

    // Each event sets another member of a mebibyte: over sixteen of them are refused, and what came before is not.
    for version in 1..=17 {
        let wide = json!({ (format!("member {version}")): "x".repeat((1 << 20) - 200) });
        feeder.append([canonical_event("wide", version).payload(&wide)]).await;
    }
    for path in ["/v1/aggregates/Order/wide", "/v1/aggregates/Order/wide/diff?fromVersion=3"] {
        let refused = body(server.get(path).await, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(refused["type"], "urn:audit-trail:problem:aggregate-too-large");
        assert!(
            refused["detail"].as_str().is_some_and(|detail| detail.contains("earlier version")),
            "{refused}"
        );
    }
    let before = server.json("/v1/aggregates/Order/wide?version=15").await;
    assert_eq!(before["state"].as_object().map(Map::len), Some(15));
}

/// Every event of some aggregates, in history order.
type Histories = BTreeMap<(String, String), Vec<Event>>;

/// The fold of the test, on serde_json's values; it shares no code with ours.
fn folded<'a>(events: impl Iterator<Item = &'a Event>) -> (Value, bool, BTreeMap<String, &'a Event>) {
    fn merge<'a>(
        target: &mut Value,
        patch: &Value,
        at: &str,
        by: &'a Event,
        blame: &mut BTreeMap<String, &'a Event>,
    ) {
        blame.insert(at.to_owned(), by);
        let Value::Object(members) = patch else {
            *target = patch.clone();
            return;
        };
        if !target.is_object() {
            *target = json!({});
        }
        for (key, value) in members {
            let object = target.as_object_mut().expect("made one above");
            if value.is_null() {
                object.remove(key);
            } else {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                merge(object.entry(key.clone()).or_insert(Value::Null), value, &at, by, blame);
            }
        }
    }
    let (mut state, mut deleted, mut blame) = (json!({}), false, BTreeMap::new());
    for event in events {
        deleted = event.event_type.ends_with("_DELETED") || event.event_type.ends_with(".Deleted");
        if deleted {
            continue;
        }
        let payload: Value = serde_json::from_str(&event.payload).expect("JSON");
        let changes = payload["changes"].as_object().map(|changes| {
            changes.iter().map(|(field, change)| (field.clone(), change.get("new").unwrap_or(change).clone()))
        });
        let change = match (&payload["newValues"], changes) {
            (Value::Object(new), _) => Value::Object(new.clone()),
            (_, Some(changes)) => Value::Object(changes.collect()),
            _ => payload,
        };
        merge(&mut state, &change, "", event, &mut blame);
    }
    (state, deleted, blame)
}

fn patched(mut document: Value, patch: &Value) -> Value {
    for operation in patch.as_array().expect("a patch is an array") {
        let (parent, key) = operation["path"]
            .as_str()
            .and_then(|path| path.rsplit_once('/'))
            .expect("a path below the whole");
        let key = key.replace("~1", "/").replace("~0", "~");
        let parent =
            document.pointer_mut(parent).and_then(Value::as_object_mut).expect("the parent is there");
        match operation["op"].as_str() {
            Some("remove") => drop(parent.remove(&key).expect("it was there")),
            _ => drop(parent.insert(key, operation["value"].clone())),
        }
    }
    document
}

fn leaf_pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                leaf_pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

/// Compares state, blame and diff of `count` random aggregates, each between two random places of its history.
async fn agrees(server: &Server, histories: &Histories, count: usize, random: &mut StdRng) {
    let keys: Vec<_> = histories.keys().collect();
    let mut changes_seen = 0;
    for _ in 0..count {
        let key = *keys.choose(random).expect("aggregates");
        let history = &histories[key];
        let (a, b) = (random.random_range(0..history.len()), random.random_range(0..history.len()));
        let (first, last) = (a.min(b), a.max(b));
        // A version takes every event up to it; a moment takes every event whose own time is not after it.
        let by_version = random.random_bool(0.5);
        let upto = |place: usize| -> Vec<&Event> {
            let bound = &history[place];
            let within = |event: &&Event| {
                if by_version { event.version <= bound.version } else { event.timestamp <= bound.timestamp }
            };
            history.iter().filter(within).collect()
        };
        let bound = |place: usize| {
            let event = &history[place];
            if by_version { event.version.to_string() } else { encode(&event.timestamp.to_string()) }
        };
        let (older, newer) = if by_version || history[first].timestamp <= history[last].timestamp {
            (first, last)
        } else {
            (last, first)
        };
        let (before, after) = (upto(older), upto(newer));
        let (state, deleted, blame) = folded(after.iter().copied());
        let path = path(&key.0, &key.1);
        let parameter = if by_version { "version" } else { "at" };
        let got = server.json(&format!("{path}?blame=true&{parameter}={}", bound(newer))).await;
        let at = format!("{path} {parameter}={}", bound(newer));
        assert_eq!((&got["state"], &got["deleted"]), (&state, &json!(deleted)), "{at}");
        assert_eq!(got["eventCount"], after.len(), "{at}");
        let mut leaves = Vec::new();
        leaf_pointers(&state, "", &mut leaves);
        leaves.retain(|leaf| !leaf.is_empty());
        assert_eq!(got["blame"].as_object().map(Map::len), Some(leaves.len()), "{at}");
        for leaf in leaves.iter().filter(|leaf| !state.pointer(leaf).expect("a leaf").is_object()) {
            let blamed = &got["blame"][leaf];
            assert_eq!(blamed["eventId"], blame[leaf].event_id.to_string(), "{at} {leaf}");
            assert_eq!(blamed["version"], blame[leaf].version, "{at} {leaf}");
            assert_eq!(
                blamed["userId"].as_str().unwrap_or_default(),
                blame[leaf].promoted.user_id,
                "{at} {leaf}"
            );
        }
        let query = if by_version { "fromVersion={}&toVersion={}" } else { "fromAt={}&toAt={}" };
        let query = query.replacen("{}", &bound(older), 1).replacen("{}", &bound(newer), 1);
        let diff = server.json(&format!("{path}/diff?{query}")).await;
        let (old, ..) = folded(before.iter().copied());
        assert_eq!(patched(old.clone(), &diff["patch"]), state, "{path} {query}");
        for change in diff["changes"].as_array().expect("changes") {
            let pointer = change["path"].as_str().expect("a path");
            let value = |of: &Value| of.pointer(pointer).cloned().unwrap_or(Value::Null);
            assert_eq!(
                (&change["old"], &change["new"]),
                (&value(&old), &value(&state)),
                "{path} {query} {pointer}"
            );
            assert_ne!(change["old"], change["new"], "{path} {query} {pointer}");
            if leaves.iter().any(|leaf| leaf == pointer) && !change["new"].is_object() {
                assert_eq!(change["eventId"], got["blame"][pointer]["eventId"], "{path} {query} {pointer}");
            }
            changes_seen += 1;
        }
    }
    assert!(changes_seen > count / 2, "diffs are not all empty: {changes_seen}");
}

async fn store(server: &Server, events: impl IntoIterator<Item = Envelope>) -> Histories {
    let mut feeder = server.feeder().await;
    let mut histories = Histories::new();
    let mut waiting: Vec<Record> = Vec::new();
    for envelope in events {
        let event = event(envelope);
        let key = (event.aggregate_type.clone(), event.aggregate_id.clone());
        histories.entry(key).or_default().push(event.clone());
        waiting.push(Record::Event(event));
        if waiting.len() == 1000 {
            feeder.append(std::mem::take(&mut waiting)).await;
        }
    }
    feeder.append(waiting).await;
    histories
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_histories_agree_with_an_independent_fold() {
    let mut random = StdRng::seed_from_u64(6);
    let value = |random: &mut StdRng| match random.random_range(0..6) {
        0 => Value::Null,
        1 => json!(random.random_range(0..3)),
        2 => json!(["x", random.random_range(0..2)]),
        3 => json!({ "inner": random.random_range(0..3), "a/b": null }),
        4 => json!({ "~": { "deep": random.random_bool(0.5) } }),
        _ => json!("text"),
    };
    let mut events = Vec::new();
    for aggregate in 0..60 {
        for version in 1..=random.random_range(1..150_i64) {
            let members: Map<String, Value> = (0..random.random_range(0..4))
                .map(|_| {
                    let key = ["a", "b", "c/d", "~e"].choose(&mut random).expect("keys");
                    ((*key).to_owned(), value(&mut random))
                })
                .collect();
            let payload = match random.random_range(0..8) {
                0 => json!({ "newValues": members, "oldValues": {} }),
                1 => {
                    json!({ "changes": members.into_iter().map(|(key, new)| (key, json!({"old": 0, "new": new}))).collect::<Map<_, _>>() })
                }
                _ => Value::Object(members),
            };
            let kind = if random.random_bool(0.03) { "ORDER_DELETED" } else { "OrderChanged" };
            // Clocks of producers jump: times are not in the order of versions.
            let time =
                1_768_478_400_000_000 + version * 1_000_000 + random.random_range(-3_000_000..3_000_000);
            let event = canonical_event(&format!("order/{aggregate}"), version);
            events.push(event.event_type(kind).payload(&payload).at_micros(time).build());
        }
    }
    let server = Server::start().await;
    let histories = store(&server, events).await;
    agrees(&server, &histories, 300, &mut random).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_loan_applications_agree_with_an_independent_fold() {
    let Some(lines) = data::lines("loan-applications") else { return };
    let server = Server::start().await;
    // One application in thirteen: about a thousand of them, every event of each.
    let events = lines
        .map(|line| from_canonical_json(&line).expect("a canonical line"))
        .filter(|envelope| envelope.aggregate_id.bytes().map(u32::from).sum::<u32>() % 13 == 0);
    let histories = store(&server, events).await;
    assert!(histories.len() > 800, "{}", histories.len());
    assert!(histories.values().all(|history| history.is_sorted_by_key(|event| event.version)));
    let mut random = StdRng::seed_from_u64(2012);
    agrees(&server, &histories, 1000, &mut random).await;
    has_all(&server, histories.values().flatten(), 200, &mut random).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_principals_of_cloudtrail_agree_with_an_independent_fold() {
    let Some(lines) = data::lines("cloudtrail") else { return };
    let server = Server::start().await;
    let events = lines.map(|line| from_canonical_json(&line).expect("a canonical line"));
    let histories = store(&server, events).await;
    // Few of them, one with most of the events: a thousand places in their histories.
    assert_eq!((histories.len(), histories.values().map(Vec::len).sum()), (21, 2900_usize));
    assert!(histories.values().all(|history| history.is_sorted_by_key(|event| event.version)));
    let mut random = StdRng::seed_from_u64(2023);
    agrees(&server, &histories, 1000, &mut random).await;
    has_all(&server, histories.values().flatten(), 200, &mut random).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_histories_are_folded_chunk_by_chunk() {
    let server = Server::start().await;
    let events = (1..=2500).map(|version| {
        canonical_event("long", version).payload(&json!({ (format!("k{}", version % 7)): version })).build()
    });
    store(&server, events).await;
    let state = server.json("/v1/aggregates/Order/long").await;
    assert_eq!(
        state["state"],
        json!({"k0": 2499, "k1": 2500, "k2": 2494, "k3": 2495, "k4": 2496, "k5": 2497, "k6": 2498})
    );
    assert_eq!((&state["eventCount"], &state["version"]), (&json!(2500), &json!(2500)));
    let noon = Timestamp::from_micros(1_768_478_400_000_000 + 1234 * 1_000_000);
    let then = server.json(&format!("/v1/aggregates/Order/long?at={}", encode(&noon.to_string()))).await;
    assert_eq!((&then["eventCount"], &then["state"]["k2"]), (&json!(1234), &json!(1234)));
}
