//! What caused what: chains, trees, circles, bounds, and who may see them.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::{event::Event, index_set::IndexSet};
use store::indexes::apply;
use test_support::{EventBuilder, Role, TestDatabase, Token, canonical_event};

use crate::{
    feeder::Record,
    server::{Options, Server, encode, json as body, problem},
};

fn id(number: u128) -> String {
    uuid::Uuid::from_u128(number).to_string()
}

/// Event `number` of correlation `c`, caused by `cause`.
fn caused(number: u128, cause: &str) -> EventBuilder {
    let version = i64::try_from(number).expect("few");
    let event = canonical_event(&format!("o-{number}"), 1).id(id(number)).metadata("correlationId", "c");
    let event = event.at_micros(1_768_478_400_000_000 + version * 1_000_000);
    if cause.is_empty() { event } else { event.metadata("causationId", cause) }
}

/// Depth and number of each node.
fn shape(nodes: &Value) -> Vec<(i64, u128)> {
    let number = |node: &Value| {
        node["eventId"].as_str().and_then(|id| id.parse::<uuid::Uuid>().ok()).expect("an id").as_u128()
    };
    let nodes = nodes.as_array().expect("nodes").iter();
    nodes.map(|node| (node["depth"].as_i64().expect("a depth"), number(node))).collect()
}

async fn of(server: &Server, number: u128) -> Value {
    server.json(&format!("/v1/events/{}/causation", id(number))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_shows_its_causes_and_its_effects() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder
        .append([
            caused(1, "command-7"),
            caused(2, &id(1)),
            caused(3, &id(1).to_uppercase()),
            caused(4, &id(2)),
            caused(5, &id(4)),
            caused(6, &id(2)),
            caused(7, &id(99)),
        ])
        .await;
    let tree = of(&server, 2).await;
    assert_eq!(shape(&tree["ancestors"]), [(-1, 1)]);
    assert_eq!(tree["event"]["eventId"], id(2));
    assert_eq!(shape(&tree["descendants"]), [(1, 4), (2, 5), (1, 6)]);
    assert_eq!(tree["missingCause"], "command-7");
    assert_eq!(tree["truncated"], json!({"ancestors": false, "descendants": false}));
    assert_eq!(tree["event"].get("payload"), None, "payloads may be large: they are not repeated here");
    assert_eq!(tree["event"]["userId"], "user-1");

    assert_eq!(shape(&of(&server, 5).await["ancestors"]), [(-3, 1), (-2, 2), (-1, 4)]);
    assert_eq!(shape(&of(&server, 1).await["descendants"]), [(1, 2), (2, 4), (3, 5), (2, 6), (1, 3)]);
    assert_eq!(of(&server, 7).await["missingCause"], id(99));

    let whole = server.json("/v1/correlations/c/causation").await;
    assert_eq!(shape(&whole["events"]), [(0, 1), (1, 2), (2, 4), (3, 5), (2, 6), (1, 3), (0, 7)]);
    assert_eq!((&whole["correlationId"], &whole["truncated"]), (&json!("c"), &json!(false)));
    for path in [format!("/v1/events/{}/causation", id(98)), "/v1/correlations/none/causation".to_owned()] {
        assert_eq!(problem(server.get(&path).await, StatusCode::NOT_FOUND).await, "not-found");
    }
    assert_eq!(
        problem(server.get("/v1/events/nope/causation").await, StatusCode::BAD_REQUEST).await,
        "invalid-request"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn circles_end_and_bounds_are_said() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    // A circle of three with a tail, and an event that names itself.
    feeder
        .append([
            caused(1, &id(3)),
            caused(2, &id(1)),
            caused(3, &id(2)),
            caused(4, &id(3)),
            caused(5, &id(5)),
        ])
        .await;
    let circle = of(&server, 1).await;
    assert_eq!(shape(&circle["ancestors"]), [(-2, 2), (-1, 3)]);
    assert_eq!(shape(&circle["descendants"]), [(1, 2), (2, 3), (3, 4)]);
    let own = of(&server, 5).await;
    assert_eq!((shape(&own["ancestors"]), shape(&own["descendants"])), (vec![], vec![]));
    assert_eq!(own["missingCause"], Value::Null);
    let whole = server.json("/v1/correlations/c/causation").await;
    assert_eq!(shape(&whole["events"]), [(0, 5), (0, 1), (1, 2), (2, 3), (3, 4)]);

    // A chain of fifty: twenty steps each way.
    let of_chain = |number: u128| caused(number, &id(number - 1)).metadata("correlationId", "chain");
    feeder.append((101..=150).map(of_chain)).await;
    let middle = of(&server, 125).await;
    assert_eq!(shape(&middle["ancestors"]).first(), Some(&(-20, 105)));
    assert_eq!(shape(&middle["descendants"]).last(), Some(&(20, 145)));
    assert_eq!(middle["truncated"], json!({"ancestors": true, "descendants": true}));
    let near = of(&server, 130).await;
    assert_eq!(near["truncated"], json!({"ancestors": true, "descendants": false}));
    assert_eq!(shape(&near["descendants"]).len(), 20);
    // A correlation has all, however deep.
    let chain = server.json("/v1/correlations/chain/causation").await;
    assert_eq!(shape(&chain["events"]), (0..50).zip(101..).collect::<Vec<_>>());

    // More effects than are told: the oldest of them.
    let many = (1001..=2100).map(|number| caused(number, &id(1000)).metadata("correlationId", "many"));
    feeder.append(std::iter::once(caused(1000, "")).chain(many)).await;
    let wide = of(&server, 1000).await;
    assert_eq!(shape(&wide["descendants"]), (1001..2000).map(|number| (1, number)).collect::<Vec<_>>());
    assert_eq!(wide["truncated"], json!({"ancestors": false, "descendants": true}));
    let many = server.json("/v1/correlations/many/causation").await;
    assert_eq!((shape(&many["events"]).len(), &many["truncated"]), (1000, &json!(true)));
}

/// Compares the trees of `count` random correlations with the events that have them: each once, and its causes above it.
pub(crate) async fn has_all<'a>(
    server: &Server,
    events: impl Iterator<Item = &'a Event>,
    count: usize,
    random: &mut StdRng,
) {
    let mut correlations = BTreeMap::<&str, BTreeMap<String, &Event>>::new();
    for event in events.filter(|event| !event.promoted.correlation_id.is_empty()) {
        let correlated = correlations.entry(&event.promoted.correlation_id).or_default();
        correlated.insert(event.event_id.to_string(), event);
    }
    // The large ones, where a bound could leave something out, and as many at random.
    let mut by_size: Vec<_> = correlations.iter().collect();
    by_size.sort_by_key(|(_, events)| std::cmp::Reverse(events.len()));
    let asked = by_size.iter().take(count / 2).chain(by_size.sample(random, count / 2));
    for (correlation, events) in asked {
        let tree = server.json(&format!("/v1/correlations/{}/causation", encode(correlation))).await;
        let nodes = tree["events"].as_array().expect("nodes");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told: BTreeSet<String> = nodes.iter().map(|node| text(&node["eventId"])).collect();
        assert_eq!(nodes.len(), told.len(), "{correlation}: each once");
        assert!(told.iter().eq(events.keys()), "{correlation}: {told:?}");
        let mut depths = BTreeMap::new();
        for node in nodes {
            let (id, depth) = (text(&node["eventId"]), node["depth"].as_i64().expect("a depth"));
            let cause = &events[&id].promoted.causation_id;
            let above = depths.get(cause).map_or(0, |depth| depth + 1);
            assert_eq!(depth, above, "{correlation}: {id} below {cause}");
            depths.insert(id, depth);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_of_a_correlation_has_all() {
    let (server, mut random) = (Server::start().await, StdRng::seed_from_u64(27));
    let mut events = Vec::new();
    for correlation in 0..40_u128 {
        let first = correlation * 1000 + 1;
        for number in first..first + random.random_range(1..200) {
            // Caused by one before it, by one of nobody's, or by none.
            let cause = match random.random_range(0..6) {
                0 => String::new(),
                1 => id(7_000_000 + number),
                _ if number == first => String::new(),
                _ => id(random.random_range(first..number)),
            };
            let event = caused(number, &cause).metadata("correlationId", format!("c-{correlation}"));
            events.push(crate::feeder::event(event.build()));
        }
    }
    let mut feeder = server.feeder().await;
    let mut shuffled = events.clone();
    rand::seq::SliceRandom::shuffle(&mut shuffled[..], &mut random);
    feeder.append(shuffled.into_iter().map(Record::Event)).await;
    has_all(&server, events.iter(), 60, &mut random).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_stays_within_its_organisation() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder
        .append([
            caused(1, "").organization("other"),
            caused(2, &id(1)).organization("acme"),
            caused(3, &id(2)).organization("other"),
            caused(4, &id(2)).organization("acme"),
            caused(5, &id(3)).organization("acme"),
        ])
        .await;
    let get = async |path: String| server.get_as(&path, &Token::org_admin("acme")).await;
    let own = body(get(format!("/v1/events/{}/causation", id(2))).await, StatusCode::OK).await;
    assert_eq!((shape(&own["ancestors"]), shape(&own["descendants"])), (vec![], vec![(1, 4)]));
    assert_eq!(own["missingCause"], id(1));
    let correlated = body(get("/v1/correlations/c/causation".to_owned()).await, StatusCode::OK).await;
    assert_eq!(shape(&correlated["events"]), [(0, 2), (1, 4), (0, 5)]);
    let other = get(format!("/v1/events/{}/causation", id(1))).await;
    assert_eq!(problem(other, StatusCode::NOT_FOUND).await, "not-found");
    assert_eq!(shape(&of(&server, 2).await["descendants"]), [(1, 3), (2, 5), (1, 4)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_index_a_tree_is_refused_with_the_remedy() {
    let database = TestDatabase::create().await;
    apply(&database.database_url(Role::Migrator), IndexSet::Essential, |_| {}).await.expect("applied");
    let server = Server::on(database, Options::default()).await;
    server.feeder().await.append([caused(1, "")]).await;
    for path in
        [format!("/v1/events/{}/causation", id(1)), format!("/v1/correlations/{}/causation", encode("c"))]
    {
        let refused = body(server.get(&path).await, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(refused["type"], "urn:audit-trail:problem:query-too-broad");
        let detail = refused["detail"].as_str().expect("a detail");
        assert!(detail.contains("`trailctl index --set standard`"), "{detail}");
    }
}
