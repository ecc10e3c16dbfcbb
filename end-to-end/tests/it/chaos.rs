//! kill -9 of everything, at random moments, under load.

use std::{sync::Arc, time::Duration};

use end_to_end::{
    Seed, Stack, account, chaos,
    feed::Feed,
    is_long, ledger, memory,
    stack::succeeded,
    tail::{self, Manner},
};

const TOPIC: &str = "audit.events";
const PARTITIONS: i32 = 12;
/// Records a second: debug programs on two busy cores keep up with it between two kills.
const RATE: usize = 240;
/// Far above what it takes; far below what an unbounded lane would take of a backlog.
const INGESTOR_MEMORY: u64 = 256 * 1024 * 1024;

/// Nothing lost, nothing doubled (architecture.md, promises 1, 4, 7; faults C1, C6, P1, L3).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_every_offset_has_one_fate_and_a_tail_sees_each_event_once() {
    let seed = Seed::chosen("chaos");
    let mut stack = Stack::fresh("e2e-chaos").await;
    let status = stack.up().await;
    let stack = Arc::new(stack);
    let memory = memory::watch(&stack, "audit-ingestor");
    let schema_id = canonical_schema_id(status.registry()).await;
    let feed = Feed::new(seed.source("feed"), TOPIC, PARTITIONS, schema_id, 60);
    let producing = ledger::produce(status.kafka(), feed, RATE);
    let follower = tail::follow(
        status.api(),
        &status.tokens().global_admin,
        Manner::Cutting(seed.source("tail").into()),
    );

    let mut chance = seed.source("kills");
    let victims = chaos::schedule(&mut chance, if is_long() { 5 } else { 1 });
    let kills = chaos::torment(&stack, victims, chance).await;

    let ledger = producing.finish().await;
    eprintln!("{} records sent, {} of unknown outcome", ledger.sent.len(), ledger.unknown());
    let status = stack.in_order(Duration::from_mins(2)).await;
    for (name, killed) in &kills {
        let restarts = status.service(name).restarts;
        assert!(restarts >= *killed, "{name} was killed {killed} times and started again {restarts} times");
    }
    for name in ["audit-ingestor", "audit-api"] {
        let killed = kills.get(name).copied().unwrap_or(0);
        let restarts = status.service(name).restarts;
        assert_eq!(
            restarts,
            killed,
            "{name} ended by itself when something else died:\n{}",
            stack.log_end(name, 40)
        );
    }

    let (stored, tally) = account::check(&(&status).into(), TOPIC, &ledger).await;
    eprintln!("{tally:?}");
    assert!(
        tally.duplicates > 0 && tally.dead_letters.len() >= 4,
        "the feed was not what it should be: {tally:?}"
    );
    succeeded("trailctl verify", &stack.trailctl(&["verify"]).await);

    follower.has_seen_exactly(&stored).await;
    let cuts = follower.seen().cuts;
    assert!(cuts > 10, "the tail was hardly cut: {cuts} times");
    eprintln!("the ingestor took {} MiB at most", memory.most() >> 20);
    assert!(memory.most() < INGESTOR_MEMORY, "the ingestor took {} bytes", memory.most());
}

/// The id under which `up` registered the canonical schema.
async fn canonical_schema_id(registry: &str) -> u32 {
    let url = format!("{registry}/subjects/audit.events-value/versions/latest");
    let answer: serde_json::Value =
        reqwest::get(&url).await.expect("the registry answers").json().await.expect("JSON");
    let id = answer["id"].as_u64().and_then(|id| u32::try_from(id).ok());
    id.unwrap_or_else(|| panic!("{url} names no id: {answer}"))
}
