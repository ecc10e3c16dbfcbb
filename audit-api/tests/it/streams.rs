//! Replays of everything and the live tail: order, resume, heartbeats, expiry, back-pressure.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::Value;
use service::config::ApiSettings;
use test_support::{Token, canonical_event};
use tokio::{io::AsyncReadExt as _, io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    server::{Options, Server, problem, soon},
    sse::{self, Stream},
};

async fn sse_text(server: &Server, path: &str, last: Option<&str>) -> reqwest::Response {
    let mut request = server.request(path, &Token::admin()).header("accept", "text/event-stream");
    if let Some(id) = last {
        request = request.header("last-event-id", id);
    }
    request.send().await.expect("an answer")
}

fn events(text: &str) -> Vec<Value> {
    sse::parse(text).iter().filter(|block| block.is_event()).map(sse::Block::json).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_the_recorded_order_and_resumes_anywhere() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let mut stored = Vec::new();
    for round in 0..10 {
        let (events, partition) =
            ((0..30).map(|index| canonical_event(&format!("a{index}"), 31 - index)), round % 3);
        stored.extend(
            feeder.append_to("audit.events", partition, events).await.iter().map(ToString::to_string),
        );
    }
    let positions = |events: &[Value]| -> Vec<String> {
        events.iter().map(|event| event["position"].as_str().expect("a position").to_owned()).collect()
    };
    let whole = server.lines("/v1/replay").await;
    assert_eq!(positions(&whole), stored, "(append number, offset)");
    let text = sse_text(&server, "/v1/replay", None).await.text().await.expect("a whole stream");
    let blocks = sse::parse(&text);
    assert_eq!(blocks[0].retry.as_deref(), Some("2000"));
    assert_eq!(events(&text), whole);
    for block in blocks.iter().filter(|block| block.is_event()) {
        assert_eq!(block.id.as_deref(), block.json()["position"].as_str(), "the id is the position");
    }
    for index in [0, 1, 29, 30, 31, 150, 298, 299] {
        let rest = sse_text(&server, "/v1/replay?after=start", Some(&stored[index]))
            .await
            .text()
            .await
            .expect("a stream");
        assert_eq!(
            positions(&events(&rest)),
            stored[index + 1..],
            "behind {index}; Last-Event-ID beats after"
        );
        let rest = server.lines(&format!("/v1/replay?after={}", stored[index])).await;
        assert_eq!(positions(&rest), stored[index + 1..], "after {index}");
    }
    assert!(server.lines("/v1/replay?after=now").await.is_empty());
    let end = blocks
        .last()
        .filter(|block| block.is_end())
        .and_then(|block| block.id.clone())
        .expect("an end with an id");
    assert_eq!(sse_text(&server, "/v1/replay", Some(&end)).await.status(), StatusCode::NO_CONTENT);
    let filtered = server.lines("/v1/replay?aggregateId=a3&aggregateId=a4").await;
    assert_eq!(filtered.len(), 20);
    for (path, header) in [
        ("/v1/replay?after=x", None),
        ("/v1/replay?after=99:0", None),
        ("/v1/replay?after=1:99999", None),
        ("/v1/replay", Some("x")),
        ("/v1/stream", Some("1:99999")),
        ("/v1/stream?after=-1:0", None),
    ] {
        assert_eq!(
            problem(sse_text(&server, path, header).await, StatusCode::BAD_REQUEST).await,
            "invalid-request",
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_replays_to_its_end() {
    let server = Server::start().await;
    assert!(server.lines("/v1/replay").await.is_empty());
    let text = sse_text(&server, "/v1/replay", None).await.text().await.expect("a whole stream");
    let end = sse::parse(&text).last().filter(|block| block.is_end()).and_then(|block| block.id.clone());
    assert_eq!(sse_text(&server, "/v1/replay", end.as_deref()).await.status(), StatusCode::NO_CONTENT);
    let mut feeder = server.feeder().await;
    let mut tail = Stream::open(server.request("/v1/stream", &Token::admin())).await;
    feeder.append([canonical_event("a", 1)]).await;
    assert_eq!(tail.event().await.json()["aggregateId"], "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_starts_now_and_filters() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder.append([canonical_event("old", 1)]).await;
    let mut all = Stream::open(server.request("/v1/stream", &Token::admin())).await;
    let mut from_start = Stream::open(server.request("/v1/stream?after=start", &Token::admin())).await;
    let mut one = Stream::open(server.request("/v1/stream?aggregateId=b&source=test", &Token::admin())).await;
    let mut own = Stream::open(server.request("/v1/stream", &Token::org_admin("acme"))).await;
    feeder
        .append([
            canonical_event("a", 1),
            canonical_event("b", 1),
            canonical_event("c", 1).organization("acme"),
        ])
        .await;
    assert_eq!(from_start.event().await.json()["aggregateId"], "old");
    for expected in ["a", "b", "c"] {
        assert_eq!(all.event().await.json()["aggregateId"], expected);
        assert_eq!(from_start.event().await.json()["aggregateId"], expected);
    }
    assert_eq!(one.event().await.json()["aggregateId"], "b");
    assert_eq!(own.event().await.json()["aggregateId"], "c");
    let answer =
        server.request("/v1/stream", &Token::admin()).header("accept", "application/x-ndjson").send().await;
    assert_eq!(problem(answer.expect("an answer"), StatusCode::NOT_ACCEPTABLE).await, "not-acceptable");
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_advance_the_resume_point_of_a_sparse_filter() {
    let api = ApiSettings { heartbeat: Duration::from_millis(200), ..Options::default().api };
    let server = Server::with(Options { api, ..Options::default() }).await;
    let mut feeder = server.feeder().await;
    let first = feeder.append([canonical_event("a", 1)]).await[0].to_string();
    let mut tail = Stream::open(server.request("/v1/stream?aggregateId=none", &Token::admin())).await;
    let opening = tail.next().await.expect("a block");
    assert_eq!(opening.retry.as_deref(), Some("2000"));
    assert_eq!(tail.next().await.expect("a block").id, Some(first), "where the tail began");
    let last = feeder.append([canonical_event("a", 2), canonical_event("a", 3)]).await[1].to_string();
    let (mut comments, mut reached) = (0, String::new());
    while reached != last {
        let block = tail.next().await.expect("the stream goes on");
        comments += usize::from(block.comment);
        assert!(block.data.is_none(), "nothing matches");
        reached = block.id.unwrap_or(reached);
    }
    assert!(comments > 0, "an id comes with its heartbeat");
    let mut resumed =
        Stream::open(server.request("/v1/stream", &Token::admin()).header("last-event-id", reached)).await;
    feeder.append([canonical_event("a", 4)]).await;
    assert_eq!(resumed.event().await.json()["version"], 4, "nothing twice behind a heartbeat's id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token() {
    let server = Server::start().await;
    let started = Instant::now();
    let mut tail = Stream::open(server.request("/v1/stream", &Token::admin().expires_in(1))).await;
    while tail.next().await.is_some() {}
    assert!(started.elapsed() < Duration::from_secs(31), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_counted_and_given_back() {
    let api = ApiSettings { max_streams: 2, ..Options::default().api };
    let server = Server::with(Options { api, ..Options::default() }).await;
    let open = || Stream::open(server.request("/v1/stream", &Token::admin()));
    let (first, _second) = (open().await, open().await);
    let third = server.get("/v1/stream").await;
    assert!(third.headers().contains_key("retry-after"));
    assert_eq!(problem(third, StatusCode::SERVICE_UNAVAILABLE).await, "unavailable");
    drop(first);
    let again = async {
        while server.get("/v1/stream").await.status() != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the permit of a client that has gone", again).await;
}

/// 40 MB of events, whose client reads nothing for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_holds_little_memory_and_no_transaction() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    let filler = "x".repeat(20_000);
    let payload = serde_json::json!({ "filler": filler });
    for _ in 0..20 {
        feeder.append((1..=100).map(|version| canonical_event("a", version).payload(&payload))).await;
    }
    let request = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\nAccept: application/x-ndjson\r\nConnection: close\r\n\r\n",
            Token::admin().bearer()
        )
    };
    let before = resident();
    let mut clients = Vec::new();
    for path in ["/v1/replay", "/v1/events?order=asc", "/v1/aggregates/Order/a/replay"] {
        for _ in 0..4 {
            let mut stream = TcpStream::connect(server.address).await.expect("connected");
            stream.write_all(request(path).as_bytes()).await.expect("sent");
            clients.push(stream);
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let grown = resident().saturating_sub(before);
    // Twelve whole answers would be 480 MB; each stream may hold a few chunks of one mebibyte and the socket's buffers.
    assert!(grown < 120 << 20, "{} MB for {} stalled streams", grown >> 20, clients.len());
    let superuser = server.database.connect(test_support::Role::Superuser).await;
    let open = "select count(*) from pg_stat_activity where datname = current_database() and usename = 'audit_api' and xact_start < now() - interval '1 second'";
    let open: i64 = superuser.query_one(open, &[]).await.expect("the catalogue is readable").get(0);
    assert_eq!(open, 0, "a client that does not read holds no transaction");
    for stream in &mut clients {
        let mut answer = Vec::new();
        soon("the rest of the answer", stream.read_to_end(&mut answer)).await.expect("read");
        let answer = String::from_utf8(answer).expect("UTF-8");
        assert_eq!(answer.matches("\"eventId\"").count(), 2000, "the whole, however late it is read");
        assert!(answer.ends_with("\r\n0\r\n\r\n"), "a clean end");
    }
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("our own status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident size");
    line.split_whitespace().nth(1).and_then(|size| size.parse::<u64>().ok()).expect("a number") * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_never_looks_whole() {
    let database = test_support::TestDatabase::create().await;
    let real: reqwest::Url = database.url_for(test_support::Role::Api).parse().expect("a URL");
    let host = format!("{}:{}", real.host_str().expect("a host"), real.port().unwrap_or(5432));
    let proxy = test_support::FaultProxy::start(&host).await;
    let url = proxy.url(real.as_str());
    let server = Server::on(database, Options { database: Some(url), ..Options::default() }).await;
    let mut feeder = server.feeder().await;
    let payload = serde_json::json!({ "filler": "x".repeat(20_000) });
    for _ in 0..15 {
        feeder.append((1..=100).map(|version| canonical_event("a", version).payload(&payload))).await;
    }
    for (path, encoding) in [
        ("/v1/replay", "identity"),
        ("/v1/events", "identity"),
        ("/v1/replay", "gzip"),
        ("/v1/aggregates/Order/a/replay", "zstd"),
    ] {
        proxy.heal();
        soon("the database to be back", async {
            while server.get("/v1/events?limit=1").await.status() != StatusCode::OK {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        let request = server.request(path, &Token::admin()).header("accept", "application/x-ndjson");
        let mut answer = request.header("accept-encoding", encoding).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        answer.chunk().await.expect("a chunk");
        proxy.refuse();
        let mut ended = Ok(Some(bytes::Bytes::new()));
        while let Ok(Some(_)) = ended {
            ended = soon("the stream to break off", answer.chunk()).await;
        }
        assert!(ended.is_err(), "{path} {encoding}: the connection is reset, not ended");
    }
}
