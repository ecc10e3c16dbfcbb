//! Recorded order (semantics.md 6): the appends by number, then the rows of each by offset.

use shared::filter::{EventFilter, Order};
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use tokio_postgres::Row;

use super::conditions::conditions;
use super::statement::{Statement, limit_step};
use super::types::RecordedCursor;
use crate::error::StoreError;
use crate::row::COLUMNS;
use crate::sql_types::Micros;

/// Appends that are looked up at once.
const APPENDS: u32 = 512;

/// A row of `appends`, as far as reading needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct AppendRange {
    pub(super) append_no: i64,
    log_id: i32,
    from_offset: i64,
    next_offset: i64,
    /// Event times, when it stored any.
    times: Option<(Timestamp, Timestamp)>,
    stored: i64,
    recorded_at: Timestamp,
}

impl AppendRange {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        let (least, greatest): (Option<Micros>, Option<Micros>) = (row.try_get(4)?, row.try_get(5)?);
        let Micros(recorded_at) = row.try_get(7)?;
        Ok(Self {
            append_no: row.try_get(0)?,
            log_id: row.try_get(1)?,
            from_offset: row.try_get(2)?,
            next_offset: row.try_get(3)?,
            times: least.zip(greatest).map(|(Micros(least), Micros(greatest))| (least, greatest)),
            stored: i64::from(row.try_get::<_, i32>(6)?),
            recorded_at,
        })
    }

    /// Whether it can hold a match at all.
    pub(super) fn may_match(&self, filter: &EventFilter) -> bool {
        let Some((least, greatest)) = self.times else { return false };
        filter.from.is_none_or(|from| greatest >= from)
            && filter.to.is_none_or(|to| least < to)
            && filter.recorded_from.is_none_or(|from| self.recorded_at >= from)
            && filter.recorded_to.is_none_or(|to| self.recorded_at < to)
    }

    /// The rows that it may hold.
    pub(super) fn rows(&self) -> usize {
        usize::try_from(self.stored.min(self.next_offset - self.from_offset)).unwrap_or(0)
    }

    /// What is left of it when everything up to the cursor has been seen.
    pub(super) fn beyond(mut self, cursor: RecordedCursor, order: Order) -> Self {
        if let (Some(seen), true) = (cursor.offset, cursor.append_no == self.append_no) {
            match order {
                Order::Ascending => self.from_offset = self.from_offset.max(seen.saturating_add(1)),
                Order::Descending => self.next_offset = self.next_offset.min(seen),
            }
        }
        self
    }
}

/// The next appends after (or, descending, before) the cursor, within `bound` (inclusive).
pub(super) fn appends(cursor: RecordedCursor, bound: i64, order: Order) -> Statement {
    let mut statement = Statement::default();
    let (cursor, bound) = (statement.bind(cursor.append_no), statement.bind(bound));
    let (conditions, direction) = match order {
        Order::Ascending => (format!("a.append_no >= {cursor} and a.append_no <= {bound}"), "asc"),
        Order::Descending => (format!("a.append_no <= {cursor} and a.append_no >= {bound}"), "desc"),
    };
    statement.push(&format!(
        "select a.append_no, a.log_id, a.from_offset, a.next_offset, a.min_time, a.max_time, a.stored, a.recorded_at \
         from audit.appends a where {conditions} order by a.append_no {direction} limit {APPENDS}"
    ));
    statement
}

/// Whether a step of [`appends`] was full, so that there may be more.
pub(super) fn is_full(found: usize) -> bool {
    found >= APPENDS as usize
}

/// The matching rows of one append. Its log, offsets and times are parameters of the statement itself: whole months are
/// left out before the plan starts, and what is read comes in the index's order and is sent as it is read.
pub(super) fn rows_of_one(
    scope: &Scope,
    filter: &EventFilter,
    append: &AppendRange,
    order: Order,
    limit: u32,
) -> Statement {
    let mut statement = Statement::default();
    let log = statement.bind(append.log_id);
    let (from, next) = (statement.bind(append.from_offset), statement.bind(append.next_offset));
    let (least, greatest) = append.times.unzip();
    let (least, greatest) = (statement.bind(least.map(Micros)), statement.bind(greatest.map(Micros)));
    let matching = conditions(&mut statement, scope, filter).to_sql();
    let (direction, limit) = (direction(order), limit_step(limit));
    statement.push(&format!(
        r#"select {COLUMNS} from audit.events_visible e
where e.log_id = {log} and e."offset" >= {from} and e."offset" < {next}
  and e."timestamp" >= {least} and e."timestamp" <= {greatest} and {matching}
order by e."offset" {direction}
limit {limit}"#
    ));
    statement
}

/// The matching rows of several appends, each with its append's number after the event's columns. All that may match is
/// read and sorted before the first row comes: for appends of few rows, or of few that match.
pub(super) fn rows_of_many(
    scope: &Scope,
    filter: &EventFilter,
    appends: &[AppendRange],
    order: Order,
    limit: u32,
) -> Statement {
    let mut statement = Statement::default();
    let numbers = statement.bind(appends.iter().map(|append| append.append_no).collect::<Vec<_>>());
    let logs = statement.bind(appends.iter().map(|append| append.log_id).collect::<Vec<_>>());
    let from = statement.bind(appends.iter().map(|append| append.from_offset).collect::<Vec<_>>());
    let next = statement.bind(appends.iter().map(|append| append.next_offset).collect::<Vec<_>>());
    let time = |pick: fn(&(Timestamp, Timestamp)) -> Timestamp| -> Vec<Option<Micros>> {
        appends.iter().map(|append| append.times.as_ref().map(pick).map(Micros)).collect()
    };
    let (least, greatest) = (time(|times| times.0), time(|times| times.1));
    let (least, greatest) = (statement.bind(least), statement.bind(greatest));
    let matching = conditions(&mut statement, scope, filter).to_sql();
    let (direction, limit) = (direction(order), limit_step(limit));
    // LIMIT inside keeps it a nested loop over the order index, pruned to the append's own months.
    statement.push(&format!(
        r#"select {COLUMNS}, e.append_no
from (
    select e.*, a.append_no
    from unnest({numbers}::bigint[], {logs}::int[], {from}::bigint[], {next}::bigint[], {least}::timestamptz[], {greatest}::timestamptz[])
        as a (append_no, log_id, from_offset, next_offset, min_time, max_time)
    cross join lateral (
        select * from audit.events_visible e
        where e.log_id = a.log_id and e."offset" >= a.from_offset and e."offset" < a.next_offset
          and e."timestamp" >= a.min_time and e."timestamp" <= a.max_time and {matching}
        order by e."offset" {direction}
        limit {limit}
    ) e
) e
order by e.append_no {direction}, e."offset" {direction}
limit {limit}"#
    ));
    statement
}

fn direction(order: Order) -> &'static str {
    if order == Order::Ascending { "asc" } else { "desc" }
}

#[cfg(test)]
impl AppendRange {
    /// An append of log 1 with so many rows, from offset 0 on.
    pub(super) fn of_rows(append_no: i64, rows: i64) -> Self {
        let time = Timestamp::from_micros(0);
        let times = (rows > 0).then_some((time, time));
        Self {
            append_no,
            log_id: 1,
            from_offset: 0,
            next_offset: rows,
            times,
            stored: rows,
            recorded_at: time,
        }
    }
}
