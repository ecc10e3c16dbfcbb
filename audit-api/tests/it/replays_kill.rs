//! A replay to a topic whose API is killed, three times: another goes on, and what reads the topic into an empty store has
//! the same histories.

use std::{collections::BTreeMap, time::Duration};

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::envelope::{Envelope, from_canonical_json};
use test_support::{
    Daemon, DaemonConfig, Role, TestDatabase, TestTopic, Token, canonical_event, data, wait_until,
};

use crate::feeder::{Feeder, Record, event};

const EVENTS: usize = 100_000;
/// Records of one batch, at most (audit-api/src/replays): what may come again after each kill.
const BATCH: usize = 1000;
const KILLS: usize = 3;
/// How long anything on a busy machine may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// The loan applications where they lie beside the repository, else orders.
fn events() -> Box<dyn Iterator<Item = Envelope>> {
    match data::lines("loan-applications") {
        Some(lines) => Box::new(lines.map(|line| from_canonical_json(&line).expect("a canonical event"))),
        None => Box::new((1..).flat_map(|version| {
            (0..4000).map(move |n| canonical_event(&format!("order-{n}"), version).build())
        })),
    }
}

async fn fill(database: &TestDatabase) {
    let mut feeder = Feeder::new(database).await;
    let (mut events, mut left) = (events().take(EVENTS), EVENTS);
    while left > 0 {
        let batch: Vec<Record> =
            events.by_ref().take(5000).map(|envelope| Record::Event(event(envelope))).collect();
        left -= batch.len();
        feeder.append(batch).await;
    }
}

/// Each aggregate's history: ids, versions, times, and digests of the stored bytes, in its order.
async fn histories(database: &TestDatabase) -> BTreeMap<[String; 3], String> {
    let sql = "select organization_id, aggregate_type, aggregate_id, md5(string_agg(concat_ws(' ', event_id, version, event_type, \
               \"timestamp\", md5(payload::text), md5(metadata::text)), '|' order by version, recorded_at, log_id, \"offset\")) \
               from audit.events group by 1, 2, 3";
    let client = database.connect(Role::Superuser).await;
    let rows = client.query(sql, &[]).await.expect("readable");
    rows.iter().map(|row| ([row.get(0), row.get(1), row.get(2)], row.get(3))).collect()
}

async fn shown(api: &Daemon, id: &str) -> Option<Value> {
    let request = reqwest::Client::new().get(api.url(&format!("/v1/replays/{id}")));
    let answer = request.header("authorization", Token::admin().bearer()).send().await.ok()?;
    answer.json().await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_killed_three_times_gives_an_empty_store_the_same_histories() {
    let (database, topic, told) =
        (TestDatabase::create().await, TestTopic::create(4).await, TestTopic::create(1).await);
    fill(&database).await;
    let config = DaemonConfig::new(&database)
        .set("submissions", "topic", format!("{:?}", told.name()))
        .set("submissions", "delivery_timeout", "\"5s\"")
        .set("replays", "lease", "\"6s\"");
    let mut apis = [Daemon::audit_api(&config).ready().await, Daemon::audit_api(&config).ready().await];
    let request = reqwest::Client::new().post(apis[0].url("/v1/replays"));
    let request = request.header("authorization", Token::admin().bearer());
    let answer = request.json(&json!({ "topic": topic.name() })).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::CREATED);
    let job: Value = answer.json().await.expect("JSON");
    assert_eq!(job["expected"]["events"], EVENTS, "{job}");
    let id = job["id"].as_str().expect("an id");

    for kill in 1..=KILLS {
        let wanted = (EVENTS * kill / (KILLS + 2)) as u64;
        // Whoever works on it is killed, and comes back; the other one takes the job.
        let killed = wait_until("one of the two has come so far", PATIENCE, || async {
            let job = shown(&apis[0], id).await?;
            assert_eq!(job["endedAt"], Value::Null, "it is to be killed before its end: {job}");
            let mut running = Vec::new();
            for (index, api) in apis.iter().enumerate() {
                if api.metric("audit_replay_jobs_running").await > 0.0 {
                    running.push(index);
                }
            }
            assert!(running.len() < 2, "two work on one job");
            running.pop().filter(|_| job["progress"]["sent"].as_u64() >= Some(wanted))
        })
        .await;
        apis[killed].kill();
        apis[killed] = Daemon::audit_api(&config).ready().await;
    }
    let job = wait_until("the job is finished", PATIENCE, || async {
        shown(&apis[0], id).await.filter(|job| job["state"] == "finished")
    })
    .await;
    assert_eq!(job["progress"]["sent"], EVENTS, "what came again after a kill is counted once");
    let records: i64 = topic.end_offsets().await.iter().sum();
    let repeated = usize::try_from(records).expect("a number") - EVENTS;
    eprintln!("{KILLS} kills repeated {repeated} of {EVENTS} events");
    assert!(repeated <= KILLS * BATCH, "{repeated}");

    let copy = TestDatabase::create().await;
    let reading = DaemonConfig::new(&copy).topics(&[topic.name()]);
    let _ingestor = Daemon::ingestor(&reading).ready().await;
    let account = copy.connect(Role::Superuser).await;
    wait_until("the copy has read all", PATIENCE, || async {
        let sql =
            "select coalesce(sum(stored), 0)::bigint, coalesce(sum(duplicate), 0)::bigint from audit.appends";
        let row = account.query_one(sql, &[]).await.expect("readable");
        let (stored, duplicate): (i64, i64) = (row.get(0), row.get(1));
        (stored + duplicate == records).then_some(())
    })
    .await;
    let (original, copied) = (histories(&database).await, histories(&copy).await);
    assert!(original.len() > 1000, "{} aggregates", original.len());
    assert!(original == copied, "the histories differ");
}
