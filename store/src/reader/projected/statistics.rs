//! Events counted by what they are, over time.

use shared::filter::{ACCESS_TYPE, Pattern};
use shared::scope::Scope;
use shared::time_bucket::Interval;
use shared::timestamp::Timestamp;
use tokio_postgres::Row;

use super::{AS_OF_COLUMNS, Rows, is_there};
use crate::error::StoreError;
use crate::projections::{AsOf, Projection, state};
use crate::reader::Reader;
use crate::reader::conditions::{Conditions, between, one_of, patterns};
use crate::reader::session::{self, Budget, Sorting};
use crate::reader::statement::Statement;
use crate::sql_types::Micros;

/// What events are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// What happened.
    EventType,
    /// The kind of aggregate.
    AggregateType,
    /// Who did it.
    UserId,
    /// Whose it is.
    OrganizationId,
    /// Where it comes from.
    Source,
    /// What was done.
    Action,
    /// How it ended.
    Outcome,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::EventType,
        Self::AggregateType,
        Self::UserId,
        Self::OrganizationId,
        Self::Source,
        Self::Action,
        Self::Outcome,
    ];

    fn column(self) -> &'static str {
        match self {
            Self::EventType => "e.event_type",
            Self::AggregateType => "e.aggregate_type",
            Self::UserId => "e.user_id",
            Self::OrganizationId => "e.organization_id",
            Self::Source => "e.source",
            Self::Action => "e.action",
            Self::Outcome => "e.outcome",
        }
    }
}

/// Which events; several values of one field are "or", different fields are "and".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatisticsFilter {
    /// Event time, inclusive; where a bucket of the grain starts.
    pub from: Option<Timestamp>,
    /// Event time, exclusive; where a bucket of the grain starts.
    pub to: Option<Timestamp>,
    /// What happened; `*` allowed.
    pub event_type: Vec<Pattern>,
    /// The kind of aggregate; `*` allowed.
    pub aggregate_type: Vec<Pattern>,
    /// Who did it.
    pub user_id: Vec<String>,
    /// Whose; `""` = nobody's. Narrows the scope, never widens it.
    pub organization_id: Vec<String>,
    /// Where they come from.
    pub source: Vec<String>,
    /// What was done.
    pub action: Vec<String>,
    /// How they ended: `success`, `failure`, `""` = nobody says.
    pub outcome: Vec<String>,
    /// Leaves out the records of accesses (semantics.md 12).
    pub without_accesses: bool,
}

/// A question for counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatisticsRequest {
    /// Of which events.
    pub filter: StatisticsFilter,
    /// By what, two at most; none = all together.
    pub group_by: Vec<Dimension>,
    /// By which length of time; `None` = over the whole range. Not shorter than the grain.
    pub interval: Option<Interval>,
    /// How many groups are told apart, those with the most events first.
    pub top: u32,
    /// Counts that are read at most.
    pub most_counts: usize,
}

impl StatisticsRequest {
    /// The shortest time that the asked events are counted by: users are counted by day, everything else by hour.
    pub fn grain(&self) -> Interval {
        let by_user = !self.filter.user_id.is_empty() || self.group_by.contains(&Dimension::UserId);
        if by_user { Interval::Day } else { Interval::Hour }
    }
}

/// So many events of one group in one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatisticsCount {
    /// One name for each of `group_by`; `None` = all groups behind the top ones together.
    pub group: Option<Vec<String>>,
    /// Where the bucket starts; `None` = without an interval.
    pub start: Option<Timestamp>,
    /// How many events.
    pub events: u64,
    /// How many of them failed.
    pub failures: u64,
}

/// An answer with counts.
#[derive(Debug)]
pub struct Statistics {
    /// The moment that it shows.
    pub as_of: AsOf,
    /// The counts above zero: group by group, the one with the most events first, the rest last; within it by time.
    pub counts: Vec<StatisticsCount>,
    /// How many groups there are.
    pub groups: u64,
    /// Whether there are more counts than could be read.
    pub cut: bool,
}

impl Reader {
    /// Events counted by what they are, over time.
    pub async fn statistics(
        &self,
        scope: &Scope,
        request: &StatisticsRequest,
    ) -> Result<Statistics, StoreError> {
        let statement = rows(scope, request).with_as_of();
        let budget = Budget { rows: request.most_counts, ..Budget::UNBOUNDED };
        let (rows, cut) =
            session::read_within(&self.pool, scope, &statement, Sorting::AsPlanned, budget).await?;
        let Some(first) = rows.first() else {
            return Err(StoreError::corrupt(
                "projections",
                "name",
                "a projection of this build is not there",
            ));
        };
        let as_of = self.lag.seen_from_the_primary(state::read_as_of(first, &[0, 1, 2, 3, 4])?);
        if !is_there(first)? {
            return Ok(Statistics { as_of, counts: Vec::new(), groups: 0, cut: false });
        }
        let groups: i64 = first.try_get(AS_OF_COLUMNS + 7)?;
        let dimensions = request.group_by.len();
        let counts = rows.iter().map(|row| count(row, dimensions)).collect::<Result<_, _>>()?;
        Ok(Statistics { as_of, counts, groups: groups.unsigned_abs(), cut })
    }
}

fn rows(scope: &Scope, request: &StatisticsRequest) -> Rows {
    let mut statement = Statement::default();
    let all = conditions(&mut statement, scope, &request.filter);
    let top = statement.bind(i64::from(request.top));
    let column = |nth: usize| request.group_by.get(nth).map_or("''::text", |dimension| dimension.column());
    let grain = request.grain();
    let start = match request.interval {
        None => "null::timestamptz".to_owned(),
        Some(interval) if interval == grain => "e.bucket".to_owned(),
        Some(interval) => format!("date_trunc('{}', e.bucket, 'UTC')", interval.as_str()),
    };
    statement.push(&format!(
        include_str!("../../../sql/statistics.sql.in"),
        first = column(0),
        second = column(1),
        start = start,
        grain = if grain == Interval::Day { "days" } else { "hours" },
        conditions = all.to_sql(),
        top = top,
    ));
    Rows { projection: Projection::Statistics, statement, order: "r.rank, r.start" }
}

fn conditions(statement: &mut Statement, scope: &Scope, filter: &StatisticsFilter) -> Conditions {
    let mut all = Conditions::default();
    if let Some(own) = scope.organization() {
        one_of(statement, &mut all, "organization_id", &[own.to_owned()]);
    }
    between(statement, &mut all, "bucket", filter.from, filter.to);
    patterns(statement, &mut all, "event_type", &filter.event_type);
    patterns(statement, &mut all, "aggregate_type", &filter.aggregate_type);
    if filter.without_accesses {
        all.add(format!("e.aggregate_type <> '{ACCESS_TYPE}'"));
    }
    if !filter.user_id.is_empty() {
        // The index is partial, and a generic plan cannot see that a parameter is not ''.
        all.add("e.user_id <> ''".to_owned());
    }
    for (column, values) in [
        ("user_id", &filter.user_id),
        ("organization_id", &filter.organization_id),
        ("source", &filter.source),
        ("action", &filter.action),
        ("outcome", &filter.outcome),
    ] {
        one_of(statement, &mut all, column, values);
    }
    all
}

fn count(row: &Row, dimensions: usize) -> Result<StatisticsCount, StoreError> {
    let at = |column: usize| AS_OF_COLUMNS + column;
    let part: &str = row.try_get(at(0))?;
    let names: [String; 2] = [row.try_get(at(2))?, row.try_get(at(3))?];
    let start: Option<Micros> = row.try_get(at(4))?;
    let (events, failures): (i64, i64) = (row.try_get(at(5))?, row.try_get(at(6))?);
    Ok(StatisticsCount {
        group: (part == "group").then(|| names.into_iter().take(dimensions).collect()),
        start: start.map(|Micros(start)| start),
        events: events.unsigned_abs(),
        failures: failures.unsigned_abs(),
    })
}
