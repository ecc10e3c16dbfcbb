//! A client that hangs up frees what the database did for it: the bound is a second, while a statement alone may take five.

use std::time::Duration;

use serde_json::json;
use service::config::{ApiSettings, ExportSettings};
use tempfile::TempDir;
use test_support::{Role, Token, canonical_event, wait_until};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_postgres::Client;

use crate::server::{Options, Server};

/// The statement's own limit ends it after five seconds; less than that is our doing, also on a slow machine. On an idle one
/// the nineteen of these tests take a second and a half together.
const SOON: Duration = Duration::from_secs(3);

/// Ways to ask that keep the database busy.
const READS: [(&str, &str); 9] = [
    ("/v1/events?limit=5", "application/json"),
    ("/v1/events?count=exact", "application/json"),
    ("/v1/events", "application/x-ndjson"),
    ("/v1/events", "text/csv"),
    ("/v1/replay", "application/x-ndjson"),
    ("/v1/stream?after=start", "text/event-stream"),
    ("/v1/aggregates/Order/o-1", "application/json"),
    ("/v1/aggregates/Order/o-1/replay", "text/event-stream"),
    ("/api/audit/search?entityType=Order", "application/json"),
];

/// An API with one connection to the database, some events, and a place for exports.
async fn filled(folder: &TempDir) -> Server {
    let api = ApiSettings { pool_size: 1, ..Options::default().api };
    let exports = ExportSettings { folder: Some(folder.path().to_owned()), ..ExportSettings::default() };
    let server = Server::with(Options { api, exports, ..Options::default() }).await;
    server.feeder().await.append((1..=20).map(|version| canonical_event("o-1", version))).await;
    server
}

/// Asks, over a connection of its own, and waits for nothing.
async fn ask(server: &Server, method: &str, path: &str, accept: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.expect("connected");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nAuthorization: {}\r\nAccept: {accept}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        Token::admin().bearer(),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream
}

/// The server processes that work for the API; `waiting`: in the middle of a statement that goes on for long.
async fn at_work(superuser: &Client, waiting: bool) -> Vec<i32> {
    let sql = "select pid from pg_stat_activity where datname = current_database() and usename = 'audit_api' \
               and state = 'active' and (not $1 or wait_event_type = 'Lock' or wait_event = 'PgSleep')";
    superuser.query(sql, &[&waiting]).await.expect("readable").iter().map(|row| row.get(0)).collect()
}

/// Asks, waits until the database works for it, hangs up: it is done soon, and so is the connection.
async fn hangs_up(server: &Server, watcher: &Client, method: &str, path: &str, accept: &str, body: &str) {
    let stream = ask(server, method, path, accept, body).await;
    let busy = wait_until("the database is at work", Duration::from_secs(20), || async {
        let busy = at_work(watcher, true).await;
        (!busy.is_empty()).then_some(busy)
    });
    let busy = busy.await;
    drop(stream);
    wait_until(&format!("nobody works for {path} as {accept}"), SOON, || async {
        let still = at_work(watcher, false).await;
        (!still.iter().any(|pid| busy.contains(pid))).then_some(())
    })
    .await;
    let there = "select count(*) from pg_stat_activity where pid = any($1)";
    wait_until("the connection is closed, not given to somebody else", Duration::from_secs(20), || async {
        let count: i64 = watcher.query_one(there, &[&busy]).await.expect("readable").get(0);
        (count == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_while_the_database_waits_frees_it() {
    let folder = TempDir::new().expect("a folder");
    let server = filled(&folder).await;
    let watcher = server.database.connect(Role::Superuser).await;
    let mut locker = server.database.connect(Role::Superuser).await;
    let lock = locker.transaction().await.expect("begun");
    lock.batch_execute("lock table audit.events in access exclusive mode").await.expect("locked");
    for (path, accept) in READS {
        hangs_up(&server, &watcher, "GET", path, accept, "").await;
    }
    let export = json!({ "format": "csv" }).to_string();
    hangs_up(&server, &watcher, "POST", "/audit/export", "application/json", &export).await;
    lock.rollback().await.expect("unlocked");
    // The only connection of the pool is there for the next one.
    assert_eq!(server.json("/v1/events").await["data"].as_array().map(Vec::len), Some(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_while_a_statement_runs_ends_it() {
    let folder = TempDir::new().expect("a folder");
    let server = filled(&folder).await;
    // Statements are prepared, and run for long from now on: a second a row.
    for (path, accept) in READS.iter().filter(|(path, _)| !path.starts_with("/v1/stream")) {
        let request = server.request(path, &Token::admin()).header("accept", *accept);
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}");
        answer.bytes().await.expect("a whole answer");
    }
    let watcher = server.database.connect(Role::Superuser).await;
    let view: String = watcher
        .query_one("select pg_get_viewdef('audit.events_visible'::regclass)", &[])
        .await
        .expect("a view")
        .get(0);
    let slow =
        view.trim_end().trim_end_matches(';').replacen("WHERE", "WHERE pg_sleep(1) is not null and (", 1);
    watcher
        .batch_execute(&format!("create or replace view audit.events_visible as {slow})"))
        .await
        .expect("slow");
    for (path, accept) in READS {
        hangs_up(&server, &watcher, "GET", path, accept, "").await;
    }
    watcher
        .batch_execute(&format!("create or replace view audit.events_visible as {view}"))
        .await
        .expect("quick");
    assert_eq!(server.json("/v1/events").await["data"].as_array().map(Vec::len), Some(20));
}
