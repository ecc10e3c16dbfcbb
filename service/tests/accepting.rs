//! The accept loop: peers that never finish their request, the cap on connections, the end of a drain.

#![expect(clippy::unwrap_used, reason = "tests: the helpers too")]

use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use service::{
    Shutdown,
    http::{Limits, serve},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{Instant, timeout},
};

const HEADER: Duration = Duration::from_millis(300);

async fn start(max_connections: usize) -> (SocketAddr, Shutdown, JoinHandle<std::io::Result<()>>) {
    let router = Router::new().route("/", get(|| async { "hello" })).route(
        "/slow",
        get(|| async {
            tokio::time::sleep(Duration::from_millis(800)).await;
            "late"
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
    let limits = Limits { max_connections, header_timeout: HEADER };
    (address, shutdown.clone(), tokio::spawn(serve(listener, router, limits, shutdown)))
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Everything until the peer closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let reading = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    let _ = reading.expect("the server closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_peer_that_never_finishes_its_head_is_closed_in_time() {
    let (address, ..) = start(16).await;
    for sent in ["", "GET / HTTP/1.1\r\nHost: x\r\n", "PRI * HT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let begun = Instant::now();
        send(&mut stream, sent).await;
        let answer = rest(&mut stream).await;
        assert!(!answer.contains("hello"), "{sent:?}: {answer}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{sent:?} held for {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn an_answer_may_take_longer_than_the_head() {
    let (address, ..) = start(16).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    send(&mut stream, "GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(rest(&mut stream).await.ends_with("late"));
}

#[tokio::test]
async fn connections_over_the_cap_wait_for_their_turn() {
    let (address, ..) = start(1).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    send(&mut first, "GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut second = TcpStream::connect(address).await.unwrap();
    send(&mut second, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(300), second.read(&mut byte)).await.is_err(), "the cap is one");
    assert!(rest(&mut first).await.ends_with("late"));
    assert!(rest(&mut second).await.ends_with("ello"));
}

#[tokio::test]
async fn a_drain_finishes_answers_takes_no_new_connection_and_ends() {
    let (address, shutdown, serving) = start(16).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    send(&mut idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut busy = TcpStream::connect(address).await.unwrap();
    send(&mut busy, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    shutdown.request();
    assert!(rest(&mut busy).await.ends_with("late"));
    assert!(rest(&mut idle).await.ends_with("hello"));
    timeout(Duration::from_secs(5), serving).await.expect("the drain ends").unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_immediate_stop_does_not_wait_for_answers() {
    let (address, shutdown, serving) = start(16).await;
    let mut busy = TcpStream::connect(address).await.unwrap();
    send(&mut busy, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    shutdown.request_immediate();
    timeout(Duration::from_millis(500), serving).await.expect("at once").unwrap().unwrap();
}
