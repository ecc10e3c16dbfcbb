//! A follower of the live tail whose connection is cut at random bytes, and who resumes from the last id it kept.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt as _;
use rand::{RngExt as _, rngs::StdRng};
use test_support::wait_until;
use tokio::task::JoinHandle;

use crate::account::Stored;

/// What the follower has got.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Each event: the id of its block and the `eventId` in its data, in the order in which they came.
    pub events: Vec<(String, String)>,
    /// Connections that were answered with a stream.
    pub connections: u32,
    /// Connections that this follower cut.
    pub cuts: u32,
    /// Answers that were no stream, and connections that failed.
    pub failures: u32,
}

/// A follower at work.
#[derive(Debug)]
pub struct Follower {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

/// The API sends a heartbeat every 15 s.
const SILENCE: Duration = Duration::from_secs(40);
const RECONNECT: Duration = Duration::from_millis(200);
/// How long the last events may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// How a follower treats its connections.
#[derive(Debug)]
pub enum Manner {
    /// Reads each to its end.
    Patient,
    /// Cuts each at a byte that chance decides.
    Cutting(Box<StdRng>),
}

impl Manner {
    /// After how many bytes the next connection is cut: from a few bytes to a megabyte, each magnitude alike.
    fn next_cut(&mut self) -> usize {
        match self {
            Self::Patient => usize::MAX,
            Self::Cutting(chance) => 2_usize.pow(chance.random_range(3..21)) + chance.random_range(0..200),
        }
    }
}

/// Follows `<api>/v1/stream` from the start of the store.
pub fn follow(api: &str, token: &str, manner: Manner) -> Follower {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let url = format!("{api}/v1/stream?after=start");
    let follow = follow_for_ever(url, token.to_owned(), manner, Arc::clone(&seen));
    Follower { task: tokio::spawn(follow), seen }
}

impl Follower {
    /// What has come so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until as many events have come as are stored, and asserts that they are these, in this order.
    pub async fn has_seen_exactly(&self, stored: &[Stored]) {
        wait_until("the tail has got as many events as are stored", PATIENCE, || async {
            (self.seen().events.len() >= stored.len()).then_some(())
        })
        .await;
        let seen = self.seen();
        eprintln!("a tail: {} connections, {} cuts, {} failures", seen.connections, seen.cuts, seen.failures);
        let wanted: Vec<_> =
            stored.iter().map(|event| (event.position.clone(), event.event_id.clone())).collect();
        let differs = |place: &usize| seen.events.get(*place) != wanted.get(*place);
        if let Some(place) = (0..wanted.len().max(seen.events.len())).find(differs) {
            let around = |events: &[(String, String)]| {
                events[place.saturating_sub(3).min(events.len())..events.len().min(place + 4)].to_vec()
            };
            panic!(
                "the tail differs from event {place} on:\n got  {:?}\n want {:?}",
                around(&seen.events),
                around(&wanted)
            );
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow_for_ever(url: String, token: String, mut manner: Manner, seen: Arc<Mutex<Seen>>) {
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .pool_max_idle_per_host(0)
        .build()
        .expect("an HTTP client");
    let mut last_id = None;
    loop {
        let cut_after = manner.next_cut();
        let request = client.get(&url).bearer_auth(&token).header("Accept", "text/event-stream");
        let request = match &last_id {
            Some(id) => request.header("Last-Event-ID", id),
            None => request,
        };
        let count = |change: fn(&mut Seen)| change(&mut seen.lock().unwrap_or_else(PoisonError::into_inner));
        match tokio::time::timeout(SILENCE, request.send()).await {
            Ok(Ok(response)) if response.status() == 200 => {
                count(|seen| seen.connections += 1);
                if read(response, cut_after, &seen, &mut last_id).await {
                    count(|seen| seen.cuts += 1);
                }
            }
            Ok(Ok(response)) if response.status().is_client_error() => {
                panic!("the tail is refused: {:?}", response.text().await)
            }
            _ => count(|seen| seen.failures += 1),
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

/// Reads one connection to its end or to the cut; whether it was cut.
async fn read(
    response: reqwest::Response,
    cut_after: usize,
    seen: &Mutex<Seen>,
    last_id: &mut Option<String>,
) -> bool {
    let mut body = response.bytes_stream();
    let mut blocks = Blocks::default();
    let mut left = cut_after;
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout(SILENCE, body.next()).await {
        let taken = &chunk[..chunk.len().min(left)];
        left -= taken.len();
        for block in blocks.push(taken) {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            keep(&block, &mut seen, last_id);
        }
        if left == 0 {
            return true;
        }
    }
    false
}

fn keep(block: &Block, seen: &mut Seen, last_id: &mut Option<String>) {
    if let Some(id) = &block.id {
        *last_id = Some(id.clone());
    }
    if let Some(data) = &block.data {
        let event: serde_json::Value = serde_json::from_str(data).expect("an event's data is JSON");
        let event_id = event["eventId"].as_str().expect("an event has an id").to_owned();
        assert_eq!(
            event["position"].as_str(),
            block.id.as_deref(),
            "an event's block has its position as id"
        );
        seen.events.push((block.id.clone().unwrap_or_default(), event_id));
    }
}

/// A block of an event stream, as far as a follower cares.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    id: Option<String>,
    data: Option<String>,
}

/// Puts blocks together from chunks; what is not complete is never seen.
#[derive(Debug, Default)]
struct Blocks {
    pending: Vec<u8>,
}

impl Blocks {
    fn push(&mut self, chunk: &[u8]) -> Vec<Block> {
        self.pending.extend_from_slice(chunk);
        let mut blocks = Vec::new();
        let mut start = 0;
        while let Some(length) = self.pending[start..].windows(2).position(|pair| pair == b"\n\n") {
            blocks.push(Block::parse(&self.pending[start..start + length]));
            start += length + 2;
        }
        self.pending.drain(..start);
        blocks
    }
}

impl Block {
    fn parse(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).expect("an event stream is UTF-8");
        let mut block = Self::default();
        for line in text.lines() {
            if let Some(id) = line.strip_prefix("id: ") {
                block.id = Some(id.to_owned());
            } else if let Some(data) = line.strip_prefix("data: ") {
                block.data.get_or_insert_default().push_str(data);
            }
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_the_same_wherever_the_chunks_end() {
        let text = b"retry: 2000\n\nid: 1:2\n\n: heartbeat\n\nid: 1:3\nevent: event\ndata: {\"a\":\"\xc3\xa9\"}\n\nid: 1:4\ndata";
        let whole = Blocks::default().push(text);
        let expected = Block { id: Some("1:3".to_owned()), data: Some("{\"a\":\"é\"}".to_owned()) };
        assert_eq!(whole.last(), Some(&expected), "the half block at the end is not seen");
        assert_eq!(whole.len(), 4);
        for cut in 0..text.len() {
            let mut blocks = Blocks::default();
            let mut parts = blocks.push(&text[..cut]);
            parts.extend(blocks.push(&text[cut..]));
            assert_eq!(parts, whole, "cut at {cut}");
        }
    }
}
