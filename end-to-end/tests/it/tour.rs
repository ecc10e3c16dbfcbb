//! The tour of the README: what a stranger types, and what he sees.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::{BufRead as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use end_to_end::{
    Stack, Status, is_long,
    stack::{succeeded, text},
};
use serde_json::Value;
use shared::{
    envelope::{Envelope, from_canonical_json},
    json::{ProtectedMarker, compact},
};
use test_support::{canonical_event, data, wait_until};

/// Events of the real data that the short run takes: debug programs on two busy cores.
const SHORT: usize = 12_000;

/// Produced, stored, queried, replayed byte for byte, accounted for, verified.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_produces_queries_replays_and_verifies() {
    let mut stack = Stack::fresh("e2e-tour").await;
    let status = stack.up().await;
    let folder = tempfile::tempdir().expect("a folder");
    let events = Events::prepare(folder.path());

    succeeded("trailctl doctor", &stack.trailctl(&["doctor"]).await);
    let files = events.files.iter().map(|file| file.as_os_str());
    let produce: Vec<_> = ["produce".as_ref()].into_iter().chain(files).collect();
    succeeded("trailctl produce", &stack.trailctl(&produce).await);
    let patience = Duration::from_secs(if is_long() { 600 } else { 120 });
    wait_until("everything is stored", patience, || async {
        (total(&status).await == events.lines.len()).then_some(())
    })
    .await;

    strangers_are_refused(&status).await;
    pages_hold_everything_once(&status, &events).await;
    histories_come_back_by_version(&stack, &status, &events).await;
    the_replay_is_what_was_produced(&stack, &status, &events).await;
    the_same_again_changes_nothing(&stack, &status, &events, folder.path()).await;
    a_bad_line_is_named(&stack, folder.path()).await;
    let verified = succeeded("trailctl verify", &stack.trailctl(&["verify", "--output", "json"]).await);
    let verified: Value = serde_json::from_str(&verified).expect("JSON");
    assert_eq!(verified["clean"], true, "{verified}");
    // What was produced, and who has looked at it here.
    assert!(verified["events"].as_u64() > u64::try_from(events.lines.len()).ok(), "{verified}");
    the_documentation_is_there(&status).await;
}

/// What is produced: real events when they lie beside the repository, else some of our own.
struct Events {
    files: Vec<PathBuf>,
    /// The first line as it is in its file: key order and spaces in a payload are part of its identity.
    first: String,
    lines: Vec<Envelope>,
}

impl Events {
    fn prepare(folder: &Path) -> Self {
        let mut files = Vec::new();
        let mut text: Vec<String> = Vec::new();
        for set in ["loan-applications", "cloudtrail", "ssh-logins"] {
            let Some(lines) = data::lines(set) else { continue };
            if set == "loan-applications" && !is_long() {
                let file = folder.join("loans.jsonl");
                text.extend(lines.take(SHORT));
                std::fs::write(&file, text.join("\n") + "\n").expect("a file");
                files.push(file);
            } else {
                text.extend(lines);
                files.extend(data::shared_file(&format!("data/{set}.jsonl.gz")));
            }
        }
        if text.is_empty() {
            let own =
                |n: i64| json_line(canonical_event(&format!("orders/{}", n % 100), n / 100 + 1).build());
            text = (0..3_000).map(own).collect();
            let file = folder.join("orders.jsonl");
            std::fs::write(&file, text.join("\n") + "\n").expect("a file");
            files.push(file);
        }
        let lines = text.iter().map(|line| from_canonical_json(line).expect("a canonical event")).collect();
        Self { files, first: text[0].clone(), lines }
    }

    /// The aggregate with the most events among those whose id holds a slash (`true`) or none, by version.
    fn largest_aggregate(&self, slash: bool) -> Option<Vec<&Envelope>> {
        let mut aggregates: HashMap<_, Vec<&Envelope>> = HashMap::new();
        for line in self.lines.iter().filter(|line| line.aggregate_id.contains('/') == slash) {
            let organization = line.metadata.get("organizationId");
            aggregates
                .entry((organization, &line.aggregate_type, &line.aggregate_id))
                .or_default()
                .push(line);
        }
        let mut largest = aggregates.into_values().max_by_key(Vec::len)?;
        largest.sort_by_key(|line| line.version);
        Some(largest)
    }
}

/// An envelope as `trailctl produce` reads it.
pub(crate) fn json_line(envelope: Envelope) -> String {
    let Envelope {
        event_id,
        event_type,
        aggregate_type,
        aggregate_id,
        timestamp,
        version,
        payload,
        metadata,
    } = envelope;
    let payload: Value = serde_json::from_str(&payload).expect("a payload is JSON");
    serde_json::json!({
        "eventId": event_id, "eventType": event_type, "aggregateType": aggregate_type, "aggregateId": aggregate_id,
        "timestamp": timestamp, "version": version, "payload": payload, "metadata": metadata,
    })
    .to_string()
}

async fn get(status: &Status, path: &str, accept: &str) -> reqwest::Response {
    let client = reqwest::Client::new();
    let request = client.get(format!("{}{path}", status.api())).header("Accept", accept);
    request.bearer_auth(&status.tokens().global_admin).send().await.expect("the API answers")
}

async fn json(status: &Status, path: &str) -> Value {
    let response = get(status, path, "application/json").await;
    let code = response.status();
    let body = response.text().await.expect("a body");
    assert!(code.is_success(), "{path}: {code} {body}");
    serde_json::from_str(&body).expect("JSON")
}

async fn total(status: &Status) -> usize {
    let page = json(status, "/v1/events?limit=1&count=exact").await;
    usize::try_from(page["page"]["total"].as_u64().expect("a total")).expect("a number")
}

async fn strangers_are_refused(status: &Status) {
    let url = format!("{}/v1/events", status.api());
    let nobody = reqwest::get(&url).await.expect("the API answers");
    assert_eq!(nobody.status(), 401);
    assert!(nobody.headers().contains_key("www-authenticate"));
    let user = reqwest::Client::new().get(&url).bearer_auth(&status.tokens().user).send().await;
    assert_eq!(user.expect("the API answers").status(), 403);
    let other = reqwest::Client::new().get(&url).bearer_auth(&status.tokens().org_admin).send().await;
    let other: Value = other.expect("the API answers").json().await.expect("JSON");
    for event in other["data"].as_array().expect("a page") {
        assert_eq!(event["metadata"]["organizationId"], "demo", "{event}");
    }
}

async fn pages_hold_everything_once(status: &Status, events: &Events) {
    let mut seen = HashSet::new();
    let mut path = "/v1/events?limit=1000".to_owned();
    loop {
        let page = json(status, &path).await;
        for event in page["data"].as_array().expect("a page") {
            let is_new = seen.insert(event["eventId"].as_str().expect("an id").to_owned());
            assert!(is_new, "on two pages: {event}");
        }
        let Some(cursor) = page["page"]["nextCursor"].as_str() else { break };
        path = format!("/v1/events?limit=1000&cursor={cursor}");
    }
    assert_eq!(seen.len(), events.lines.len());
}

async fn histories_come_back_by_version(stack: &Stack, status: &Status, events: &Events) {
    for aggregate in [false, true].into_iter().filter_map(|slash| events.largest_aggregate(slash)) {
        let wanted: Vec<&str> = aggregate.iter().take(1000).map(|line| line.event_id.as_str()).collect();
        let (kind, id) = (&aggregate[0].aggregate_type, &aggregate[0].aggregate_id);
        let page = json(status, &format!("/v1/aggregates/{kind}/{}/events?limit=1000", encoded(id))).await;
        assert!(page["integrity"]["gaps"].is_array(), "{}", page["integrity"]);
        let data = page["data"].as_array().expect("a page");
        let got: Vec<&str> = data.iter().filter_map(|event| event["eventId"].as_str()).collect();
        assert_eq!(got, wanted, "the history of {kind} {id}");
        let output = stack.trailctl(&["history", kind, id, "--output", "ndjson"]).await;
        let printed = succeeded("trailctl history", &output);
        let printed: Vec<Envelope> =
            printed.lines().map(|line| from_canonical_json(line).expect("an event")).collect();
        let got: Vec<&str> = printed.iter().take(1000).map(|line| line.event_id.as_str()).collect();
        assert_eq!(got, wanted, "trailctl history {kind} {id}");
    }
}

/// An id in a path: whatever is not plain is percent-encoded, a slash above all.
fn encoded(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    id.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

async fn the_replay_is_what_was_produced(stack: &Stack, status: &Status, events: &Events) {
    let printed = succeeded("trailctl replay", &stack.trailctl(&["replay"]).await);
    let answered = get(status, "/v1/replay", "application/x-ndjson").await.text().await.expect("a body");
    assert!(printed == answered, "trailctl replay prints what the API answers");
    let replayed: Vec<Envelope> =
        answered.lines().map(|line| from_canonical_json(line).expect("an event")).collect();
    assert_eq!(replayed.len(), events.lines.len());
    let by_id: HashMap<&str, &Envelope> =
        replayed.iter().map(|event| (event.event_id.as_str(), event)).collect();
    for line in &events.lines {
        let mut wanted = line.clone();
        wanted.payload = compact(wanted.payload, ProtectedMarker::Refused).expect("a payload");
        assert_eq!(by_id.get(line.event_id.as_str()), Some(&&wanted));
    }
    assert!(
        order_by_aggregate(&replayed) == order_by_aggregate(&events.lines),
        "the order within each aggregate"
    );
}

fn order_by_aggregate(events: &[Envelope]) -> BTreeMap<(&str, &str), Vec<&str>> {
    let mut order: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for event in events {
        let aggregate = (event.aggregate_type.as_str(), event.aggregate_id.as_str());
        order.entry(aggregate).or_default().push(&event.event_id);
    }
    order
}

async fn the_same_again_changes_nothing(stack: &Stack, status: &Status, events: &Events, folder: &Path) {
    let file = folder.join("again.jsonl");
    std::fs::write(&file, events.first.clone() + "\n").expect("a file");
    succeeded("trailctl produce", &stack.trailctl(&["produce".as_ref(), file.as_os_str()]).await);
    let address = wait_until("the repeated event is a duplicate", Duration::from_mins(1), || async {
        duplicate(status, &events.lines[0].event_id).await
    })
    .await;
    let [partition, offset] = address.map(|number| number.to_string());
    let output = stack.trailctl(&["record", "audit.events", &partition, &offset, "--output", "json"]).await;
    let record: Value = serde_json::from_str(&succeeded("trailctl record", &output)).expect("JSON");
    assert_eq!(record["state"], "duplicate", "{record}");
    assert_eq!(total(status).await, events.lines.len());
    let answered = json(status, &format!("/v1/ledger/records/audit.events/{partition}/{offset}")).await;
    assert_eq!(answered["eventId"], record["eventId"]);
    let beyond =
        json(status, &format!("/v1/ledger/records/audit.events/{partition}/{}", address[1] + 1_000)).await;
    assert_eq!(beyond["state"], "not-read", "{beyond}");
}

/// The partition and the offset of a duplicate of this event, once there is one.
async fn duplicate(status: &Status, event_id: &str) -> Option<[i64; 2]> {
    let client = end_to_end::account::connect(status.postgres()).await;
    let sql = "select l.\"partition\"::bigint, d.from_offset from audit.dispositions d join audit.logs l using (log_id) \
               where d.kind = 'duplicate' and d.event_id::text = $1";
    let row = client.query_opt(sql, &[&event_id]).await.expect("the account can be read")?;
    Some([row.get(0), row.get(1)])
}

async fn a_bad_line_is_named(stack: &Stack, folder: &Path) {
    let file = folder.join("bad.jsonl");
    let mut text = std::fs::File::create(&file).expect("a file");
    writeln!(text, "{}", json_line(canonical_event("tour-1", 1).build())).expect("a line");
    writeln!(text, "{{\"eventId\": 7}}").expect("a line");
    let output = stack.trailctl(&["produce".as_ref(), "--dry-run".as_ref(), file.as_os_str()]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = text_of(&output);
    assert!(said.contains("line 2") || said.contains(":2"), "{said}");
}

fn text_of(output: &std::process::Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

async fn the_documentation_is_there(status: &Status) {
    let document = json(status, "/openapi.json").await;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let page = reqwest::get(format!("{}/swagger-ui/", status.api())).await.expect("the API answers");
    assert!(page.status().is_success());
    let lines = page.bytes().await.expect("a page").lines().count();
    assert!(lines > 3);
}
