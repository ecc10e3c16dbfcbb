//! The oracle: what was sent, what Kafka holds and what the database says are one and the same story.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt::Write as _,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use test_support::wait_until;
use tokio_postgres::{Client, NoTls};

use crate::{
    Status,
    feed::Meant,
    kafka::{self, Record},
    ledger::Ledger,
};

/// One stored event, as SQL gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// `<logId>:<offset>`.
    pub position: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its id.
    pub event_id: String,
    aggregate_id: String,
    version: i32,
    payload: String,
    micros: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Stored,
    Duplicate(Option<String>),
    DeadLettered(String),
    Skipped(String),
}

/// How much of what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events.
    pub stored: usize,
    /// Duplicates.
    pub duplicates: usize,
    /// Dead letters by reason.
    pub dead_letters: BTreeMap<String, usize>,
}

/// Where the two sides of the account are.
#[derive(Debug, Clone)]
pub struct Servers {
    /// Kafka, host and port.
    pub kafka: String,
    /// The superuser's URL of the database.
    pub postgres: String,
}

impl From<&Status> for Servers {
    fn from(status: &Status) -> Self {
        Self { kafka: status.kafka().to_owned(), postgres: status.postgres().to_owned() }
    }
}

/// A connection of the superuser to the database.
pub async fn connect(postgres: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(postgres, NoTls).await.expect("the database answers");
    // Its end is seen by the queries.
    tokio::spawn(connection);
    client
}

/// Waits until the position of every partition stands at its end.
pub async fn caught_up(servers: &Servers, topic: &str, ends: &[i64], within: Duration) {
    let client = connect(&servers.postgres).await;
    wait_until(&format!("the positions of {topic} are {ends:?}"), within, || async {
        let sql = "select \"partition\", next_offset from audit.logs where topic = $1 and closed_at is null";
        let rows = client.query(sql, &[&topic]).await.expect("the positions can be read");
        let positions: HashMap<i32, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let stands = |(partition, end): (i32, &i64)| positions.get(&partition).copied().unwrap_or(0) == *end;
        (0..).zip(ends).all(stands).then_some(())
    })
    .await;
}

/// Checks that `topic`, the ledger and the database agree, and gives the stored events in recorded order.
pub async fn check(servers: &Servers, topic: &str, ledger: &Ledger) -> (Vec<Stored>, Tally) {
    let (records, ends) = kafka::read_topic(&servers.kafka, topic).await;
    caught_up(servers, topic, &ends, Duration::from_mins(3)).await;
    let client = connect(&servers.postgres).await;
    let mut problems = Problems::default();
    let by_place = nothing_acknowledged_is_missing(&records, ledger, &mut problems);
    let stored = stored(&client, topic, &mut problems).await;
    let fates = fates(&client, topic, &stored, &mut problems).await;
    every_offset_has_one_fate(&records, &ends, &fates, &mut problems);
    let tally = fates_are_right(&records, &fates, &stored, &by_place, &mut problems);
    versions_are_complete(&stored, ledger, &mut problems);
    account_is_dense(&client, &mut problems).await;
    problems.none();
    (stored, tally)
}

/// What is wrong, all of it, because the second finding often explains the first.
#[derive(Default)]
struct Problems {
    count: usize,
    text: String,
}

impl Problems {
    fn add(&mut self, problem: impl std::fmt::Display) {
        self.count += 1;
        if self.count <= 30 {
            writeln!(self.text, "  {problem}").expect("a String takes everything");
        }
    }

    fn unless(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.add(problem());
        }
    }

    fn none(self) {
        assert!(self.count == 0, "{} things are wrong:\n{}", self.count, self.text);
    }
}

/// Kafka holds what it acknowledged, and nothing that was not sent. Gives what each record is.
fn nothing_acknowledged_is_missing<'a>(
    records: &[Record],
    ledger: &'a Ledger,
    problems: &mut Problems,
) -> HashMap<(i32, i64), &'a Meant> {
    let digests: HashMap<(i32, i64), [u8; 32]> = records
        .iter()
        .map(|record| {
            (
                (record.partition, record.offset),
                Sha256::digest(record.value.as_deref().unwrap_or_default()).into(),
            )
        })
        .collect();
    for sent in &ledger.sent {
        let Some(place) = sent.place else { continue };
        let found = digests.get(&(place.partition, place.offset));
        problems
            .unless(found == Some(&sent.digest), || format!("Kafka lost what it acknowledged at {place:?}"));
    }
    let meanings: HashMap<[u8; 32], &Meant> =
        ledger.sent.iter().map(|sent| (sent.digest, &sent.meant)).collect();
    let mut by_place = HashMap::new();
    for (place, digest) in digests {
        match meanings.get(&digest) {
            Some(meant) => {
                by_place.insert(place, *meant);
            }
            None => problems.add(format!("Kafka holds at {place:?} what was never sent")),
        }
    }
    by_place
}

async fn stored(client: &Client, topic: &str, problems: &mut Problems) -> Vec<Stored> {
    let sql = "select l.log_id || ':' || e.\"offset\", l.\"partition\", e.\"offset\", e.event_id::text, e.aggregate_id, \
               e.version, e.payload::text, (extract(epoch from e.\"timestamp\") * 1000000)::bigint \
               from audit.events e join audit.logs l using (log_id) \
               join audit.appends a on a.log_id = e.log_id and a.from_offset <= e.\"offset\" and a.next_offset > e.\"offset\" \
               where l.topic = $1 and a.recorded_at = e.recorded_at order by a.append_no, e.\"offset\"";
    let rows = client.query(sql, &[&topic]).await.expect("the events can be read");
    let all = "select count(*) from audit.events e join audit.logs l using (log_id) where l.topic = $1";
    let count: i64 = client.query_one(all, &[&topic]).await.expect("a count").get(0);
    problems.unless(usize::try_from(count) == Ok(rows.len()), || {
        format!("{count} events are stored, but {} belong to exactly one append", rows.len())
    });
    let stored = rows.iter().map(|row| Stored {
        position: row.get(0),
        partition: row.get(1),
        offset: row.get(2),
        event_id: row.get(3),
        aggregate_id: row.get(4),
        version: row.get(5),
        payload: row.get(6),
        micros: row.get(7),
    });
    let stored: Vec<Stored> = stored.collect();
    let mut ids = HashSet::new();
    for event in &stored {
        problems.unless(ids.insert(&event.event_id), || format!("event {} is stored twice", event.event_id));
    }
    stored
}

async fn fates(
    client: &Client,
    topic: &str,
    stored: &[Stored],
    problems: &mut Problems,
) -> HashMap<(i32, i64), Fate> {
    let mut fates: HashMap<(i32, i64), Fate> =
        stored.iter().map(|event| ((event.partition, event.offset), Fate::Stored)).collect();
    let sql = "select l.\"partition\", d.from_offset, d.next_offset, d.kind, d.reason, d.event_id::text \
               from audit.dispositions d join audit.logs l using (log_id) where l.topic = $1";
    for row in client.query(sql, &[&topic]).await.expect("the dispositions can be read") {
        let (partition, from, next): (i32, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let kind: String = row.get(3);
        let fate = match kind.as_str() {
            "duplicate" => Fate::Duplicate(row.get(5)),
            "dead-lettered" => Fate::DeadLettered(row.get(4)),
            _ => Fate::Skipped(kind),
        };
        for offset in from..next {
            let before = fates.insert((partition, offset), fate.clone());
            problems.unless(before.is_none(), || {
                format!("{partition}/{offset} has two fates: {before:?} and {fate:?}")
            });
        }
    }
    fates
}

fn every_offset_has_one_fate(
    records: &[Record],
    ends: &[i64],
    fates: &HashMap<(i32, i64), Fate>,
    problems: &mut Problems,
) {
    for record in records {
        let place = (record.partition, record.offset);
        problems.unless(fates.contains_key(&place), || format!("{place:?} is lost: it has no fate"));
    }
    let delivered: HashSet<(i32, i64)> =
        records.iter().map(|record| (record.partition, record.offset)).collect();
    for (place, fate) in fates {
        // What Kafka never delivers is accounted for as skipped, and only that.
        let is_skipped = matches!(fate, Fate::Skipped(kind) if kind == "not-delivered");
        problems
            .unless(delivered.contains(place) != is_skipped, || format!("{place:?} should not be {fate:?}"));
    }
    let total: i64 = ends.iter().sum();
    problems.unless(i64::try_from(fates.len()) == Ok(total), || {
        format!("{} offsets have a fate, Kafka has {total}", fates.len())
    });
}

fn fates_are_right(
    records: &[Record],
    fates: &HashMap<(i32, i64), Fate>,
    stored: &[Stored],
    by_place: &HashMap<(i32, i64), &Meant>,
    problems: &mut Problems,
) -> Tally {
    let by_id: HashMap<&str, &Stored> = stored.iter().map(|event| (event.event_id.as_str(), event)).collect();
    let mut tally = Tally::default();
    for record in records {
        let place = (record.partition, record.offset);
        let (Some(meant), Some(fate)) = (by_place.get(&place), fates.get(&place)) else { continue };
        if let Fate::DeadLettered(reason) = fate {
            *tally.dead_letters.entry(reason.clone()).or_default() += 1;
        }
        let expected = match meant {
            Meant::Invalid(reason) => Fate::DeadLettered((*reason).to_owned()),
            Meant::Event(envelope) => {
                let Some(kept) = by_id.get(envelope.event_id.as_str()) else {
                    problems.add(format!("event {} of {place:?} is stored nowhere", envelope.event_id));
                    continue;
                };
                let is_same = kept.payload == envelope.payload
                    && kept.micros == envelope.timestamp.as_micros()
                    && kept.aggregate_id == envelope.aggregate_id
                    && i64::from(kept.version) == envelope.version;
                match (is_same, (kept.partition, kept.offset) == place) {
                    (true, true) => Fate::Stored,
                    (true, false) => Fate::Duplicate(Some(envelope.event_id.clone())),
                    (false, true) => {
                        problems.add(format!(
                            "{place:?} is stored with other bytes: {kept:?}, sent {envelope:?}"
                        ));
                        continue;
                    }
                    (false, false) => Fate::DeadLettered("event-id-conflict".to_owned()),
                }
            }
        };
        tally.stored += usize::from(expected == Fate::Stored);
        tally.duplicates += usize::from(matches!(expected, Fate::Duplicate(_)));
        problems.unless(*fate == expected, || format!("{place:?} is {fate:?}, but should be {expected:?}"));
    }
    tally
}

/// Every version that was sent, and acknowledged, is there.
fn versions_are_complete(stored: &[Stored], ledger: &Ledger, problems: &mut Problems) {
    let unknown: HashSet<&str> = ledger
        .sent
        .iter()
        .filter(|sent| sent.place.is_none())
        .filter_map(|sent| match &sent.meant {
            Meant::Event(envelope) => Some(envelope.aggregate_id.as_str()),
            Meant::Invalid(_) => None,
        })
        .collect();
    let mut versions: HashMap<&str, BTreeSet<i64>> = HashMap::new();
    for event in stored {
        versions.entry(&event.aggregate_id).or_default().insert(i64::from(event.version));
    }
    for (aggregate, last) in
        ledger.versions.iter().filter(|(aggregate, _)| !unknown.contains(aggregate.as_str()))
    {
        let is_complete = versions.get(aggregate.as_str()).map_or(*last == 0, |found| {
            i64::try_from(found.len()) == Ok(*last) && found.first() == Some(&1) && found.last() == Some(last)
        });
        problems.unless(is_complete, || format!("{aggregate} lacks versions between 1 and {last}"));
    }
}

async fn account_is_dense(client: &Client, problems: &mut Problems) {
    let torn = "select count(*) from (select from_offset, lag(next_offset, 1, 0::bigint) over (partition by log_id order by append_no) before \
                from audit.appends) a where from_offset <> before";
    let sparse = "select coalesce(max(append_no), 0) - count(*) from audit.appends";
    let ids = "select (select count(*) from audit.event_ids) - (select count(*) from audit.events)";
    let letters = "select (select count(*) from audit.dead_letters) \
                   - (select count(*) from audit.dispositions where kind = 'dead-lettered')";
    for (sql, what) in [
        (torn, "appends do not follow the one before them in their log"),
        (sparse, "append numbers are missing"),
        (ids, "more ids than events (or fewer)"),
        (letters, "more dead letters than dispositions (or fewer)"),
    ] {
        let count: i64 = client.query_one(sql, &[]).await.expect("a count").get(0);
        problems.unless(count == 0, || format!("{count} {what}"));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use test_support::canonical_event;

    use super::*;

    fn record(offset: i64) -> Record {
        Record { partition: 0, offset, value: Some(Bytes::from_static(b"value")) }
    }

    fn kept(id: &str, offset: i64, payload: &str) -> Stored {
        let micros = canonical_event("a", 1).build().timestamp.as_micros();
        let (event_id, payload) = (id.to_owned(), payload.to_owned());
        let position = format!("1:{offset}");
        Stored {
            position,
            partition: 0,
            offset,
            event_id,
            aggregate_id: "a".to_owned(),
            version: 1,
            payload,
            micros,
        }
    }

    /// How many things are wrong when offsets 0 and 1 hold the same event and have these fates.
    fn wrong(stored: &Stored, fates: &[(i64, Fate)]) -> usize {
        let envelope = canonical_event("a", 1).id("id").payload_text("{}").build();
        let meant = Meant::Event(Box::new(envelope));
        let by_place = HashMap::from([((0, 0), &meant), ((0, 1), &meant)]);
        let fates: HashMap<_, _> = fates.iter().map(|(offset, fate)| ((0, *offset), fate.clone())).collect();
        let (records, mut problems) = ([record(0), record(1)], Problems::default());
        every_offset_has_one_fate(&records, &[2], &fates, &mut problems);
        fates_are_right(&records, &fates, std::slice::from_ref(stored), &by_place, &mut problems);
        problems.count
    }

    #[test]
    fn the_oracle_sees_what_is_lost_misplaced_changed_or_invented() {
        let duplicate = || Fate::Duplicate(Some("id".to_owned()));
        let good = kept("id", 0, "{}");
        assert_eq!(wrong(&good, &[(0, Fate::Stored), (1, duplicate())]), 0);
        assert!(wrong(&good, &[(0, Fate::Stored)]) > 0, "an offset without a fate");
        assert!(wrong(&good, &[(0, Fate::Stored), (1, Fate::Skipped("gap".to_owned()))]) > 0, "a gap");
        assert!(wrong(&good, &[(0, duplicate()), (1, duplicate())]) > 0, "a duplicate of itself");
        assert!(wrong(&good, &[(0, Fate::Stored), (1, duplicate()), (2, Fate::Stored)]) > 0, "from nowhere");
        assert!(wrong(&kept("id", 0, "{ }"), &[(0, Fate::Stored), (1, duplicate())]) > 0, "other bytes");
        assert!(wrong(&kept("other", 0, "{}"), &[(0, Fate::Stored), (1, duplicate())]) > 0, "another event");
    }
}
