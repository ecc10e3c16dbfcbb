//! How many events a replay will send: counted, or bounded where counting would take too long.

use shared::filter::EventFilter;
use shared::position::Position;
use shared::scope::Scope;

use super::conditions::conditions;
use super::session::{self, Sorting};
use super::statement::Statement;
use super::{Reader, RecordedCursor};
use crate::error::StoreError;
use crate::replays::Exactness;

const LOGS: &str = include_str!("../../sql/replay_size_logs.sql");
/// Events that are counted one by one, at most.
const MOST_COUNTED: u64 = 1_000_000;

/// The offsets of each log that a replay walks through.
#[derive(Default)]
struct Walked {
    logs: Vec<i32>,
    from: Vec<i64>,
    next: Vec<i64>,
    stored: u64,
}

impl Reader {
    /// The events that match, recorded behind `after` (`last` is the event there, if there is one) and up to append
    /// `until`. `None` = not even a bound can be had in time.
    pub async fn replay_size(
        &self,
        scope: &Scope,
        filter: &EventFilter,
        after: RecordedCursor,
        last: Option<Position>,
        until: i64,
    ) -> Result<Option<(u64, Exactness)>, StoreError> {
        let walked = match self.walked(after, last, until).await {
            Err(StoreError::Timeout) => return Ok(None),
            walked => walked?,
        };
        let statement = count(scope, filter, &walked);
        match session::read(&self.pool, scope, &statement, Sorting::AsPlanned).await {
            Ok(rows) => {
                let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
                let count = count.unsigned_abs();
                let is_all = count <= MOST_COUNTED;
                Ok(Some((
                    count.min(MOST_COUNTED),
                    if is_all { Exactness::Exact } else { Exactness::AtLeast },
                )))
            }
            Err(StoreError::Timeout) => Ok(Some((walked.stored, Exactness::AtMost))),
            Err(error) => Err(error),
        }
    }

    async fn walked(
        &self,
        after: RecordedCursor,
        last: Option<Position>,
        until: i64,
    ) -> Result<Walked, StoreError> {
        let mut statement = Statement::new(LOGS);
        statement.bind(after.append_no);
        statement.bind(until);
        let mut walked = Walked::default();
        for row in session::read(&self.pool, &Scope::All, &statement, Sorting::AsPlanned).await? {
            let (log_id, from): (i32, i64) = (row.try_get(0)?, row.try_get(1)?);
            let seen = last.filter(|last| last.log_id == log_id).map_or(0, |last| last.offset + 1);
            walked.logs.push(log_id);
            walked.from.push(from.max(seen));
            walked.next.push(row.try_get(2)?);
            walked.stored += row.try_get::<_, i64>(3)?.unsigned_abs();
        }
        Ok(walked)
    }
}

/// Counts as a list's count does, with the walked offsets as a condition beside the filter's: it must not choose the plan.
fn count(scope: &Scope, filter: &EventFilter, walked: &Walked) -> Statement {
    let mut statement = Statement::default();
    let logs = statement.bind(walked.logs.clone());
    let (from, next) = (statement.bind(walked.from.clone()), statement.bind(walked.next.clone()));
    let matching = conditions(&mut statement, scope, filter).to_sql();
    let most = MOST_COUNTED + 1;
    statement.push(&format!(
        r#"select count(*) from (
    select 1 from audit.events_visible e
    where {matching}
      and e."offset" >= ({from}::bigint[])[array_position({logs}::int[], e.log_id)]
      and e."offset" < ({next}::bigint[])[array_position({logs}::int[], e.log_id)]
    limit {most}
) counted"#
    ));
    statement
}
