//! Two ingestors whose commits take their time, and who follows them (architecture.md, promise 4).

use std::time::Duration;

use end_to_end::{
    Seed,
    account::{self, Servers},
    feed::Feed,
    is_long, ledger,
    tail::{self, Manner},
};
use test_support::{
    Daemon, DaemonConfig, Role, TestDatabase, TestRegistry, TestTopic, Token, daemon, servers, unique,
};

const PARTITIONS: i32 = 8;
const RATE: usize = 400;

/// Sleeps where two writers can overtake each other: after the ids, before the rows and the number; and where they must
/// not: between the number and the end of COMMIT.
const SLEEPS: &str = "
    create function public.sleep() returns trigger language plpgsql as
        $$ begin perform pg_sleep(random() * 0.12); return null; end $$;
    create trigger sleep_after_ids after insert on audit.event_ids
        for each statement execute function public.sleep();
    create constraint trigger sleep_in_commit after insert on audit.appends deferrable initially deferred
        for each row execute function public.sleep();";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_two_ingestors_and_slow_commits_a_tail_and_a_resumed_tail_see_exactly_the_stored_set() {
    let seed = Seed::chosen("slow commits");
    let database = TestDatabase::create().await;
    database
        .connect(Role::Superuser)
        .await
        .batch_execute(SLEEPS)
        .await
        .expect("the superuser may slow it down");
    let topic = TestTopic::create(PARTITIONS).await;
    let dead_letters = TestTopic::create_named(&unique("dlq"), 1, &[]).await;
    let config = DaemonConfig::new(&database).topics(&[topic.name()]).dead_letter_topic(dead_letters.name());
    let schema_id = TestRegistry::connect().await.canonical_id();

    let ingestors = [Daemon::ingestor(&config).ready().await, Daemon::ingestor(&config).ready().await];
    let api = Daemon::audit_api(&config).ready().await;
    let (base, token) = (api.url(""), Token::admin().sign());
    let patient = tail::follow(&base, &token, Manner::Patient);
    let cutting = tail::follow(&base, &token, Manner::Cutting(seed.source("tail").into()));

    let feed = Feed::new(seed.source("feed"), topic.name(), PARTITIONS, schema_id, 40);
    let producing = ledger::produce(&servers::kafka_bootstrap(), feed, RATE);
    tokio::time::sleep(Duration::from_secs(if is_long() { 180 } else { 20 })).await;
    let ledger = producing.finish().await;

    let servers = Servers { kafka: servers::kafka_bootstrap(), postgres: database.url_for(Role::Superuser) };
    let (stored, tally) = account::check(&servers, topic.name(), &ledger).await;
    eprintln!("{tally:?}");
    for ingestor in &ingestors {
        let taken = ingestor.metric("audit_events_received_total").await;
        assert!(taken > 0.0, "both ingestors had a part in it");
    }
    patient.has_seen_exactly(&stored).await;
    cutting.has_seen_exactly(&stored).await;
    assert!(cutting.seen().cuts > 10, "hardly cut: {:?} times", cutting.seen().cuts);
    assert_eq!(
        (patient.seen().connections, patient.seen().failures),
        (1, 0),
        "no reason to lose the patient one"
    );
    let verified = daemon::trailctl(&config, &["verify"]).await;
    assert!(verified.status.success(), "trailctl verify: {verified:?}");
}
