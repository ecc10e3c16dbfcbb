//! What the ingestor depends on goes away and comes back: partitions wait, nothing is dead-lettered, all flows again.

use std::time::Duration;

use bytes::Bytes;
use shared::avro::{encode_canonical, frame};
use test_support::{Daemon, FaultProxy, Role, canonical_event, servers, unique};

use crate::{
    account,
    rig::{PATIENCE, Rig, register},
};

fn address_of(url: &str) -> String {
    let url = reqwest::Url::parse(url).expect("a URL");
    format!("{}:{}", url.host_str().expect("a host"), url.port_or_known_default().expect("a port"))
}

#[tokio::test]
async fn while_the_registry_is_away_only_unknown_schemas_wait() {
    let rig = Rig::new(2).await;
    let proxy = FaultProxy::start(&address_of(&servers::registry_url())).await;
    let config = rig.config().registry_url(&proxy.url(&servers::registry_url()));
    let ingestor = Daemon::ingestor(&config).ready().await;
    let to = |partition, mut record: bus::Outgoing| {
        record.partition = Some(partition);
        record
    };
    rig.topic.send_all((1..=5).map(|n| to(0, rig.record(&canonical_event("a", n).build())))).await;
    rig.settled().await;

    proxy.refuse();
    // The same shape under a name of its own: an id that this ingestor has not met.
    let text =
        shared::avro::canonical_schema_compact().replacen("\"name\":", "\"doc\":\"another\",\"name\":", 1);
    let id = register(&unique("subject"), &text).await;
    let unknown = |n| {
        let value = frame(id, &encode_canonical(&canonical_event("b", n).build()));
        to(1, rig.record_of("b", Bytes::from(value)))
    };
    rig.topic.send_all((1..=3).map(unknown)).await;
    rig.topic.send_all((6..=20).map(|n| to(0, rig.record(&canonical_event("a", n).build())))).await;
    account::caught_up(&rig.database, rig.topic.name(), &[20, 0], PATIENCE).await;
    // Longer than an unknown id is given: a registry that is away must not count as one that does not know.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let account = account::checked(&rig.database).await;
    assert_eq!((account.stored, account.kind("dead-lettered")), (20, 0));

    proxy.heal();
    let account = rig.settled().await;
    assert_eq!((account.stored, account.kind("dead-lettered")), (23, 0));

    // Known ids need no registry, after a restart neither: the database has copies.
    proxy.refuse();
    assert!(ingestor.stop().await.success());
    let ingestor = Daemon::ingestor(&config).ready().await;
    rig.topic.send_all((4..=6).map(unknown)).await;
    assert_eq!(rig.settled().await.stored, 26);
    assert!(ingestor.stop().await.success());
}

#[tokio::test]
async fn an_unknown_id_that_is_registered_in_time_is_not_dead_lettered() {
    let rig = Rig::new(1).await;
    let ingestor =
        Daemon::ingestor(&rig.config().set("ingestor", "unknown_schema_after", "\"60s\"")).ready().await;
    let subject = unique("subject");
    let text = shared::avro::canonical_schema_compact().replacen(
        "\"name\":",
        &format!("\"doc\":\"{subject}\",\"name\":"),
        1,
    );
    // Ids grow by one: the next one is not taken yet, and if another test takes it first, the schema is as good.
    let probe = register(&unique("subject"), &text.replacen(&subject, &unique("probe"), 1)).await;
    let value = frame(probe + 1, &encode_canonical(&canonical_event("a", 1).build()));
    rig.topic.send_all([rig.record_of("a", Bytes::from(value))]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(account::checked(&rig.database).await.offsets(), 0);
    while register(&unique("subject"), &text.replacen(&subject, &unique("again"), 1)).await < probe + 1 {}
    let account = rig.settled().await;
    assert_eq!((account.stored, account.kind("dead-lettered")), (1, 0));
    assert!(ingestor.stop().await.success());
}

#[tokio::test]
async fn while_the_database_is_away_everything_waits() {
    let rig = Rig::new(3).await;
    let proxy = FaultProxy::start(&address_of(&rig.database.url_for(test_support::Role::Ingestor))).await;
    let config = rig.config().database_through(&proxy);
    let ingestor = Daemon::ingestor(&config).ready().await;
    let round = |first: i64| {
        let event = move |n: i64| canonical_event(&format!("o{}", n % 30), first + n / 30).build();
        (0..1500).map(event).map(|envelope| rig.record(&envelope)).collect::<Vec<_>>()
    };
    rig.topic.send_all(round(1)).await;
    proxy.cut();
    rig.topic.send_all(round(100)).await;
    proxy.refuse();
    rig.topic.send_all(round(200)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(reqwest::get(ingestor.telemetry_url("/health/live")).await.expect("it answers").status(), 200);
    assert_eq!(
        reqwest::get(ingestor.telemetry_url("/health/ready")).await.expect("it answers").status(),
        503
    );
    proxy.heal();
    let account = rig.settled().await;
    assert_eq!((account.stored, account.offsets()), (4500, 4500));
    // Cuts inside answers, the one of COMMIT among them.
    for (n, bytes) in (0_i64..12).zip([200_u64, 350, 500, 700, 900, 1200, 1600, 2200, 3000, 4000, 6000, 9000])
    {
        proxy.cut_after(bytes);
        proxy.cut();
        rig.topic.send_all(round(1000 + 100 * n)).await;
    }
    proxy.heal();
    proxy.cut();
    let account = rig.settled().await;
    assert_eq!((account.stored, account.offsets()), (4500 + 12 * 1500, 4500 + 12 * 1500));
    assert!(ingestor.stop().await.success());
}

#[tokio::test]
async fn a_database_of_another_schema_is_refused() {
    let rig = Rig::new(1).await;
    let empty = test_support::TestDatabase::create_empty().await;
    let config = test_support::DaemonConfig::new(&empty).topics(&[rig.topic.name()]);
    let mut ingestor = Daemon::ingestor(&config.set(
        "database",
        "ingestor_url",
        format!("{:?}", empty.url_for(test_support::Role::Superuser)),
    ));
    let status = test_support::wait_until("it ends", PATIENCE, || {
        let ended = ingestor.ended();
        async move { ended }
    })
    .await;
    assert!(!status.success());
    assert!(ingestor.log().contains("schema"), "the log says why: {}", ingestor.log());
}

#[tokio::test]
async fn a_subscription_to_the_dead_letters_is_refused() {
    let rig = Rig::new(1).await;
    let config = rig.config().set("ingestor", "topics", format!("{:?}", [rig.dead_letters.name()]));
    let mut ingestor = Daemon::ingestor(&config);
    let status = test_support::wait_until("it ends", PATIENCE, || {
        let ended = ingestor.ended();
        async move { ended }
    })
    .await;
    assert_eq!(status.code(), Some(2), "{}", ingestor.log());
}

#[tokio::test]
async fn a_log_that_cannot_be_stored_does_not_stop_the_others() {
    let rig = Rig::new(3).await;
    let to = |partition, mut record: bus::Outgoing| {
        record.partition = Some(partition);
        record
    };
    let ingestor = rig.ingestor().await;
    rig.topic.send_all((0..3).map(|p| to(p, rig.record(&canonical_event("a", 1).build())))).await;
    rig.settled().await;

    let holder = rig.database.connect(Role::Superuser).await;
    let lock = format!(
        "begin; select * from audit.logs where topic = '{}' and \"partition\" = 0 for update",
        rig.topic.name()
    );
    holder.batch_execute(&lock).await.expect("a lock");
    // More than a lane may hold, and then a little for the others.
    rig.topic.send_all((2..=20_000).map(|n| to(0, rig.record(&canonical_event("b", n).build())))).await;
    for n in 2..=10 {
        let record = |p| to(p, rig.record(&canonical_event("c", n).build()));
        rig.topic.send_all([record(1), record(2)]).await;
        account::caught_up(&rig.database, rig.topic.name(), &[1, n, n], PATIENCE).await;
    }
    holder.batch_execute("rollback").await.expect("an end");
    assert_eq!(rig.settled().await.stored, 20_020);
    assert!(ingestor.stop().await.success());
}
