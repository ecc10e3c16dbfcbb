//! The pure part: events in, changes out. Nothing depends on how the events are cut into batches, nor on their order
//! within one, so that a rebuild gives what was there.

mod accesses;
mod statistics;
mod versions;

use std::collections::BTreeMap;

use shared::{
    position::Position,
    timestamp::Timestamp,
    vocabulary::{self, Facts},
};
use store::projections::{
    AccessChange, AggregateChange, Changes, DataAccessChange, EventTypeChange, RecordedPlace,
    ResolutionChange, SecurityChange,
};
use uuid::Uuid;

use statistics::Statistics;
use versions::Versions;

/// An event, as far as projections look at it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What it says.
    pub facts: Facts<'a>,
    /// `metadata.source`; `""` = none.
    pub source: &'a str,
    /// `metadata.action`; `""` = none.
    pub action: &'a str,
    /// The producer's count; 0 = unversioned.
    pub version: i32,
    /// Where it stands in its log.
    pub position: Position,
    /// Where it was recorded.
    pub place: RecordedPlace,
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
    security_events: Vec<SecurityChange>,
    /// By security event and organisation: the last in recorded order.
    resolutions: BTreeMap<(Uuid, String), ResolutionChange>,
    data_accesses: Vec<DataAccessChange>,
    accesses: Vec<AccessChange>,
    statistics: Statistics,
    /// Bytes of payloads that were kept in part.
    weight: usize,
    key: String,
}

impl Fold {
    /// Takes one event in.
    pub fn add(&mut self, seen: &Seen<'_>) {
        self.count(seen);
        self.statistics.add(seen, &mut self.key);
        self.look_for_security(seen);
        if let Some(access) = vocabulary::data_access(&seen.facts) {
            self.weight += seen.facts.payload.len();
            self.data_accesses.push(DataAccessChange { access, position: seen.position });
        }
        let accesses = accesses::rows(seen);
        self.weight += accesses.len() * seen.facts.payload.len();
        self.accesses.extend(accesses);
    }

    /// About how many bytes of producers' texts it holds.
    pub fn weight(&self) -> usize {
        self.weight
    }

    fn count(&mut self, Seen { facts, version, .. }: &Seen<'_>) {
        let key = joined(&mut self.key, &[facts.organization_id, facts.aggregate_type, facts.aggregate_id]);
        if let Some((tally, versions)) = self.aggregates.get_mut(key) {
            tally.add(facts.timestamp);
            versions.add(*version);
        } else {
            let mut versions = Versions::default();
            versions.add(*version);
            self.aggregates.insert(key.to_owned(), (Tally::of(facts.timestamp), versions));
        }
        let key = joined(&mut self.key, &[facts.event_type, facts.organization_id]);
        match self.event_types.get_mut(key) {
            Some(tally) => tally.add(facts.timestamp),
            None => drop(self.event_types.insert(key.to_owned(), Tally::of(facts.timestamp))),
        }
    }

    fn look_for_security(&mut self, seen: &Seen<'_>) {
        if let Some(event) = vocabulary::security_event(&seen.facts) {
            self.weight += seen.facts.payload.len();
            self.security_events.push(SecurityChange { event, position: seen.position });
        }
        if let Some(resolution) = vocabulary::security_resolution(&seen.facts) {
            self.weight += seen.facts.payload.len();
            let key = (resolution.security_event_id, resolution.organization_id.clone());
            let change = ResolutionChange { resolution, place: seen.place };
            match self.resolutions.get(&key) {
                Some(other) if other.place > change.place => {}
                _ => drop(self.resolutions.insert(key, change)),
            }
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
        Changes {
            aggregates: aggregates.collect(),
            event_types: event_types.collect(),
            security_events: self.security_events,
            resolutions: self.resolutions.into_values().collect(),
            data_accesses: self.data_accesses,
            accesses: self.accesses,
            statistics: self.statistics.finish(),
        }
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
