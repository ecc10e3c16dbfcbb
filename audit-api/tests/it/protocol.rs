//! What holds for every request: hosts, sizes, times, ids, headers, problems.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use service::config::ApiSettings;
use test_support::{Token, canonical_event};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::server::{Options, Server, json, problem, soon};

/// Sends bytes as they are and reads until the server closes.
async fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    soon("the server to close", stream.read_to_end(&mut answer)).await.expect("read");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_host_is_needed() {
    let server = Server::start().await;
    for (head, status) in [
        ("GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "200"),
        ("GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n", "400"),
        ("GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", "400"),
        ("GET /health/live HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n", "400"),
        (
            "GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
            "400",
        ),
        ("GET /health/live HTTP/1.1\r\nHost : a\r\nConnection: close\r\n\r\n", "400"),
        (
            "GET /health/live HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xyz\r\nConnection: close\r\n\r\n",
            "400",
        ),
    ] {
        let answer = raw(&server, head).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{head:?}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_is_cut_off_and_others_are_served() {
    let api = ApiSettings { header_timeout: Duration::from_secs(1), ..Options::default().api };
    let server = Server::with(Options { api, ..Options::default() }).await;
    let started = Instant::now();
    let mut slow = Vec::new();
    for half in ["", "GET /health/live HTTP/1.1\r\nHost: a\r\nX-Slow: ", "PRI * HT"] {
        let mut stream = TcpStream::connect(server.address).await.expect("connected");
        stream.write_all(half.as_bytes()).await.expect("sent");
        slow.push(stream);
    }
    // A connection that stays open after an answer is idle, and cut off alike.
    let mut idle = TcpStream::connect(server.address).await.expect("connected");
    idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    slow.push(idle);
    assert_eq!(
        server.client.get(server.url("/health/live")).send().await.expect("an answer").status(),
        StatusCode::OK
    );
    for stream in &mut slow {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = soon("a slow client to be cut off", stream.read_to_end(&mut rest)).await;
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_comes_does_not_hold_the_answer() {
    let server = Server::start().await;
    let answer = raw(&server, "GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_bounded_and_refusals_are_problems() {
    const LARGEST_BODY: usize = 1024 * 1024;
    let api = ApiSettings { max_body_bytes: LARGEST_BODY, ..Options::default().api };
    let server = Server::with(Options { api, ..Options::default() }).await;
    let long = "x".repeat(20_000);
    let get = |path: &str| server.client.get(server.url(path)).bearer_auth(Token::admin().sign());
    let answer = get(&format!("/v1/events?userId={long}")).send().await.expect("an answer");
    assert_eq!(problem(answer, StatusCode::URI_TOO_LONG).await, "uri-too-long");
    let answer = get("/v1/events").header("x-long", "x".repeat(60_000)).send().await.expect("an answer");
    assert_eq!(
        problem(answer, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).await,
        "request-header-fields-too-large"
    );
    let answer = get("/v1/events").body(vec![b'x'; LARGEST_BODY + 1]).send().await.expect("an answer");
    assert_eq!(problem(answer, StatusCode::PAYLOAD_TOO_LARGE).await, "payload-too-large");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_problems() {
    let server = Server::start().await;
    for path in ["/nothing", "/v1", "/v1/nothing", "/v1/events/"] {
        let answer = server.get(path).await;
        assert_eq!(problem(answer, StatusCode::NOT_FOUND).await, "not-found", "{path}");
    }
    for method in [Method::PATCH, Method::DELETE, Method::PUT, Method::from_bytes(b"BREW").expect("a method")]
    {
        let answer = server
            .client
            .request(method, server.url("/v1/events"))
            .bearer_auth(Token::admin().sign())
            .send()
            .await
            .expect("an answer");
        assert!(answer.headers()["allow"].to_str().expect("text").contains("GET"));
        assert_eq!(problem(answer, StatusCode::METHOD_NOT_ALLOWED).await, "method-not-allowed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_names_its_request() {
    let server = Server::start().await;
    let ask = |name: &'static str, value: &'static str| {
        let request = server.request("/v1/events", &Token::admin()).header(name, value);
        async move {
            request.send().await.expect("an answer").headers()["x-request-id"]
                .to_str()
                .expect("text")
                .to_owned()
        }
    };
    assert_eq!(ask("x-request-id", "mine-1_2.3").await, "mine-1_2.3");
    let minted = ask("x-request-id", "not mine").await;
    assert!(minted.len() == 32 && minted != "not mine", "{minted}");
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(ask("traceparent", trace).await, "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_are_not_cached_and_are_compressed_when_asked() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder.append((1..=50).map(|version| canonical_event("a", version))).await;
    for accept in ["application/json", "application/x-ndjson"] {
        let plain = server.request("/v1/events", &Token::admin()).header("accept", accept);
        let plain = plain.send().await.expect("an answer");
        assert_eq!(plain.headers()["cache-control"], "no-store");
        assert!(!plain.headers().contains_key("content-encoding"));
        let plain = plain.bytes().await.expect("a body");
        for (encoding, magic) in [("gzip", &[0x1f, 0x8b][..]), ("zstd", &[0x28, 0xb5, 0x2f, 0xfd])] {
            let request = server.request("/v1/events", &Token::admin()).header("accept", accept);
            let answer = request.header("accept-encoding", encoding).send().await.expect("an answer");
            assert_eq!(answer.headers()["content-encoding"], encoding, "{accept}");
            let body = answer.bytes().await.expect("a body");
            assert!(body.starts_with(magic) && body.len() < plain.len() / 2, "{accept} {encoding}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_tells_about_itself_without_a_token() {
    let server = Server::start().await;
    for (path, kind) in [
        ("/health/live", "application/json"),
        ("/health/ready", "application/json"),
        ("/metrics", "text/plain"),
        ("/openapi.json", "application/json"),
        ("/swagger-ui/", "text/html"),
        ("/swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    ] {
        let answer = server.client.get(server.url(path)).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert!(
            answer.headers()["content-type"].to_str().expect("text").starts_with(kind),
            "{path}: {:?}",
            answer.headers()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_told_within_seconds() {
    let database = test_support::TestDatabase::create().await;
    let real: reqwest::Url = database.url_for(test_support::Role::Api).parse().expect("a URL");
    let host = format!("{}:{}", real.host_str().expect("a host"), real.port().unwrap_or(5432));
    let proxy = test_support::FaultProxy::start(&host).await;
    let url = proxy.url(real.as_str());
    let server = Server::on(database, Options { database: Some(url), ..Options::default() }).await;
    json(server.get("/v1/events").await, StatusCode::OK).await;
    proxy.refuse();
    let answer = soon("the refusal", server.get("/v1/events")).await;
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(problem(answer, StatusCode::SERVICE_UNAVAILABLE).await, "unavailable");
    proxy.heal();
    let back = async {
        while server.get("/v1/events").await.status() != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("the database to be back", back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_takes_too_long_and_a_full_pool_are_told_apart() {
    let api = ApiSettings { pool_size: 1, ..Options::default().api };
    let server = Server::with(Options { api, ..Options::default() }).await;
    json(server.get("/v1/events").await, StatusCode::OK).await;
    // Nothing reads while this lock is held: the first request waits for it, and has the only connection.
    let mut superuser = server.database.connect(test_support::Role::Superuser).await;
    let lock = superuser.transaction().await.expect("begun");
    lock.batch_execute("lock table audit.events in access exclusive mode").await.expect("locked");
    let started = Instant::now();
    let first = tokio::spawn(server.request("/v1/events?limit=7", &Token::admin()).send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let second = server.get("/v1/events").await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(second.headers().contains_key("retry-after"));
    assert_eq!(problem(second, StatusCode::SERVICE_UNAVAILABLE).await, "unavailable");
    let first = soon("the statement's time limit", first).await.expect("asked").expect("an answer");
    assert_eq!(problem(first, StatusCode::UNPROCESSABLE_ENTITY).await, "query-too-broad");
    assert!((4..8).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}
