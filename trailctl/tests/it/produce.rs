//! `trailctl produce` to the real Kafka, and what arrives there.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use shared::{
    avro::{CANONICAL_SCHEMA, SchemaReference, WriterSchema, unframe},
    envelope::{Envelope, from_canonical_json},
};
use test_support::{TestTopic, servers, topic::ConsumedRecord, unique};

use crate::running::{Ran, Trailctl, lines};

/// A topic, and a trailctl whose ingestor would read it; no database is needed.
async fn ready() -> (TestTopic, Trailctl) {
    let topic = TestTopic::create(3).await;
    let text = format!(
        "[kafka]\nbootstrap_servers = {:?}\n[registry]\nurl = {:?}\n[ingestor]\ntopics = [{:?}]\n",
        servers::kafka_bootstrap(),
        servers::registry_url(),
        topic.name()
    );
    (topic, Trailctl::with_text(&text))
}

fn envelope_of(record: &ConsumedRecord) -> Envelope {
    let (reference, datum) = unframe(record.value.as_deref(), None).expect("framed");
    assert!(matches!(reference, SchemaReference::Id(_)));
    let schema = WriterSchema::parse(CANONICAL_SCHEMA, &[]).expect("the canonical schema");
    schema.decode(datum).expect("a datum of the canonical schema")
}

async fn arrived(topic: &TestTopic) -> Vec<Envelope> {
    let records = topic.read_all().await;
    records
        .iter()
        .map(|record| {
            let envelope = envelope_of(record);
            assert_eq!(
                record.key.as_deref(),
                Some(envelope.aggregate_id.as_bytes()),
                "the key is the aggregate"
            );
            envelope
        })
        .collect()
}

fn sent(text: &str) -> Vec<Envelope> {
    text.lines().map(|line| from_canonical_json(line).expect("a good line")).collect()
}

fn of(aggregate: &str, envelopes: &[Envelope]) -> Vec<Envelope> {
    envelopes.iter().filter(|envelope| envelope.aggregate_id == aggregate).cloned().collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("in memory");
    encoder.finish().expect("in memory")
}

fn produce(trailctl: &Trailctl, topic: &TestTopic, more: &[&str]) -> Ran {
    let arguments: Vec<&str> =
        ["produce", "--topic", topic.name()].into_iter().chain(more.iter().copied()).collect();
    trailctl.run(&arguments)
}

#[tokio::test]
async fn files_plain_and_gzip_arrive_as_avro_in_the_order_of_each_aggregate() {
    let (topic, trailctl) = ready().await;
    let aggregates: Vec<String> = (0..7).map(|number| unique(&format!("a{number}"))).collect();
    let (first, second) = (lines(&aggregates[..4], 150), lines(&aggregates[4..], 150));
    trailctl.file("first.jsonl", first.as_bytes());
    trailctl.file("second.jsonl.gz", &gzip(&second));
    let ran = produce(&trailctl, &topic, &["first.jsonl", "second.jsonl.gz"]).ends_with(0);
    assert!(ran.stderr.starts_with("1,050 events produced in "), "{}", ran.stderr);
    assert_eq!(ran.stdout, "", "the summary is not a result");
    let (sent, arrived) = (sent(&(first + &second)), arrived(&topic).await);
    assert_eq!(arrived.len(), sent.len());
    for aggregate in &aggregates {
        assert_eq!(of(aggregate, &arrived), of(aggregate, &sent), "{aggregate}");
    }
}

#[tokio::test]
async fn standard_input_is_a_file_too_and_quiet_is_quiet() {
    let (topic, trailctl) = ready().await;
    let text = lines(&[unique("a")], 10);
    let arguments = ["--quiet", "produce", "--topic", topic.name(), "-"];
    let ran = trailctl.run_with_input(&arguments, &gzip(&text)).ends_with(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    assert_eq!(arrived(&topic).await, sent(&text));
}

#[tokio::test]
async fn a_bad_line_is_named_and_everything_before_it_stays() {
    let (topic, trailctl) = ready().await;
    let good = lines(&[unique("a")], 8);
    let all: Vec<&str> = good.lines().collect();
    let (before, after) = all.split_at(5);
    let bad = r#"{"eventId":"0194fdc2-fa2f-7cc0-81d3-ff12045b73c8","eventType":"t","aggregateId":"a","aggregateType":"t","timestamp":"2026-01-01T00:00:00Z","version":1,"payload":{"a":{"b":1,"b":2}},"metadata":{}}"#;
    let text = format!("{}\n\n{bad}\n{}\n", before.join("\n"), after.join("\n"));
    trailctl.file("bad.jsonl", text.as_bytes());
    let ran = produce(&trailctl, &topic, &["bad.jsonl"]).ends_with(1);
    // Five good lines, a blank one, then the seventh.
    assert!(ran.stderr.contains("bad.jsonl:7: payload-invalid at \"/a/b\""), "{}", ran.stderr);
    assert!(ran.stderr.contains("5 events before it were produced and stay"), "{}", ran.stderr);
    assert_eq!(arrived(&topic).await, sent(&before.join("\n")), "and nothing after it");
    let quiet = trailctl.run(&["-q", "produce", "--topic", topic.name(), "bad.jsonl"]).ends_with(1);
    assert!(quiet.stderr.contains("bad.jsonl:7:"), "an error is said even when quiet: {}", quiet.stderr);
}

#[tokio::test]
async fn lenient_goes_on_and_counts() {
    let (topic, trailctl) = ready().await;
    let good = lines(&[unique("a")], 6);
    let text: String = good
        .lines()
        .flat_map(|line| {
            [
                line,
                "
{\"half\": 
",
            ]
        })
        .collect();
    trailctl.file("mixed.jsonl", text.as_bytes());
    let ran = produce(&trailctl, &topic, &["--lenient", "mixed.jsonl"]).ends_with(1);
    assert!(
        ran.stderr.contains("mixed.jsonl:2: ") && ran.stderr.contains("mixed.jsonl:12: "),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("6 bad lines passed over"), "{}", ran.stderr);
    assert_eq!(arrived(&topic).await, sent(&good));
}

#[tokio::test]
async fn a_file_that_breaks_off_is_a_failure_after_what_was_read() {
    let (topic, trailctl) = ready().await;
    let bytes = gzip(&lines(&[unique("a")], 2000));
    trailctl.file("cut.jsonl.gz", &bytes[..bytes.len() / 2]);
    let ran = produce(&trailctl, &topic, &["cut.jsonl.gz"]).ends_with(3);
    assert!(ran.stderr.contains("cut.jsonl.gz:") && ran.stderr.contains("cannot be read"), "{}", ran.stderr);
    let there = arrived(&topic).await.len();
    assert!(there > 0, "what could be read was produced");
    assert!(ran.stderr.contains("events before it were produced and stay"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_said_at_once() {
    let (_topic, trailctl) = ready().await;
    let text = lines(&[unique("a")], 1);
    let started = Instant::now();
    let ran = trailctl
        .run_with_input(&["produce", "--topic", &unique("absent"), "-"], text.as_bytes())
        .ends_with(3);
    assert!(
        ran.stderr.contains("there is no topic") && ran.stderr.contains("topics apply"),
        "{}",
        ran.stderr
    );
    assert!(started.elapsed() < Duration::from_secs(20), "librdkafka alone would wait 30 s");
}

#[tokio::test]
async fn the_rate_is_kept() {
    let (topic, trailctl) = ready().await;
    let text = lines(&[unique("a")], 41);
    let started = Instant::now();
    let arguments = ["produce", "--topic", topic.name(), "--rate", "20", "-"];
    trailctl.run_with_input(&arguments, text.as_bytes()).ends_with(0);
    assert!(
        started.elapsed() >= Duration::from_millis(1990),
        "41 at 20 a second take 2 s: {:?}",
        started.elapsed()
    );
    assert_eq!(arrived(&topic).await.len(), 41);
}

#[tokio::test]
async fn dead_letters_are_no_place_for_events() {
    let (_topic, trailctl) = ready().await;
    let ran = trailctl.run_with_input(&["produce", "--topic", "audit.dlq", "-"], b"").ends_with(2);
    assert!(ran.stderr.contains("audit.dlq"), "{}", ran.stderr);
}
