//! The oracle of every test: each offset below a log's position is exactly one of stored, duplicate, dead-lettered and
//! skipped, no id twice, and the store's own verification finds nothing.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use test_support::{Role, TestDatabase, wait_until};

/// What the database says about all logs together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// Events.
    pub(crate) stored: usize,
    /// Offsets by kind; runs count their offsets.
    pub(crate) kinds: BTreeMap<String, usize>,
    /// Dead letters by reason.
    pub(crate) reasons: BTreeMap<String, usize>,
}

impl Account {
    pub(crate) fn kind(&self, kind: &str) -> usize {
        self.kinds.get(kind).copied().unwrap_or(0)
    }

    pub(crate) fn reason(&self, reason: &str) -> usize {
        self.reasons.get(reason).copied().unwrap_or(0)
    }

    /// Offsets accounted for.
    pub(crate) fn offsets(&self) -> usize {
        self.stored + self.kinds.values().sum::<usize>()
    }
}

/// Waits until the newest incarnation of each partition stands at these ends.
pub(crate) async fn caught_up(database: &TestDatabase, topic: &str, ends: &[i64], deadline: Duration) {
    let client = database.connect(Role::Superuser).await;
    let what = format!("{topic} is stored up to {ends:?}");
    wait_until(&what, deadline, || async {
        let rows = client
            .query(
                "select distinct on (\"partition\") \"partition\", next_offset from audit.logs where topic = $1 \
                 order by \"partition\", incarnation desc",
                &[&topic],
            )
            .await
            .expect("the superuser may look");
        let positions: Vec<i64> = rows.iter().map(|row| row.get(1)).collect();
        (positions == ends).then_some(())
    })
    .await;
}

/// Checks the account of everything in the database, and gives it back.
pub(crate) async fn checked(database: &TestDatabase) -> Account {
    let client = database.connect(Role::Superuser).await;
    let mut account = Account::default();
    let logs =
        client.query("select log_id, next_offset from audit.logs order by 1", &[]).await.expect("logs");
    let mut ids = HashSet::new();
    for log in logs {
        let (log_id, position): (i32, i64) = (log.get(0), log.get(1));
        let mut covered = Vec::new();
        let events = client
            .query("select \"offset\", event_id::text from audit.events where log_id = $1", &[&log_id])
            .await
            .expect("events");
        for event in events {
            let (offset, id): (i64, String) = (event.get(0), event.get(1));
            covered.push((offset, offset + 1));
            assert!(ids.insert(id.clone()), "event {id} is stored twice");
            account.stored += 1;
        }
        let dispositions = client
            .query(
                "select from_offset, next_offset, kind, reason from audit.dispositions where log_id = $1",
                &[&log_id],
            )
            .await
            .expect("dispositions");
        for disposition in dispositions {
            let (from, next): (i64, i64) = (disposition.get(0), disposition.get(1));
            covered.push((from, next));
            let count = usize::try_from(next - from).expect("a run is not negative");
            *account.kinds.entry(disposition.get(2)).or_default() += count;
            if let Some(reason) = disposition.get::<_, Option<String>>(3) {
                *account.reasons.entry(reason).or_default() += 1;
            }
        }
        covered.sort_unstable();
        let mut expected = 0;
        for (from, next) in covered {
            assert_eq!(from, expected, "log {log_id}: offsets are covered once each, in order");
            expected = next;
        }
        assert_eq!(expected, position, "log {log_id}: everything below the position is covered");
    }
    compare_tables(&client, &account).await;
    let verification = store::verify::verify(&database.connect(Role::Operator).await, |_| ())
        .await
        .expect("the store can verify");
    assert_eq!(verification.findings, [], "trailctl verify finds nothing");
    account
}

async fn compare_tables(client: &store::Client, account: &Account) {
    let count = async |sql: &str| -> i64 { client.query_one(sql, &[]).await.expect("a count").get(0) };
    let stored = i64::try_from(account.stored).expect("a count");
    assert_eq!(count("select count(*) from audit.event_ids").await, stored, "an id per event");
    let dead = i64::try_from(account.kind("dead-lettered")).expect("a count");
    assert_eq!(count("select count(*) from audit.dead_letters").await, dead, "a dead letter per disposition");
    let torn = "select count(*) from (select from_offset, lag(next_offset, 1, 0) over (partition by log_id order by append_no) before \
                from audit.appends) a where from_offset <> before";
    assert_eq!(count(torn).await, 0, "the appends of a log follow each other");
    let sparse = "select coalesce(max(append_no), 0) - count(*) from audit.appends";
    assert_eq!(count(sparse).await, 0, "append numbers are dense");
}
