//! Fills the database behind AUDIT_LOAD_URL (role audit_ingestor) with events, for looking at replay by hand:
//! `cargo run --release -p audit-api --example load -- 300000`.

use std::sync::Arc;

use anyhow::Context as _;
use shared::{
    clock::{Clock as _, SystemClock},
    envelope::{Acceptance, accept},
    json::ProtectedMarker,
};
use store::{Batch, Candidate, DatabaseUrl, Entry, RawRecord, SpanBuilder, Writer, connect, logs};
use test_support::canonical_event;

/// Events of one append.
const BATCH: i64 = 5000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let count: i64 = std::env::args().nth(1).context("how many events?")?.parse()?;
    let url = DatabaseUrl::new(std::env::var("AUDIT_LOAD_URL").context("AUDIT_LOAD_URL is not set")?);
    let client = connect(&url, "load").await?;
    let mut writer = Writer::connect(&url, "load", &["standard"]).await?;
    let partition = ("load".to_owned(), 0);
    let log = logs::open_logs(&client, "default", &[partition]).await?.pop().context("no log")?;
    let mut next = log.next_offset;
    let end = next + count;
    while next < end {
        let until = end.min(next + BATCH);
        let mut span = SpanBuilder::new(log.log_id, Arc::new(log.name.clone()));
        for offset in next..until {
            span.push(entry(offset)?);
        }
        writer.append(&mut Batch { spans: vec![span.finish(None)] }).await?;
        next = until;
    }
    Ok(())
}

/// About 500 bytes, as the bars of the specification have it.
fn entry(offset: i64) -> anyhow::Result<Entry> {
    let payload = serde_json::json!({ "offset": offset, "filler": "f".repeat(420) });
    let aggregate = format!("aggregate-{}", offset % 10_000);
    let envelope = canonical_event(&aggregate, offset / 10_000 + 1).payload(&payload).build();
    let acceptance =
        Acceptance { now: SystemClock.now(), topic_organization: "", protected: ProtectedMarker::Refused };
    let event = accept(envelope, &acceptance)?;
    let (retention_class, record) = (Arc::from("standard"), Arc::new(RawRecord::default()));
    Ok(Entry::Candidate(Candidate { offset, event, retention_class, record }))
}
