//! Streams that break: what was cut off is told from what ended, and a tail comes back by itself.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread::JoinHandle,
};

use crate::running::{Ran, Trailctl};

/// A server that answers one connection after the other with these bytes and closes it; gives what it was asked.
struct Server {
    url: String,
    asked: JoinHandle<Vec<String>>,
}

impl Server {
    fn answering(answers: Vec<impl AsRef<[u8]> + Send + 'static>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let asked = std::thread::spawn(move || {
            answers
                .iter()
                .map(|answer| serve(listener.accept().expect("a client").0, answer.as_ref()))
                .collect()
        });
        Self { url, asked }
    }

    fn asked(self) -> Vec<String> {
        self.asked.join().expect("the server does not panic")
    }
}

fn serve(mut client: TcpStream, answer: &[u8]) -> String {
    let mut request = String::new();
    let mut reader = BufReader::new(client.try_clone().expect("a second handle"));
    while !request.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut request).expect("a request") > 0, "the request broke off: {request}");
    }
    client.write_all(answer).expect("sent");
    request
}

/// An answer of chunks; without `end` it breaks off.
fn chunked(kind: &str, chunks: &[&str], end: bool) -> String {
    let mut text = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n");
    for chunk in chunks {
        write!(text, "{:x}\r\n{chunk}\r\n", chunk.len()).expect("a String takes everything");
    }
    if end {
        text.push_str("0\r\n\r\n");
    }
    text
}

fn run(server: &Server, arguments: &[&str]) -> Ran {
    Trailctl::with_text("")
        .variable("AUDIT_TOKEN", "secret")
        .variable("AUDIT_API_URL", &server.url)
        .run(arguments)
}

const ONE: &str = "{\"version\":1,\"position\":\"3:1\"}\n";
const TWO: &str = "{\"version\":2,\"position\":\"3:2\"}\n";

#[test]
fn a_whole_replay_is_passed_on_byte_for_byte() {
    let server = Server::answering(vec![chunked("application/x-ndjson", &[ONE, &TWO[..9], &TWO[9..]], true)]);
    let ran = run(&server, &["replay", "--event-type", "a*"]).ends_with(0);
    assert_eq!(ran.stdout, format!("{ONE}{TWO}"));
    assert!(ran.stderr.starts_with("2 events replayed"), "{}", ran.stderr);
    let asked = server.asked().remove(0).to_lowercase();
    assert!(asked.starts_with("get /v1/replay?eventtype=a* http/1.1"), "{asked}");
    assert!(
        asked.contains("authorization: bearer secret") && asked.contains("accept: application/x-ndjson"),
        "{asked}"
    );
}

#[test]
fn a_cut_replay_fails_names_the_last_position_and_drops_half_a_line() {
    let server =
        Server::answering(vec![chunked("application/x-ndjson", &[ONE, TWO, "{\"version\":3,"], false)]);
    let ran = run(&server, &["replay", "--user-id", "u"]).ends_with(3);
    assert_eq!(ran.stdout, format!("{ONE}{TWO}"));
    assert!(ran.stderr.contains("2 events were received whole, the last at position 3:2"), "{}", ran.stderr);
    assert!(ran.stderr.contains("trailctl replay --after 3:2 --user-id u"), "{}", ran.stderr);
}

#[test]
fn a_replay_that_ends_within_a_line_is_cut_too() {
    let server = Server::answering(vec![chunked("application/x-ndjson", &[ONE, "{\"version\":2"], true)]);
    let ran = run(&server, &["replay"]).ends_with(3);
    assert_eq!(ran.stdout, ONE);
}

#[test]
fn a_replay_cut_before_the_first_event_says_so() {
    let server = Server::answering(vec![chunked("application/x-ndjson", &["{\"ver"], false)]);
    let ran = run(&server, &["replay"]).ends_with(3);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("no event was received"), "{}", ran.stderr);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let many = ONE.repeat(20_000);
    let server = Server::answering(vec![chunked("application/x-ndjson", &[&many, &many, &many], true)]);
    let trailctl =
        Trailctl::with_text("").variable("AUDIT_TOKEN", "t").variable("AUDIT_API_URL", &server.url);
    let mut child = trailctl
        .command(&["replay"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut stdout = child.stdout.take().expect("piped");
    stdout.read_exact(&mut [0; 10]).expect("something comes");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_tail_resumes_after_the_last_whole_event() {
    let kind = "text/event-stream";
    let server = Server::answering(vec![
        chunked(
            kind,
            &[
                "retry: 1\n\nid: 3:0\n\n",
                "id: 3:1\nevent: event\ndata: {\"n\":1}\n\n",
                "id: 3:2\nevent: event\ndata: {\"n",
            ],
            false,
        ),
        chunked(kind, &["id: 3:2\nevent: event\ndata: {\"n\":2}\n\n", ": heartbeat\n\nid: 3:7\n\n"], true),
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
        chunked(
            kind,
            &["id: 3:8\nevent: event\ndata: {\"n\":3}\n\nid: end.9\nevent: end\ndata: {}\n\n"],
            true,
        ),
    ]);
    let ran = run(&server, &["tail"]).ends_with(0);
    assert_eq!(ran.stdout, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    let resumed_from: Vec<Option<String>> = server
        .asked()
        .iter()
        .map(|request| {
            request
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("last-event-id: ").map(str::to_owned))
        })
        .collect();
    let at = |id: &str| Some(id.to_owned());
    assert_eq!(resumed_from, [None, at("3:1"), at("3:7"), at("3:7")]);
}

#[test]
fn a_tail_of_an_empty_store_that_is_cut_misses_nothing() {
    let kind = "text/event-stream";
    let server = Server::answering(vec![
        chunked(kind, &["retry: 1\n\n"], false),
        chunked(kind, &["id: 1:0\nevent: event\ndata: {}\n\nid: end.1\nevent: end\ndata: {}\n\n"], true),
    ]);
    run(&server, &["tail"]).ends_with(0);
    let asked = server.asked();
    assert!(asked[0].contains("after=now") && asked[1].contains("after=start"), "{asked:?}");
}

#[test]
fn a_refused_token_is_not_tried_again() {
    let body = r#"{"type":"/problems/unauthorized","title":"Unauthorized","status":401,"detail":"the token has expired"}"#;
    let answer = format!(
        "HTTP/1.1 401 Unauthorized\r\nx-request-id: r-1\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = Server::answering(vec![answer]);
    let ran = run(&server, &["tail"]).ends_with(3);
    assert!(
        ran.stderr.contains("401 Unauthorized: Unauthorized: the token has expired (request r-1)"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("secret"), "a token never shows");
    server.asked();
}

#[test]
fn what_the_api_calls_wrong_is_wrong_usage() {
    let body = r#"{"title":"Query too broad","detail":"give a time range"}"#;
    let answer =
        format!("HTTP/1.1 422 Unprocessable Content\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let server = Server::answering(vec![answer]);
    let ran = run(&server, &["events", "--source", "x"]).ends_with(2);
    assert!(ran.stderr.contains("Query too broad: give a time range"), "{}", ran.stderr);
    server.asked();
}

#[test]
fn pages_are_followed_up_to_the_limit_and_items_keep_their_bytes() {
    let page = |data: &str, next: &str| {
        let body =
            format!("{{\"data\":[{data}],\"page\":{{\"limit\":1000,\"nextCursor\":{next},\"total\":3}}}}");
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let server = Server::answering(vec![page("{\"a\":1.0},{\"a\": 2}", "\"c1\""), page("{\"a\":3}", "null")]);
    let ran = run(&server, &["events", "--count", "exact", "--limit", "5000"]).ends_with(0);
    assert_eq!(ran.stdout, "{\"a\":1.0}\n{\"a\": 2}\n{\"a\":3}\n");
    assert!(ran.stderr.contains("3 events match"), "{}", ran.stderr);
    let asked = server.asked();
    assert!(asked[0].contains("count=exact") && asked[0].contains("limit=1000"), "{}", asked[0]);
    assert!(asked[1].contains("cursor=c1") && !asked[1].contains("count="), "{}", asked[1]);
}

#[test]
fn a_container_file_is_there_only_when_it_is_whole() {
    let mut whole = Vec::new();
    shared::avro::ContainerWriter::begin([7; 16], &mut whole).end(&mut whole);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.apache.avro\r\nconnection: close\r\n\r\n";
    let answer = |file: &[u8]| [head.as_bytes(), file].concat();
    // Without a length, an answer that was cut between two blocks ends like a whole one.
    let server = Server::answering(vec![answer(&whole), answer(&whole[..whole.len() - 20])]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    run(&server, &["replay", "--avro", &path("whole.avro")]).ends_with(0);
    let cut = run(&server, &["replay", "--avro", &path("cut.avro")]).ends_with(3);
    assert!(cut.stderr.contains("is not whole: run the same command again"), "{}", cut.stderr);
    assert_eq!(std::fs::read(path("whole.avro")).expect("written"), whole);
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("readable").collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let asked = server.asked().remove(0).to_lowercase();
    assert!(asked.contains("accept: application/vnd.apache.avro"), "{asked}");
}
