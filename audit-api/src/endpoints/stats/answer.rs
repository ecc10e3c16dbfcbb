//! Counts as groups, each with every bucket of the range, the empty ones too.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use shared::{csv::push_record, time_bucket::Interval, timestamp::Timestamp};
use store::{
    projections::AsOf,
    reader::{Statistics, StatisticsCount},
};

use super::question::{MOST_COUNTS, Question, name, too_many};
use crate::respond::{Problem, page::as_of_json};

/// So many events, and how many of them failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    events: u64,
    failures: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.failures += other.failures;
    }

    /// The share of failures; of nothing there is none.
    #[expect(clippy::cast_precision_loss, reason = "a share: counts beyond 2^53 do not occur")]
    fn failure_rate(self) -> Option<f64> {
        (self.events > 0).then(|| self.failures as f64 / self.events as f64)
    }

    fn members(self) -> Map<String, Value> {
        let members = [
            ("eventCount", self.events.into()),
            ("failureCount", self.failures.into()),
            ("failureRate", self.failure_rate().into()),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// One group.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// One for each of `groupBy`; `None` = all that are not told apart.
    names: Option<Vec<String>>,
    all: Tally,
    by_start: BTreeMap<Timestamp, Tally>,
}

/// The whole answer.
pub(super) struct Answer {
    /// Those that are told apart, the one with the most events first, then the rest of them together.
    pub(super) groups: Vec<Group>,
    buckets: Vec<Timestamp>,
    total: Tally,
    group_count: u64,
    as_of: AsOf,
}

impl Answer {
    /// Puts the counts together.
    pub(super) fn of(question: &Question, found: Statistics) -> Result<Self, Problem> {
        if found.cut {
            return Err(too_many());
        }
        let (mut groups, mut total) = (Vec::<Group>::new(), Tally::default());
        for StatisticsCount { group, start, events, failures } in found.counts {
            let tally = Tally { events, failures };
            total.add(tally);
            if groups.last().is_none_or(|last| last.names != group) {
                groups.push(Group { names: group, ..Group::default() });
            }
            if let Some(last) = groups.last_mut() {
                last.all.add(tally);
                last.by_start.extend(start.map(|start| (start, tally)));
            }
        }
        if groups.is_empty() && question.request.group_by.is_empty() {
            groups.push(Group { names: Some(Vec::new()), ..Group::default() });
        }
        let buckets = buckets(question, &groups)?;
        if buckets.len() * groups.len() > MOST_COUNTS {
            return Err(too_many());
        }
        Ok(Self { groups, buckets, total, group_count: found.groups, as_of: found.as_of })
    }

    /// As JSON.
    pub(super) fn to_json(&self, question: &Question) -> Value {
        let (apart, rest): (Vec<_>, Vec<_>) = self.groups.iter().partition(|group| group.names.is_some());
        let group_by: Vec<_> = question.request.group_by.iter().map(|dimension| name(*dimension)).collect();
        let data: Vec<Value> = apart
            .into_iter()
            .map(|group| {
                let names = group_by.iter().zip(group.names.iter().flatten());
                let names: Map<String, Value> =
                    names.map(|(dimension, name)| ((*dimension).to_owned(), name.as_str().into())).collect();
                let mut item = self.group_json(group);
                item.insert("group".to_owned(), names.into());
                Value::Object(item)
            })
            .collect();
        let mut answer = json!({
            "data": data,
            "groupBy": group_by,
            "interval": question.request.interval.map(Interval::as_str),
            "total": self.total.members(),
            "groupCount": self.group_count,
            "truncated": !rest.is_empty(),
            "asOf": as_of_json(&self.as_of),
        });
        if let Some(rest) = rest.first() {
            answer["rest"] = self.group_json(rest).into();
        }
        answer
    }

    fn group_json(&self, group: &Group) -> Map<String, Value> {
        let mut item = group.all.members();
        if !self.buckets.is_empty() {
            let bucket = |start: &Timestamp| {
                let tally = group.by_start.get(start).copied().unwrap_or_default();
                let mut bucket = tally.members();
                bucket.insert("start".to_owned(), start.to_string().into());
                Value::Object(bucket)
            };
            item.insert("buckets".to_owned(), self.buckets.iter().map(bucket).collect());
        }
        item
    }

    /// As CSV: a record for each group, and for each bucket of it where an interval was asked for.
    pub(super) fn to_csv(&self, question: &Question) -> Vec<u8> {
        let mut out = Vec::new();
        let group_by: Vec<&str> =
            question.request.group_by.iter().map(|dimension| name(*dimension)).collect();
        let by_time = question.request.interval.is_some();
        let start = by_time.then_some("start");
        let counts = ["eventCount", "failureCount", "failureRate"];
        let header = ["part"].into_iter().chain(group_by.iter().copied()).chain(start).chain(counts);
        push_record(&mut out, header, question.guard);
        for group in &self.groups {
            let tallies: Vec<(Option<Timestamp>, Tally)> = if by_time {
                let tally = |start: &Timestamp| group.by_start.get(start).copied().unwrap_or_default();
                self.buckets.iter().map(|start| (Some(*start), tally(start))).collect()
            } else {
                vec![(None, group.all)]
            };
            for (start, tally) in tallies {
                let part = if group.names.is_some() { "group" } else { "rest" };
                let mut cells = vec![part.to_owned()];
                cells.extend(group.names.clone().unwrap_or_else(|| vec![String::new(); group_by.len()]));
                cells.extend(start.map(|start| start.to_string()));
                cells.extend([tally.events.to_string(), tally.failures.to_string()]);
                cells.push(tally.failure_rate().map(|rate| rate.to_string()).unwrap_or_default());
                push_record(&mut out, cells.iter().map(String::as_str), question.guard);
            }
        }
        out
    }
}

/// Every bucket of the range that was asked for; where it has no bound, up to the first and the last that hold anything.
fn buckets(question: &Question, groups: &[Group]) -> Result<Vec<Timestamp>, Problem> {
    let starts = || groups.iter().flat_map(|group| group.by_start.keys().copied());
    let (Some(interval), filter) = (question.request.interval, &question.request.filter) else {
        return Ok(Vec::new());
    };
    let from = filter.from.or_else(|| starts().min());
    let to = filter.to.or_else(|| starts().max().map(|last| interval.next(last)));
    match (from, to) {
        (Some(from), Some(to)) => question.buckets(from, to),
        _ => Ok(Vec::new()),
    }
}
