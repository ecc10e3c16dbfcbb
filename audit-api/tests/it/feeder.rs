//! What an ingestor would store, without Kafka: batches through `store::Writer`.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use shared::{
    account::DispositionKind,
    clock::{Clock as _, SystemClock},
    envelope::{Acceptance, Envelope, accept},
    event::Event,
    json::ProtectedMarker,
    position::Position,
    refusal::{Reason, Refusal},
};
use store::{Batch, Candidate, Entry, Log, RawRecord, Rejected, SpanBuilder, Stage, Writer, logs};
use test_support::{EventBuilder, Role, TestDatabase};
use tokio_postgres::Client;

/// The topic that tests write to when they do not care.
pub(crate) const TOPIC: &str = "audit.events";

/// A record of a test.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "most records of tests are events")]
pub(crate) enum Record {
    Event(Event),
    Refused(Reason),
    Skipped(i64, DispositionKind),
}

impl From<EventBuilder> for Record {
    fn from(builder: EventBuilder) -> Self {
        Self::Event(event(builder.build()))
    }
}

/// One writer with the positions of its logs.
pub(crate) struct Feeder {
    client: Client,
    writer: Writer,
    logs: BTreeMap<(String, i32), Log>,
}

impl Feeder {
    pub(crate) async fn new(database: &TestDatabase) -> Self {
        let url = database.database_url(Role::Ingestor);
        let client = database.connect(Role::Ingestor).await;
        let writer = Writer::connect(&url, "test-feeder", &["standard"]).await.expect("a migrated database");
        Self { client, writer, logs: BTreeMap::new() }
    }

    /// Stores records in one append of partition 0 of the usual topic; answers their positions.
    pub(crate) async fn append(
        &mut self,
        records: impl IntoIterator<Item = impl Into<Record>>,
    ) -> Vec<Position> {
        self.append_to(TOPIC, 0, records).await
    }

    /// Stores records in one append of this partition.
    pub(crate) async fn append_to(
        &mut self,
        topic: &str,
        partition: i32,
        records: impl IntoIterator<Item = impl Into<Record>>,
    ) -> Vec<Position> {
        let log = self.log(topic, partition).await;
        let mut next = log.next_offset;
        let mut positions = Vec::new();
        let mut span = SpanBuilder::new(log.log_id, Arc::new(log.name.clone()));
        for record in records {
            positions.push(Position { log_id: log.log_id, offset: next });
            let entry = entry(next, record.into());
            next = entry.range().1;
            span.push(entry);
        }
        self.writer.append(&mut Batch { spans: vec![span.finish(None)] }).await.expect("a good batch");
        self.logs.get_mut(&(topic.to_owned(), partition)).expect("opened above").next_offset = next;
        positions
    }

    async fn log(&mut self, topic: &str, partition: i32) -> Log {
        let name = (topic.to_owned(), partition);
        if !self.logs.contains_key(&name) {
            let opened = logs::open_logs(&self.client, "default", std::slice::from_ref(&name)).await;
            let log = opened.expect("logs open").pop().expect("the one asked for");
            self.logs.insert(name.clone(), log);
        }
        self.logs[&name].clone()
    }
}

/// The accepted event of an envelope.
pub(crate) fn event(envelope: Envelope) -> Event {
    let acceptance =
        Acceptance { now: SystemClock.now(), topic_organization: "", protected: ProtectedMarker::Refused };
    accept(envelope, &acceptance).expect("a good event")
}

fn entry(offset: i64, record: Record) -> Entry {
    let raw = RawRecord {
        key: Some(Bytes::from_static(b"key")),
        value: Some(Bytes::from_static(b"secret value")),
        headers: vec![("h".to_owned(), None)],
        timestamp_ms: Some(7),
    };
    match record {
        Record::Event(event) => {
            let (retention_class, record) = (Arc::from("standard"), Arc::new(RawRecord::default()));
            Entry::Candidate(Candidate { offset, event, retention_class, record })
        }
        Record::Refused(reason) => Entry::Rejected(Rejected {
            offset,
            refusal: Refusal::new(reason, "/timestamp", "for a test"),
            stage: Stage::Validate,
            record: Arc::new(raw),
        }),
        Record::Skipped(count, kind) => Entry::Skipped { from: offset, next: offset + count, kind },
    }
}
