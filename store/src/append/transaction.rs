//! The transaction's three flushes, in the order of semantics.md 4.

use std::{iter, pin::pin};

use bytes::Bytes;
use futures::{SinkExt, StreamExt, TryStreamExt, future};
use shared::digest::event_digest;
use shared::timestamp::Timestamp;
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use super::account::{AppendRow, append_rows};
use super::blockers::watched;
use super::event_rows::{event_rows, stored};
use super::outcome::{Appended, AppendedSpan};
use super::prepare::Prepared;
use super::rows::{id_rows, other_rows};
use super::settle::{Found, settle};
use crate::error::StoreError;
use crate::row::WholeRow;
use crate::sql_types::Micros;

/// How much of a COPY goes into one message: large enough to be cheap, small enough for the server's memory.
const COPY_CHUNK: usize = 256 * 1024;

/// Why an attempt ended.
pub(super) enum Step {
    /// A log does not stand where its span starts.
    PositionMoved,
    /// The database or the connection.
    Failed(tokio_postgres::Error),
    /// An answer that cannot be.
    Defect(StoreError),
}

impl From<tokio_postgres::Error> for Step {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Failed(error)
    }
}

/// The statements, prepared once per connection.
pub(super) struct Statements {
    lock_logs: Statement,
    find_ids: Statement,
    stored_events: Statement,
    copy_ids: Statement,
    copy_events: Statement,
    copy_dispositions: Statement,
    copy_dead_letters: Statement,
    close: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            lock_logs: client.prepare(include_str!("../../sql/lock_logs.sql")).await?,
            find_ids: client.prepare(include_str!("../../sql/find_ids.sql")).await?,
            stored_events: client.prepare(include_str!("../../sql/stored_events.sql")).await?,
            copy_ids: client.prepare(include_str!("../../sql/copy_event_ids.sql")).await?,
            copy_events: client.prepare(include_str!("../../sql/copy_events.sql")).await?,
            copy_dispositions: client.prepare(include_str!("../../sql/copy_dispositions.sql")).await?,
            copy_dead_letters: client.prepare(include_str!("../../sql/copy_dead_letters.sql")).await?,
            close: client.prepare(include_str!("../../sql/close_append.sql")).await?,
        })
    }
}

/// One attempt, from BEGIN to COMMIT. `checked`: the ids that are looked up; also gives how many of them were stored before.
pub(super) async fn run(
    main: &Client,
    side: &Client,
    backend: i32,
    statements: &Statements,
    prepared: &mut Prepared<'_>,
    checked: &[Uuid],
) -> Result<(Appended, usize), Step> {
    let (recorded_at, places) =
        watched(side, backend, first_flush(main, statements, prepared, checked)).await?;
    let found = stored_digests(main, statements, places).await?;
    let verdicts = settle(prepared, &found);
    let appends = append_rows(prepared, &verdicts);
    let ids = id_rows(prepared, &verdicts);
    let others = other_rows(prepared, &verdicts, recorded_at);
    prepared.stamp(recorded_at);
    let (events, stored) = (event_rows(prepared, &verdicts), stored(&verdicts));
    watched(side, backend, async {
        copy(main, &statements.copy_ids, chunks(ids), stored).await?;
        copy(main, &statements.copy_events, events, stored).await?;
        let (rows, count) = others.dispositions;
        copy(main, &statements.copy_dispositions, chunks(rows), count).await?;
        let (rows, count) = others.dead_letters;
        copy(main, &statements.copy_dead_letters, chunks(rows), count).await
    })
    .await?;
    let numbers =
        watched(side, backend, last_flush(main, statements, prepared, &appends, recorded_at)).await?;
    Ok((numbered(appends, &numbers, recorded_at)?, found.len()))
}

/// BEGIN; the logs locked in their order and compared; the ids looked up: one flush.
async fn first_flush(
    main: &Client,
    statements: &Statements,
    prepared: &Prepared<'_>,
    checked: &[Uuid],
) -> Result<(Timestamp, Vec<Row>), Step> {
    let logs: Vec<i32> = prepared.spans.iter().map(|span| span.log_id).collect();
    let parameters: [&(dyn postgres_types::ToSql + Sync); 1] = [&logs];
    let (begun, locked, places) = future::join3(
        main.batch_execute("begin isolation level read committed read write"),
        main.query(&statements.lock_logs, &parameters),
        look_up(main, &statements.find_ids, checked),
    )
    .await;
    begun?;
    let locked = locked?;
    let mut recorded_at: Option<Timestamp> = None;
    if locked.len() != prepared.spans.len() {
        return Err(Step::PositionMoved);
    }
    for (row, span) in locked.iter().zip(&prepared.spans) {
        let (log_id, next_offset): (i32, i64) = (row.try_get(0)?, row.try_get(1)?);
        if log_id != span.log_id || next_offset != span.from_offset {
            return Err(Step::PositionMoved);
        }
        let Micros(at) = row.try_get(2)?;
        recorded_at = recorded_at.max(Some(at));
    }
    let recorded_at =
        recorded_at.ok_or_else(|| Step::Defect(StoreError::Refused("a batch has spans".to_owned())))?;
    Ok((recorded_at, places?))
}

async fn look_up(
    main: &Client,
    statement: &Statement,
    ids: &[Uuid],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    if ids.is_empty() { Ok(Vec::new()) } else { main.query(statement, &[&ids]).await }
}

/// The digests of the events under the ids that were found; an id whose event is gone has none.
async fn stored_digests(main: &Client, statements: &Statements, places: Vec<Row>) -> Result<Found, Step> {
    let mut found = Found::with_capacity(places.len());
    if places.is_empty() {
        return Ok(found);
    }
    let (mut times, mut logs, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
    for place in places {
        found.insert(place.try_get(0)?, None);
        times.push(place.try_get::<_, Micros>(1)?);
        logs.push(place.try_get::<_, i32>(2)?);
        offsets.push(place.try_get::<_, i64>(3)?);
    }
    let parameters: [&(dyn postgres_types::ToSql + Sync); 3] = [&times, &logs, &offsets];
    let mut rows = pin!(main.query_raw(&statements.stored_events, parameters).await?.map_err(Step::Failed));
    while let Some(row) = rows.next().await {
        let row = WholeRow::new(row?).map_err(Step::Defect)?;
        found.insert(row.event_id(), Some(event_digest(&row.to_event())));
    }
    Ok(found)
}

fn chunks(mut rows: Bytes) -> impl Iterator<Item = Bytes> {
    iter::from_fn(move || {
        let chunk = rows.split_to(rows.len().min(COPY_CHUNK));
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Sends rows and checks that the server took exactly these.
async fn copy(
    main: &Client,
    statement: &Statement,
    rows: impl Iterator<Item = Bytes>,
    count: u64,
) -> Result<(), Step> {
    if count == 0 {
        return Ok(());
    }
    let mut sink = pin!(main.copy_in::<_, Bytes>(statement).await?);
    for chunk in rows {
        // Fed, not sent: the next chunk is made while this one is on its way.
        sink.feed(chunk).await?;
    }
    let taken = sink.finish().await?;
    if taken == count {
        Ok(())
    } else {
        Err(Step::Defect(StoreError::Refused(format!("COPY took {taken} rows of {count}"))))
    }
}

/// The positions, the numbers and COMMIT: one flush. It succeeded only when the statement before COMMIT is good: in a
/// failed transaction every further statement fails, and COMMIT answers ROLLBACK without an error.
async fn last_flush(
    main: &Client,
    statements: &Statements,
    prepared: &Prepared<'_>,
    appends: &[AppendRow],
    recorded_at: Timestamp,
) -> Result<Vec<(i32, i64)>, Step> {
    let spans = &prepared.spans;
    let logs: Vec<i32> = spans.iter().map(|span| span.log_id).collect();
    let from: Vec<i64> = spans.iter().map(|span| span.from_offset).collect();
    let next: Vec<i64> = spans.iter().map(|span| span.next_offset).collect();
    let last_offset: Vec<Option<i64>> = spans.iter().map(|span| span.last_record.map(|r| r.offset)).collect();
    let last_digest: Vec<Option<&[u8]>> =
        spans.iter().map(|span| span.last_record.as_ref().map(|record| &record.digest[..])).collect();
    let stored: Vec<i32> = appends.iter().map(|row| count(row.outcome.stored)).collect();
    let duplicate: Vec<i32> = appends.iter().map(|row| count(row.outcome.duplicate)).collect();
    let dead_lettered: Vec<i32> = appends.iter().map(|row| count(row.dead_lettered())).collect();
    let skipped: Vec<i64> =
        appends.iter().map(|row| i64::try_from(row.skipped()).expect("a range of i64 offsets")).collect();
    let min_time: Vec<Option<Micros>> = appends.iter().map(|row| row.min_time.map(Micros)).collect();
    let max_time: Vec<Option<Micros>> = appends.iter().map(|row| row.max_time.map(Micros)).collect();
    let roots: Vec<&[u8]> = appends.iter().map(|row| &row.batch_root[..]).collect();
    let at = Micros(recorded_at);
    let parameters: [&(dyn postgres_types::ToSql + Sync); 13] = [
        &logs,
        &from,
        &next,
        &last_offset,
        &last_digest,
        &stored,
        &duplicate,
        &dead_lettered,
        &skipped,
        &min_time,
        &max_time,
        &roots,
        &at,
    ];
    let (numbers, committed) =
        future::join(main.query(&statements.close, &parameters), main.batch_execute("commit")).await;
    let numbers = numbers?;
    committed?;
    if numbers.len() != appends.len() {
        return Err(Step::Defect(StoreError::corrupt("appends", "append_no", "not one number per span")));
    }
    numbers.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

fn count(records: u64) -> i32 {
    i32::try_from(records).expect("a batch holds at most two billion records")
}

fn numbered(
    appends: Vec<AppendRow>,
    numbers: &[(i32, i64)],
    recorded_at: Timestamp,
) -> Result<Appended, Step> {
    let spans = appends
        .into_iter()
        .map(|row| {
            let (_, append_no) =
                numbers.iter().find(|(log_id, _)| *log_id == row.outcome.log_id).ok_or_else(|| {
                    Step::Defect(StoreError::corrupt("appends", "log_id", "another log than asked for"))
                })?;
            Ok(AppendedSpan { append_no: *append_no, ..row.outcome })
        })
        .collect::<Result<_, Step>>()?;
    Ok(Appended { recorded_at, spans })
}
