//! A tail that is cut at random bytes, over and over, while several writers append and commit slowly: nothing missed,
//! nothing twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use test_support::{FaultProxy, Token, canonical_event};

use crate::{
    feeder::Feeder,
    server::{Server, soon},
    sse,
};

/// What a client like `EventSource` keeps: whole blocks, and the id of the last of them.
struct Client {
    url: String,
    http: reqwest::Client,
    last_id: Option<String>,
    seen: Vec<String>,
    ended: bool,
}

impl Client {
    fn new(url: String) -> Self {
        // No pool: each connection is cut by itself.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
        Self { url, http, last_id: None, seen: Vec::new(), ended: false }
    }

    /// One connection, until it is cut, or until `enough`.
    async fn connect(&mut self, enough: impl Fn(&[String]) -> bool) {
        let mut request = self
            .http
            .get(&self.url)
            .header("accept", "text/event-stream")
            .header("authorization", Token::admin().bearer());
        if let Some(id) = &self.last_id {
            request = request.header("last-event-id", id);
        }
        let Ok(mut answer) = request.send().await else { return };
        if answer.status() == 204 {
            self.ended = true;
            return;
        }
        assert_eq!(answer.status(), 200);
        let mut text = String::new();
        loop {
            let chunk = tokio::time::timeout(Duration::from_millis(500), answer.chunk()).await;
            match chunk {
                Ok(Ok(Some(chunk))) => text.push_str(std::str::from_utf8(&chunk).expect("ASCII")),
                // Cut, ended, or silent: what came whole counts.
                _ => break,
            }
            if let Some(end) = text.rfind("\n\n") {
                let rest = text.split_off(end + 2);
                self.take(&std::mem::replace(&mut text, rest));
            }
            if enough(&self.seen) {
                return;
            }
        }
    }

    fn take(&mut self, text: &str) {
        for block in sse::parse(text) {
            if block.is_event() {
                self.seen.push(block.json()["position"].as_str().expect("a position").to_owned());
            }
            self.last_id = block.id.or(self.last_id.take());
        }
    }
}

/// Writers append until told to stop; each to a partition of its own, in batches of random size.
async fn write(mut feeder: Feeder, partition: i32, stop: Arc<AtomicBool>) -> usize {
    let mut random = StdRng::seed_from_u64(u64::try_from(partition).expect("small"));
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let count = random.random_range(1..20);
        feeder
            .append_to("audit.events", partition, (0..count).map(|version| canonical_event("a", version + 1)))
            .await;
        written += usize::try_from(count).expect("small");
        tokio::time::sleep(Duration::from_millis(random.random_range(0..15))).await;
    }
    written
}

/// Commits that take up to 20 ms longer, the head's lock held: what is appended becomes visible late and in bursts.
const SLOW_COMMITS: &str = "
    create function audit.slow_commit() returns trigger language plpgsql as $$
    begin perform pg_sleep(random() * 0.02); return null; end $$;
    create constraint trigger slow_commit after insert on audit.appends deferrable initially deferred
        for each row execute function audit.slow_commit();
    grant execute on function audit.slow_commit() to audit_ingestor;";

async fn slow_down_commits(server: &Server) {
    let superuser = server.database.connect(test_support::Role::Superuser).await;
    superuser.batch_execute(SLOW_COMMITS).await.expect("a superuser may");
}

async fn stored_order(server: &Server) -> Vec<String> {
    let client = server.database.connect(test_support::Role::Superuser).await;
    let sql = r#"select e.log_id || ':' || e."offset" from audit.appends a join audit.events e on e.log_id = a.log_id and e."offset" >= a.from_offset and e."offset" < a.next_offset order by a.append_no, e."offset""#;
    client.query(sql, &[]).await.expect("readable").iter().map(|row| row.get(0)).collect()
}

async fn run(path: &str, seed: u64) {
    let server = Server::start().await;
    slow_down_commits(&server).await;
    let proxy = FaultProxy::start(&server.address.to_string()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    // An aggregate's replay needs one to be there.
    server.feeder().await.append_to("audit.events", 9, [canonical_event("a", 1)]).await;
    for partition in 0..4 {
        writers.push(tokio::spawn(write(server.feeder().await, partition, Arc::clone(&stop))));
    }
    let mut client = Client::new(format!("http://{}{path}", proxy.address()));
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..60 {
        proxy.cut_after(random.random_range(1..30_000));
        client.connect(|_| false).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut written = 1;
    for writer in writers {
        written += writer.await.expect("written");
    }
    proxy.heal();
    soon("the rest", async {
        while client.seen.len() < written {
            client.connect(|seen| seen.len() >= written).await;
        }
    })
    .await;
    let stored = stored_order(&server).await;
    assert_eq!(stored.len(), written);
    if path.starts_with("/v1/aggregates") {
        // History order first, then recorded order: exactly the set, each once.
        let (mut seen, mut all) = (client.seen.clone(), stored);
        seen.sort_unstable();
        all.sort_unstable();
        assert_eq!(seen, all);
    } else {
        assert_eq!(client.seen, stored, "exactly the stored set, in recorded order");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_cut_at_random_bytes_misses_nothing() {
    run("/v1/stream?after=start", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_aggregate_cut_at_random_bytes_misses_nothing() {
    run("/v1/aggregates/Order/a/replay?follow=true", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_cut_at_random_bytes_comes_to_its_end() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    for round in 0..20 {
        feeder
            .append_to("audit.events", round % 4, (1..=100).map(|version| canonical_event("a", version)))
            .await;
    }
    let proxy = FaultProxy::start(&server.address.to_string()).await;
    for (path, seed) in [("/v1/replay", 3), ("/v1/aggregates/Order/a/replay", 4)] {
        let mut client = Client::new(format!("http://{}{path}", proxy.address()));
        let mut random = StdRng::seed_from_u64(seed);
        while !client.ended {
            proxy.cut_after(random.random_range(500..200_000));
            client.connect(|_| false).await;
        }
        let (mut seen, mut stored) = (client.seen, stored_order(&server).await);
        if path.starts_with("/v1/aggregates") {
            seen.sort_unstable();
            stored.sort_unstable();
        }
        assert_eq!(seen, stored, "{path}");
    }
}
