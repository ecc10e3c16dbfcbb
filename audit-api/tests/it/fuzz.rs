//! Random requests made from the OpenAPI document: never a 5xx, never an answer that is not documented.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::Value;
use test_support::{Token, canonical_event};

use crate::{
    openapi::{Operation, reads},
    server::{Server, encode},
};

/// Values that have broken something somewhere before.
const NASTY: [&str; 34] = [
    "",
    " ",
    "0",
    "-1",
    "1",
    "1000",
    "2147483647",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "1e3",
    "NaN",
    "null",
    "true",
    "start",
    "now",
    "1:0",
    "1:99",
    "999:1",
    "\u{0}",
    "\u{1f600}",
    "ä",
    "*",
    "**",
    "a*b",
    "%",
    "_",
    "\\",
    "'; select pg_sleep(9) --",
    "2025-11-20T12:00:00Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:60Z",
    "desc",
    "Order",
];

fn random_text(random: &mut StdRng) -> String {
    let length = random.random_range(0..40);
    (0..length).map(|_| char::from_u32(random.random_range(1..0x3000)).unwrap_or('x')).collect()
}

/// A value: often a good one of its schema, else a nasty one, else noise.
fn value(name: &str, schema: &Value, random: &mut StdRng) -> String {
    let words: Vec<&str> =
        schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match random.random_range(0..10) {
        0..5 if !words.is_empty() => (*words.choose(random).expect("words")).to_owned(),
        0..5 if schema["format"] == "date-time" => {
            format!("20{:02}-0{}-01T00:00:00Z", random.random_range(0..99), random.random_range(1..9))
        }
        0..5 if schema["format"] == "uuid" => uuid::Uuid::from_u128(random.random()).to_string(),
        0..5 if ["partition", "offset", "limit", "fromVersion", "toVersion"].contains(&name) => {
            random.random_range(0..2000).to_string()
        }
        0..5 if name == "type" || name == "aggregateType" => "Order".to_owned(),
        5..9 => (*NASTY.choose(random).expect("not empty")).to_owned(),
        _ => random_text(random),
    }
}

fn address(operation: &Operation, random: &mut StdRng) -> String {
    let mut values = BTreeMap::new();
    let parameters = operation.parameters("path");
    for (name, schema) in &parameters {
        let mut given = value(name, schema, random);
        if given.is_empty() {
            given.push('x');
        }
        values.insert(name.as_str(), given);
    }
    let mut address = operation.fill(&values);
    for (index, (name, schema)) in operation.parameters("query").into_iter().enumerate() {
        let schema = if schema["type"] == "array" { schema["items"].clone() } else { schema };
        let times = if random.random_bool(0.2) { random.random_range(1..3) } else { 0 };
        for _ in 0..times {
            let separator = if address.contains('?') { '&' } else { '?' };
            let value = encode(&value(&name, &schema, random));
            write!(address, "{separator}{name}={value}").expect("a String takes everything");
        }
        if index == 0 && random.random_bool(0.02) {
            address.push_str("?%ff=%00");
        }
    }
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn random_requests_get_documented_answers() {
    let seed =
        std::env::var("AUDIT_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("AUDIT_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder.append((1..50).map(|version| canonical_event("1", version))).await;
    let tokens = [
        Token::admin(),
        Token::admin(),
        Token::org_admin("demo"),
        Token::with_roles(&["audit:operator"]),
        Token::with_roles(&[]),
    ];
    let accepts = [
        "*/*",
        "application/json",
        "application/x-ndjson",
        "text/event-stream",
        "text/csv",
        "\u{7f}",
        "*/*;q=x",
    ];
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for operation in reads() {
        let documented = operation.statuses();
        for _ in 0..250 {
            let address = address(&operation, &mut random);
            let mut request = server.request(&address, tokens.choose(&mut random).expect("tokens"));
            if random.random_bool(0.5) {
                let accept = accepts.choose(&mut random).expect("not empty");
                request = request.header(
                    "accept",
                    reqwest::header::HeaderValue::from_bytes(accept.as_bytes())
                        .unwrap_or(reqwest::header::HeaderValue::from_static("x")),
                );
            }
            if random.random_bool(0.1) {
                request = request.header(
                    "last-event-id",
                    *["1:5", "r.1:5", "h.1.1.1.1.1", "end.1", "x", ""].choose(&mut random).expect("ids"),
                );
            }
            let mut answer = request.send().await.expect("an answer");
            let status = answer.status().as_u16();
            *statuses.entry(status).or_default() += 1;
            assert!(status < 500, "seed {seed}: {address}: {status}");
            assert!(
                documented.contains(&status),
                "seed {seed}: {address}: {status} is not among {documented:?}"
            );
            let kind =
                answer.headers().get("content-type").map(|kind| kind.to_str().expect("text").to_owned());
            if status >= 400 {
                assert_eq!(kind.as_deref(), Some("application/problem+json"), "seed {seed}: {address}");
            }
            // A tail goes on for ever; anything else has to come to a clean end.
            let is_tail = kind.as_deref() == Some("text/event-stream") || address.contains("follow=true");
            let limit = Duration::from_secs(if is_tail { 0 } else { 10 });
            while let Ok(chunk) = tokio::time::timeout(limit, answer.chunk()).await {
                if chunk.expect("a clean answer").is_none() {
                    break;
                }
            }
        }
    }
    eprintln!("{statuses:?}");
    assert!(statuses[&200] > 300 && statuses[&400] > 300, "both sides are tried: {statuses:?}");
}
