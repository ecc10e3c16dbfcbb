//! The pure part: events in, changes out. Nothing depends on how the events are cut into batches, nor on their order
//! within one, so that a rebuild gives what was there.

mod versions;

use std::collections::BTreeMap;

use shared::timestamp::Timestamp;
use store::projections::{AggregateChange, Changes, EventTypeChange};

use versions::Versions;

/// An event, as far as projections look at it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its organisation; `""` = none.
    pub organization_id: &'a str,
    /// The kind of its aggregate.
    pub aggregate_type: &'a str,
    /// Its aggregate.
    pub aggregate_id: &'a str,
    /// What happened.
    pub event_type: &'a str,
    /// The producer's count; 0 = unversioned.
    pub version: i32,
    /// When it happened.
    pub timestamp: Timestamp,
}

/// How many events a key has, and when.
#[derive(Debug, Clone, Copy)]
struct Tally {
    events: i64,
    first: Timestamp,
    last: Timestamp,
}

impl Tally {
    fn of(time: Timestamp) -> Self {
        Self { events: 1, first: time, last: time }
    }

    fn add(&mut self, time: Timestamp) {
        self.events += 1;
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }
}

/// A batch being folded.
#[derive(Debug, Default)]
pub struct Fold {
    /// By organisation, type and id joined by U+0000, which no stored text holds: the order of the tuple.
    aggregates: BTreeMap<String, (Tally, Versions)>,
    /// By type and organisation.
    event_types: BTreeMap<String, Tally>,
    key: String,
}

impl Fold {
    /// Takes one event in.
    pub fn add(&mut self, seen: &Seen<'_>) {
        let key = joined(&mut self.key, &[seen.organization_id, seen.aggregate_type, seen.aggregate_id]);
        match self.aggregates.get_mut(key) {
            Some((tally, versions)) => {
                tally.add(seen.timestamp);
                versions.add(seen.version);
            }
            None => {
                let mut versions = Versions::default();
                versions.add(seen.version);
                self.aggregates.insert(key.to_owned(), (Tally::of(seen.timestamp), versions));
            }
        }
        let key = joined(&mut self.key, &[seen.event_type, seen.organization_id]);
        match self.event_types.get_mut(key) {
            Some(tally) => tally.add(seen.timestamp),
            None => drop(self.event_types.insert(key.to_owned(), Tally::of(seen.timestamp))),
        }
    }

    /// What the batch changes, in the order of the keys: neighbours in the table are neighbours here.
    pub fn finish(self) -> Changes {
        let aggregates = self.aggregates.into_iter().map(|(key, (tally, versions))| {
            let [organization_id, aggregate_type, aggregate_id] = parts(&key);
            let (versions, double_versions) = versions.finish();
            let Tally { events, first, last } = tally;
            AggregateChange {
                organization_id,
                aggregate_type,
                aggregate_id,
                events,
                first,
                last,
                versions,
                double_versions,
            }
        });
        let event_types = self.event_types.into_iter().map(|(key, Tally { events, first, last })| {
            let [event_type, organization_id] = parts(&key);
            EventTypeChange { event_type, organization_id, events, first, last }
        });
        Changes { aggregates: aggregates.collect(), event_types: event_types.collect() }
    }
}

const SEPARATOR: char = '\0';

/// The parts as one key, in a buffer that is used again.
fn joined<'b>(buffer: &'b mut String, parts: &[&str]) -> &'b str {
    buffer.clear();
    for (nth, part) in parts.iter().enumerate() {
        if nth > 0 {
            buffer.push(SEPARATOR);
        }
        buffer.push_str(part);
    }
    buffer
}

fn parts<const N: usize>(key: &str) -> [String; N] {
    let mut parts = key.split(SEPARATOR);
    std::array::from_fn(|_| parts.next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests;
