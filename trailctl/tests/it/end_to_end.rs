//! From files to Kafka, the database, and back: the real data, byte for byte (issue 3's first promise).

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use test_support::{Daemon, DaemonConfig, Role, TestDatabase, TestTopic, Token, data, unique, wait_until};

use crate::running::{Ran, Trailctl, lines};

/// A store of its own, with an ingestor that reads one topic, the API, and a trailctl that knows both.
pub(crate) struct Stack {
    database: TestDatabase,
    topic: TestTopic,
    letters: TestTopic,
    api: Daemon,
    _ingestor: Daemon,
    config: DaemonConfig,
    pub(crate) trailctl: Trailctl,
}

impl Stack {
    pub(crate) async fn start() -> Self {
        Self::start_with(|config| config).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(DaemonConfig) -> DaemonConfig) -> Self {
        let database = TestDatabase::create().await;
        let (topic, letters) = (TestTopic::create(12).await, TestTopic::create(1).await);
        let config =
            change(DaemonConfig::new(&database).topics(&[topic.name()]).dead_letter_topic(letters.name()));
        let (ingestor, api) = (Daemon::ingestor(&config), Daemon::audit_api(&config));
        let (ingestor, api) = (ingestor.ready().await, api.ready().await);
        let trailctl = Trailctl::new(&config)
            .variable("AUDIT_API_URL", &api.url(""))
            .variable("AUDIT_TOKEN", &Token::admin().sign());
        Self { database, topic, letters, api, _ingestor: ingestor, config, trailctl }
    }

    /// Starts a projector, and waits until it has read everything.
    pub(crate) async fn projected(&self) -> Daemon {
        let projector = Daemon::projector(&self.config).ready().await;
        let client = self.database.connect(Role::Operator).await;
        wait_until("the projections have read everything", Duration::from_mins(1), || async {
            let states = store::projections::states(&client).await.expect("readable");
            states.iter().all(|state| state.as_of.behind == 0).then_some(())
        })
        .await;
        projector
    }

    /// Produces a file and waits until the store accounts for so many records in all.
    pub(crate) async fn produce(&self, file: &str, accounted: i64) -> Ran {
        let ran = self.trailctl.run(&["produce", "--topic", self.topic.name(), file]).ends_with(0);
        self.accounted(accounted).await;
        ran
    }

    pub(crate) async fn accounted(&self, records: i64) {
        let client = self.database.connect(Role::Superuser).await;
        wait_until("the store accounts for every record", Duration::from_mins(5), || async {
            let row = client
                .query_one(
                    "select coalesce(sum(next_offset - from_offset), 0)::bigint from audit.appends",
                    &[],
                )
                .await
                .expect("the appends are readable");
            (row.get::<_, i64>(0) >= records).then_some(())
        })
        .await;
    }
}

/// The members that must come back as they went in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    event_id: String,
    event_type: String,
    aggregate_type: String,
    aggregate_id: String,
    timestamp: String,
    version: i64,
    payload: Box<RawValue>,
    metadata: HashMap<String, Value>,
}

/// The text without whitespace outside of strings; written here once more, so that the test does not believe `shared`.
fn without_whitespace(json: &str) -> String {
    let (mut out, mut inside, mut escaped) = (String::with_capacity(json.len()), false, false);
    for c in json.chars() {
        match (inside, c) {
            (true, '"') if !escaped => inside = false,
            (false, '"') => inside = true,
            (false, ' ' | '\t' | '\n' | '\r') => continue,
            _ => {}
        }
        escaped = inside && c == '\\' && !escaped;
        out.push(c);
    }
    out
}

fn micros(time: &str) -> i64 {
    shared::timestamp::Timestamp::parse(time).expect("RFC 3339").as_micros()
}

fn parse(line: &str) -> Line {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// What was sent, by id, and each aggregate's ids in the order they were sent.
#[derive(Default)]
struct Sent {
    events: HashMap<String, Line>,
    histories: HashMap<(String, String), Vec<String>>,
}

impl Sent {
    fn add(&mut self, line: &str) {
        let event = parse(line);
        let aggregate = (event.aggregate_type.clone(), event.aggregate_id.clone());
        self.histories.entry(aggregate).or_default().push(event.event_id.clone());
        assert!(self.events.insert(event.event_id.clone(), event).is_none(), "the data has each id once");
    }

    /// Every event once, each as it was sent, each aggregate in its order.
    fn check(&self, replayed: &str) {
        let mut histories: HashMap<(String, String), Vec<String>> = HashMap::new();
        for line in replayed.lines() {
            let event = parse(line);
            let sent = self.events.get(&event.event_id).unwrap_or_else(|| panic!("never sent: {line}"));
            assert_eq!(event.payload.get(), without_whitespace(sent.payload.get()), "{line}");
            assert_eq!(event.metadata, sent.metadata, "{line}");
            assert_eq!(micros(&event.timestamp), micros(&sent.timestamp), "{line}");
            assert_eq!((&event.event_type, event.version), (&sent.event_type, sent.version), "{line}");
            histories.entry((event.aggregate_type, event.aggregate_id)).or_default().push(event.event_id);
        }
        assert_eq!(histories.len(), self.histories.len(), "as many aggregates");
        for (aggregate, ids) in &self.histories {
            assert_eq!(histories.get(aggregate), Some(ids), "{aggregate:?} in its order, each event once");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_data_comes_back_byte_for_byte_by_api_and_by_trailctl() {
    let stack = Stack::start().await;
    let mut sent = Sent::default();
    let mut accounted = 0;
    for set in ["ssh-logins", "cloudtrail", "loan-applications"] {
        let Some(events) = data::lines(set) else { return };
        for line in events {
            sent.add(&line);
            accounted += 1;
        }
        let file = data::shared_file(&format!("data/{set}.jsonl.gz")).expect("it was there a moment ago");
        let started = Instant::now();
        let ran = stack.produce(file.to_str().expect("a plain path"), accounted).await;
        eprintln!("{set}: {}stored after {:.1} s", ran.stderr, started.elapsed().as_secs_f64());
    }

    let by_trailctl = stack.trailctl.run(&["replay"]).ends_with(0);
    eprintln!("replay: {}", by_trailctl.stderr);
    assert_eq!(by_trailctl.stdout.lines().count(), sent.events.len());
    sent.check(&by_trailctl.stdout);

    let by_api = reqwest::Client::new()
        .get(stack.api.url("/v1/replay"))
        .header("authorization", Token::admin().bearer())
        .header("accept", "application/x-ndjson")
        .send()
        .await
        .expect("the API answers");
    assert_eq!(by_api.status(), 200);
    assert!(
        by_api.text().await.expect("it ends cleanly") == by_trailctl.stdout,
        "the same bytes by both ways"
    );

    histories_agree(&stack, &sent);
    let verified = stack.trailctl.run(&["verify"]).ends_with(0);
    let verified: Value = serde_json::from_str(&verified.stdout).expect("JSON");
    assert_eq!(
        (&verified["clean"], verified["events"].as_u64()),
        (&true.into(), Some(sent.events.len() as u64))
    );
}

/// One aggregate of each kind (one of them with `/` in its id), by `history` and by `replay --aggregate`.
fn histories_agree(stack: &Stack, sent: &Sent) {
    let mut kinds: HashMap<&str, &(String, String)> = HashMap::new();
    for (aggregate, ids) in &sent.histories {
        let best = kinds.entry(&aggregate.0).or_insert(aggregate);
        if ids.len() > sent.histories[*best].len() {
            *best = aggregate;
        }
    }
    assert!(kinds.values().any(|aggregate| aggregate.1.contains('/')), "one id has a slash");
    for aggregate @ (kind, id) in kinds.into_values() {
        let history = stack.trailctl.run(&["history", kind, id]).ends_with(0);
        let replay = stack.trailctl.run(&["replay", "--aggregate", kind, id]).ends_with(0);
        assert_eq!(history.stdout, replay.stdout, "{aggregate:?}");
        let ids: Vec<String> = history.stdout.lines().map(|line| parse(line).event_id).collect();
        assert_eq!(&ids, &sent.histories[aggregate], "{aggregate:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_can_be_followed_from_kafka_to_its_fate_and_back() {
    let stack = Stack::start_with(|config| config.set("dead_letters", "max_stored_bytes", "2000")).await;
    let aggregate = unique("order");
    stack.trailctl.file("events.jsonl", lines(std::slice::from_ref(&aggregate), 3).as_bytes());
    stack.produce("events.jsonl", 3).await;
    // The same file again: three duplicates, whose key leads to the same partition.
    stack.produce("events.jsonl", 6).await;
    let bad = stack.topic.produce(Some(aggregate.as_bytes()), Some(b"not avro")).await;
    stack.accounted(7).await;

    let listed = stack.trailctl.run(&["events", "--aggregate-id", &aggregate, "--order", "asc"]).ends_with(0);
    let versions: Vec<Value> = listed.json_lines().iter().map(|event| event["version"].clone()).collect();
    assert_eq!(versions, [1, 2, 3]);

    let partition = bad.partition.to_string();
    let fate = |offset: i64| {
        let ran =
            stack.trailctl.run(&["record", stack.topic.name(), &partition, &offset.to_string()]).ends_with(0);
        serde_json::from_str::<Value>(&ran.stdout).expect("JSON")
    };
    assert_eq!(fate(0)["state"], "stored");
    assert_eq!(fate(3)["state"], "duplicate");
    assert_eq!(
        (&fate(6)["state"], &fate(6)["reason"]),
        (&"dead-lettered".into(), &"malformed-framing".into())
    );
    assert_eq!(fate(7)["state"], "not-read");

    dead_letter(&stack, bad.offset).await;
}

/// The dead letter is listed, shown and sent again.
async fn dead_letter(stack: &Stack, offset: i64) {
    let list =
        stack.trailctl.run(&["dlq", "list", "--reason", "malformed-framing"]).ends_with(0).json_lines();
    assert_eq!((list.len(), &list[0]["offset"]), (1, &offset.into()));
    let none = stack.trailctl.run(&["dlq", "list", "--reason", "undecodable"]).ends_with(0);
    assert_eq!(none.stdout, "");
    let id = list[0]["id"].as_str().expect("an id");
    let shown = stack.trailctl.run(&["dlq", "show", id]).ends_with(0);
    assert!(shown.stdout.contains("malformed-framing"), "{}", shown.stdout);
    wait_until("the relay publishes it", Duration::from_mins(1), || async {
        (stack.letters.end_offsets().await == [1]).then_some(())
    })
    .await;

    let sent = stack.trailctl.run(&["dlq", "redrive", id]).ends_with(0).json_lines();
    assert_eq!(sent[0]["offset"], offset + 1);
    let again = stack.topic.read_all().await.into_iter().find(|record| record.offset == offset + 1);
    let again = again.expect("it is in its topic again");
    assert_eq!(
        (again.value.as_deref(), again.header("audit.redrive.of")),
        (Some(&b"not avro"[..]), Some(id))
    );
    stack.accounted(8).await;
    stack.trailctl.run(&["dlq", "redrive", "999:1"]).ends_with(1);
    let shown: Value = serde_json::from_str(&stack.trailctl.run(&["dlq", "show", id]).ends_with(0).stdout)
        .expect("one JSON document");
    assert_eq!(shown["redrives"][0]["offset"], offset + 1);
    assert_eq!(shown["redrives"][0]["outcome"], "produced");

    // By reason: the first one and its successor, which is refused for the same.
    let by_reason = ["dlq", "redrive", "--reason", "malformed-framing", "--limit", "5"];
    let planned = stack.trailctl.run(&[&by_reason[..], &["--dry-run"]].concat()).ends_with(0);
    assert_eq!(planned.json_lines().len(), 2);
    assert!(planned.stderr.contains("2 would be sent again"), "{}", planned.stderr);
    assert_eq!(stack.topic.end_offsets().await.iter().sum::<i64>(), 8);
    assert_eq!(stack.trailctl.run(&by_reason).ends_with(0).json_lines().len(), 2);
    stack.accounted(10).await;
    stack.trailctl.run(&["dlq", "redrive"]).ends_with(2);
    stack.trailctl.run(&["dlq", "redrive", id, "--reason", "undecodable"]).ends_with(2);

    // Of a value beyond max_stored_bytes only the digest is there: sending null in its name would be a forgery.
    stack.topic.produce(Some(b"large"), Some(&[0xff; 3000])).await;
    stack.accounted(11).await;
    let list = stack.trailctl.run(&["dlq", "list", "--limit", "1"]).ends_with(0).json_lines();
    let refused =
        stack.trailctl.run(&["dlq", "redrive", list[0]["id"].as_str().expect("an id")]).ends_with(1);
    assert!(refused.stderr.contains("record was not kept"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_sees_what_is_stored_and_ends_cleanly_on_ctrl_c() {
    let stack = Stack::start().await;
    let aggregate = unique("tailed");
    let mut tail = stack
        .trailctl
        .command(&["tail", "--aggregate-id", &aggregate])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let stdout = tail.stdout.take().expect("piped");
    let seen = std::thread::spawn(move || {
        BufReader::new(stdout).lines().take(4).map(|line| line.expect("text")).collect::<Vec<_>>()
    });
    // A tail from now on sees only what is stored once it is connected.
    tokio::time::sleep(Duration::from_secs(3)).await;
    stack.trailctl.file("events.jsonl", lines(&[aggregate, unique("other")], 4).as_bytes());
    stack.produce("events.jsonl", 8).await;
    let seen = tokio::task::spawn_blocking(move || seen.join().expect("four events come"))
        .await
        .expect("the reader does not panic");
    let versions: Vec<i64> = seen.iter().map(|line| parse(line).version).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
    let pid = Pid::from_raw(i32::try_from(tail.id()).expect("a pid"));
    kill(pid, Signal::SIGINT).expect("it is running");
    let ran = Ran::from(tail.wait_with_output().expect("it ends")).ends_with(0);
    assert!(ran.stderr.contains("resume with: trailctl tail --after "), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_names_the_first_row_that_was_changed() {
    let stack = Stack::start().await;
    stack.trailctl.file("events.jsonl", lines(&[unique("a"), unique("b")], 20).as_bytes());
    stack.produce("events.jsonl", 40).await;
    stack.trailctl.run(&["verify"]).ends_with(0);
    let superuser = stack.database.connect(Role::Superuser).await;
    let row = superuser
        .query_one(r#"select log_id, "offset", tableoid::regclass::text from audit.events where version = 7 limit 1"#, &[])
        .await
        .expect("a stored event");
    let (log, offset, leaf): (i32, i64, String) = (row.get(0), row.get(1), row.get(2));
    superuser
        .batch_execute(&format!(
            r#"alter table {leaf} disable trigger all;
               update {leaf} set payload = '{{"orderId":"forged"}}' where log_id = {log} and "offset" = {offset};
               alter table {leaf} enable always trigger guard_rows;"#
        ))
        .await
        .expect("a superuser can do anything, which is why there is verify");
    let ran = stack.trailctl.run(&["verify"]).ends_with(1);
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(report["clean"], false);
    assert!(ran.stderr.contains("the first wrong row: "), "{}", ran.stderr);
    let named = report["findings"].as_array().expect("findings").iter().any(|finding| {
        let row = finding["row"].as_str().unwrap_or_default();
        row.contains(&format!("log {log} ")) && row.contains(&format!("offset {offset}"))
            || row.contains("append")
    });
    assert!(named, "{}", ran.stdout);
}
