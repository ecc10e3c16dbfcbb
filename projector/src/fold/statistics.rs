//! Events counted by what they are, by hour and by day.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use shared::{
    time_bucket::Interval,
    timestamp::Timestamp,
    vocabulary::{self, Outcome},
};
use store::projections::{SeriesChange, SeriesCount, StatisticsChange};
use uuid::{Builder, Uuid};

use super::{SEPARATOR, Seen, joined, parts};

/// Events by where their hour or day starts.
type ByTime = BTreeMap<Timestamp, i64>;

/// The events of the batch by their names, the user's last, and by hour. Both grains follow from it.
#[derive(Debug, Default)]
pub(super) struct Statistics(BTreeMap<String, ByTime>);

impl Statistics {
    /// Takes one event in; the buffer is used again.
    pub(super) fn add(&mut self, Seen { facts, source, action, .. }: &Seen<'_>, buffer: &mut String) {
        let outcome = vocabulary::outcome(facts).map_or("", Outcome::as_str);
        let (own, kind) = (facts.organization_id, facts.aggregate_type);
        let names = [own, kind, facts.event_type, source, action, outcome, facts.user_id];
        let (key, hour) = (joined(buffer, &names), Interval::Hour.start(facts.timestamp));
        if let Some(hours) = self.0.get_mut(key) {
            *hours.entry(hour).or_default() += 1;
        } else {
            self.0.insert(key.to_owned(), BTreeMap::from([(hour, 1)]));
        }
    }

    /// What the batch adds: hours over all users, days of each.
    pub(super) fn finish(&self) -> StatisticsChange {
        let (mut hours, mut days) = (BTreeMap::<&str, ByTime>::new(), BTreeMap::<&str, ByTime>::new());
        for (names, by_hour) in &self.0 {
            let (all, each) = (hours.entry(without_user(names)).or_default(), days.entry(names).or_default());
            for (hour, events) in by_hour {
                *all.entry(*hour).or_default() += events;
                *each.entry(Interval::Day.start(*hour)).or_default() += events;
            }
        }
        let names: BTreeSet<&str> = hours.keys().chain(days.keys()).copied().collect();
        StatisticsChange {
            series: names.into_iter().map(series).collect(),
            hours: counts(&hours),
            days: counts(&days),
        }
    }
}

/// The same names with no user: the key of events that have none.
fn without_user(names: &str) -> &str {
    names.rfind(SEPARATOR).map_or(names, |end| &names[..=end])
}

/// The first bytes of a SHA-256: the same in every rebuild, and nobody can choose names that meet.
fn id(names: &str) -> Uuid {
    let digest = Sha256::digest(names);
    Builder::from_custom_bytes(std::array::from_fn(|byte| digest[byte])).into_uuid()
}

fn series(names: &str) -> SeriesChange {
    let [organization_id, aggregate_type, event_type, source, action, outcome, user_id] = parts(names);
    let id = id(names);
    SeriesChange { id, organization_id, aggregate_type, event_type, source, action, outcome, user_id }
}

fn counts(counted: &BTreeMap<&str, ByTime>) -> Vec<SeriesCount> {
    let of_one = |(names, by_time): (&&str, &ByTime)| {
        let series = id(names);
        let count =
            move |(start, events): (&Timestamp, &i64)| SeriesCount { series, start: *start, events: *events };
        by_time.iter().map(count).collect::<Vec<_>>()
    };
    counted.iter().flat_map(of_one).collect()
}
