//! What a caller asks to be counted, and what would cost too much.

use shared::{
    csv::FormulaGuard,
    filter::{Pattern, leaves_accesses_out},
    scope::Scope,
    time_bucket::Interval,
    timestamp::Timestamp,
    vocabulary::Outcome,
};
use store::reader::{Dimension, StatisticsFilter, StatisticsRequest};

use crate::{
    request::{Media, Parameters, filter, guard},
    respond::Problem,
};

/// Counts in one answer: about two megabytes of JSON.
pub(super) const MOST_COUNTS: usize = 20_000;
/// Groups that are told apart when nothing is said, and at most.
const DEFAULT_TOP: u32 = 100;
const LARGEST_TOP: u32 = 1000;
/// Dimensions of one question.
const MOST_DIMENSIONS: usize = 2;

/// The name of a dimension in parameters and answers.
pub(super) fn name(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::EventType => "eventType",
        Dimension::AggregateType => "aggregateType",
        Dimension::UserId => "userId",
        Dimension::OrganizationId => "organizationId",
        Dimension::Source => "source",
        Dimension::Action => "action",
        Dimension::Outcome => "outcome",
    }
}

/// What a caller wants to know.
pub(super) struct Question {
    pub(super) request: StatisticsRequest,
    /// For cells of CSV.
    pub(super) guard: FormulaGuard,
}

impl Question {
    /// Takes it out of the parameters.
    pub(super) fn read(parameters: &mut Parameters, media: Media) -> Result<Self, Problem> {
        let (from, to) = parameters.range("from", "to")?;
        let intervals = Interval::ALL.map(|interval| (interval.as_str(), interval));
        let interval = parameters.word("interval", &intervals)?;
        let group_by = dimensions(parameters)?;
        let top = parameters.number("top", 1, LARGEST_TOP)?.unwrap_or(DEFAULT_TOP);
        let event_type = filter::patterns(parameters, "eventType")?;
        let aggregate_type = filter::patterns(parameters, "aggregateType")?;
        let filter = StatisticsFilter {
            from,
            to,
            without_accesses: leaves_accesses_out(&event_type, &aggregate_type),
            event_type,
            aggregate_type,
            user_id: parameters.many("userId")?,
            organization_id: parameters.many_or_empty("organizationId"),
            source: parameters.many("source")?,
            action: parameters.many("action")?,
            outcome: outcomes(parameters)?,
        };
        let raw = parameters.word("raw", &[("true", FormulaGuard::Off), ("false", FormulaGuard::On)])?;
        if raw.is_some() && media != Media::Csv {
            return Err(Problem::parameter("raw", "is for `Accept: text/csv` alone: leave it out"));
        }
        let request = StatisticsRequest { filter, group_by, interval, top, most_counts: MOST_COUNTS };
        Ok(Self { request, guard: raw.unwrap_or_default() })
    }

    /// Refuses what is not the caller's to ask, what is counted in no such grain, and what would be too much.
    pub(super) fn check(&self, scope: &Scope) -> Result<(), Problem> {
        let StatisticsRequest { filter, interval, .. } = &self.request;
        filter::within(scope, &filter.organization_id)?;
        let grain = self.request.grain();
        if grain == Interval::Day && *interval == Some(Interval::Hour) {
            return Err(Problem::query_too_broad(
                "users are counted by day: give interval=day, week or month, or look at their events (/v1/events?userId=…)",
            ));
        }
        for (name, time) in [("from", filter.from), ("to", filter.to)] {
            if time.is_some_and(|time| grain.start(time) != time) {
                let remedy = match grain {
                    Interval::Day => {
                        "is not midnight in UTC, and users are counted by day: give one such as 2025-11-20T00:00:00Z"
                    }
                    _ => {
                        "is not a whole hour in UTC, by which events are counted: give one such as 2025-11-20T14:00:00Z"
                    }
                };
                return Err(Problem::parameter(name, remedy));
            }
        }
        let glob = |patterns: &[Pattern]| patterns.iter().any(|pattern| matches!(pattern, Pattern::Glob(_)));
        if (glob(&filter.event_type) || glob(&filter.aggregate_type))
            && !guard::is_short(filter.from, filter.to)
        {
            return Err(Problem::query_too_broad(
                "a type uses * elsewhere than at the end: give from and to, at most 31 days apart",
            ));
        }
        if let (Some(from), Some(to)) = (filter.from, filter.to) {
            self.buckets(from, to)?;
        }
        Ok(())
    }

    /// Where each bucket of the range starts; none without an interval.
    pub(super) fn buckets(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Timestamp>, Problem> {
        let Some(interval) = self.request.interval else { return Ok(Vec::new()) };
        let starts = std::iter::successors(Some(interval.start(from)), |start| Some(interval.next(*start)));
        let buckets: Vec<Timestamp> = starts.take_while(|start| *start < to).take(MOST_COUNTS + 1).collect();
        if buckets.len() > MOST_COUNTS { Err(too_many()) } else { Ok(buckets) }
    }
}

/// The answer would be larger than answers are.
pub(super) fn too_many() -> Problem {
    Problem::query_too_broad(format!(
        "these are more than {MOST_COUNTS} counts: give a smaller top, a longer interval, or from and to closer to each other"
    ))
}

fn dimensions(parameters: &mut Parameters) -> Result<Vec<Dimension>, Problem> {
    let mut dimensions = Vec::new();
    for word in parameters.many("groupBy")? {
        let Some(dimension) = Dimension::ALL.into_iter().find(|dimension| name(*dimension) == word) else {
            let known = Dimension::ALL.map(name).join(", ");
            return Err(Problem::parameter("groupBy", &format!("is not one of: {known}")));
        };
        if dimensions.contains(&dimension) {
            return Err(Problem::parameter("groupBy", &format!("has {word} twice: give it once")));
        }
        dimensions.push(dimension);
    }
    if dimensions.len() > MOST_DIMENSIONS {
        return Err(Problem::parameter("groupBy", "is given more than twice: ask in several requests"));
    }
    Ok(dimensions)
}

fn outcomes(parameters: &mut Parameters) -> Result<Vec<String>, Problem> {
    let words = parameters.many_or_empty("outcome");
    let known = |word: &String| {
        word.is_empty() || [Outcome::Success, Outcome::Failure].iter().any(|outcome| outcome.as_str() == word)
    };
    if words.iter().all(known) {
        Ok(words)
    } else {
        Err(Problem::parameter("outcome", "is not one of: success, failure, or empty for neither"))
    }
}
