//! The rows of a log against the account: every offset once, every leaf, every batch root.

use std::pin::pin;

use futures::TryStreamExt;
use shared::account::DispositionKind;
use shared::leaf::{Leaf, RootBuilder, leaf_hash, leaf_input};
use shared::position::LogName;
use shared::refusal::Reason;
use shared::timestamp::Timestamp;
use tokio_postgres::{Client, Statement};

use super::account::{Append, Counts, Disposition, promoted_agrees, read_append, read_disposition};
use super::{Progress, Verification, VerifiedLog};
use crate::error::StoreError;
use crate::row::WholeRow;

const APPENDS: &str = include_str!("../../sql/verify_appends.sql");
const DISPOSITIONS: &str = include_str!("../../sql/verify_dispositions.sql");
const EVENTS: &str = include_str!("../../sql/verify_events.sql");

/// Appends read at once, unless their records are too many.
const APPENDS_AT_ONCE: i64 = 1_000;
/// Records whose rows are read by one statement, unless one append alone has more.
const RECORDS_AT_ONCE: i64 = 20_000;

struct Statements {
    appends: Statement,
    dispositions: Statement,
    events: Statement,
}

pub(super) async fn verify(
    client: &Client,
    log: &VerifiedLog,
    found: &mut Verification,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<(), StoreError> {
    let statements = Statements {
        appends: client.prepare(APPENDS).await?,
        dispositions: client.prepare(DISPOSITIONS).await?,
        events: client.prepare(EVENTS).await?,
    };
    let mut from = 0i64;
    while !found.is_full() {
        let rows =
            client.query(&statements.appends, &[&log.log_id, &from, &found.head, &APPENDS_AT_ONCE]).await?;
        let mut appends = rows.iter().map(read_append).collect::<Result<Vec<_>, _>>()?;
        let mut records = 0;
        let fitting = appends.iter().take_while(|append| {
            let fits = records < RECORDS_AT_ONCE;
            records += append.counts.stored + append.counts.duplicate + append.counts.dead_lettered;
            fits
        });
        appends.truncate(fitting.count());
        let Some(last) = appends.last() else { return Ok(()) };
        let next = last.next_offset;
        verify_range(client, &statements, log, (from, next), &appends, found).await?;
        found.progress.appends += appends.len() as u64;
        found.progress.offsets += next.abs_diff(from);
        progress(found.progress);
        from = next;
    }
    Ok(())
}

async fn verify_range(
    client: &Client,
    statements: &Statements,
    log: &VerifiedLog,
    (from, next): (i64, i64),
    appends: &[Append],
    found: &mut Verification,
) -> Result<(), StoreError> {
    let rows = client.query(&statements.dispositions, &[&log.log_id, &from, &next]).await?;
    let dispositions = rows.iter().map(read_disposition).collect::<Result<Vec<_>, _>>()?;
    let mut dispositions = dispositions.iter().peekable();
    let parameters: [&(dyn postgres_types::ToSql + Sync); 3] = [&log.log_id, &from, &next];
    let mut events = pin!(client.query_raw(&statements.events, parameters).await?);
    let mut event = next_event(&mut events).await?;
    for append in appends {
        let mut check = AppendCheck::new(log, append);
        loop {
            let event_at = event.as_ref().map_or(i64::MAX, |row| row.position().offset);
            let disposed_at = dispositions.peek().map_or(i64::MAX, |disposition| disposition.from_offset);
            if event_at.min(disposed_at) >= append.next_offset {
                break;
            }
            if event_at <= disposed_at {
                let row = event.take().expect("its offset was compared");
                check.event(&row, found)?;
                found.events += 1;
                event = next_event(&mut events).await?;
            } else if let Some(disposition) = dispositions.next() {
                check.disposition(disposition, found);
            }
        }
        check.finish(found);
    }
    Ok(())
}

async fn next_event(
    events: &mut std::pin::Pin<&mut tokio_postgres::RowStream>,
) -> Result<Option<WholeRow>, StoreError> {
    events.try_next().await?.map(WholeRow::new).transpose()
}

/// The recomputation of one append.
struct AppendCheck<'a> {
    log: &'a VerifiedLog,
    append: &'a Append,
    /// The offset that has to come next.
    expected: i64,
    /// An offset was missing or doubled: root and counts would only say so again.
    is_broken: bool,
    counts: Counts,
    times: Option<(Timestamp, Timestamp)>,
    root: RootBuilder,
}

impl<'a> AppendCheck<'a> {
    fn new(log: &'a VerifiedLog, append: &'a Append) -> Self {
        Self {
            log,
            append,
            expected: append.from_offset,
            is_broken: false,
            counts: Counts::default(),
            times: None,
            root: RootBuilder::new(),
        }
    }

    fn event(&mut self, row: &WholeRow, found: &mut Verification) -> Result<(), StoreError> {
        let offset = row.position().offset;
        self.cover(offset, offset + 1, "events", found);
        let event = row.to_event();
        self.leaf(offset, &Leaf::Stored(&event.borrowed()));
        self.counts.stored += 1;
        let time = event.timestamp;
        let (least, greatest) = self.times.unwrap_or((time, time));
        self.times = Some((least.min(time), greatest.max(time)));
        if row.recorded_at() != self.append.recorded_at {
            let problem = format!("recorded_at differs from that of append {}", self.append.number);
            found.find("events", self.log.record(offset), problem);
        }
        if !row.extra::<bool>(0)? {
            let problem = format!("{} has not this place", event.event_id);
            found.find("event_ids", self.log.record(offset), problem);
        }
        if !promoted_agrees(row) {
            let problem = "a column beside the metadata is not what the metadata says";
            found.find("events", self.log.record(offset), problem);
        }
        Ok(())
    }

    fn disposition(&mut self, disposition: &Disposition, found: &mut Verification) {
        let Disposition { from_offset, next_offset, event_id, .. } = disposition;
        self.cover(*from_offset, *next_offset, "dispositions", found);
        let reason = disposition.reason.as_deref().and_then(Reason::parse);
        let leaf = match (DispositionKind::parse(&disposition.kind), event_id, reason) {
            (Some(DispositionKind::Duplicate), Some(event_id), None) => {
                self.counts.duplicate += 1;
                Leaf::Duplicate { event_id: *event_id }
            }
            (Some(DispositionKind::DeadLettered), event_id, Some(reason)) => {
                self.counts.dead_lettered += 1;
                Leaf::DeadLettered { reason, event_id: *event_id }
            }
            (Some(kind), None, None) if kind.is_skipped() => {
                self.counts.skipped += next_offset - from_offset;
                Leaf::Skipped { kind, next: *next_offset }
            }
            _ => {
                self.is_broken = true;
                let problem = "kind, event id and reason do not fit together";
                return found.find("dispositions", self.log.record(*from_offset), problem);
            }
        };
        self.leaf(*from_offset, &leaf);
    }

    fn leaf(&mut self, offset: i64, leaf: &Leaf<'_>) {
        self.root.push(leaf_hash(&leaf_input(&self.log.name, offset, leaf)));
    }

    /// The row covers these offsets: they have to be the next ones.
    fn cover(&mut self, from: i64, next: i64, table: &'static str, found: &mut Verification) {
        if from > self.expected {
            self.is_missing(from, found);
        } else if from < self.expected {
            self.is_broken = true;
            found.find(table, self.log.record(from), "is accounted for twice");
        }
        if next > self.append.next_offset {
            self.is_broken = true;
            let problem = format!("reaches beyond append {}", self.append.number);
            found.find(table, self.log.record(from), problem);
        }
        self.expected = self.expected.max(next);
    }

    fn is_missing(&mut self, until: i64, found: &mut Verification) {
        self.is_broken = true;
        let problem = match until - self.expected {
            1 => "is neither an event nor a disposition".to_owned(),
            more => format!("and the {} after it are neither events nor dispositions", more - 1),
        };
        found.find("events", self.log.record(self.expected), problem);
    }

    fn finish(mut self, found: &mut Verification) {
        if self.expected < self.append.next_offset {
            self.is_missing(self.append.next_offset, found);
        }
        if self.is_broken {
            return;
        }
        let Append { number, from_offset, next_offset, counts, times, batch_root, .. } = self.append;
        let row = format!("append {number}");
        if self.root.finish()[..] != batch_root[..] {
            let LogName { topic, partition, incarnation, .. } = &self.log.name;
            let problem = format!(
                "its batch root does not follow from its rows, {topic}/{partition}/{incarnation} offsets {from_offset} to {}",
                next_offset - 1
            );
            found.find("appends", row, problem);
        } else if self.counts != *counts {
            let problem = format!("counts {counts:?}, the rows give {:?}", self.counts);
            found.find("appends", row, problem);
        } else if self.times != *times {
            found.find("appends", row, "min_time and max_time are not those of its events");
        }
    }
}
