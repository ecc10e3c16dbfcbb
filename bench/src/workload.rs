//! `audit-zipf-v1`: the events that every measurement is made with.
//!
//! Record `number` of a workload is a pure function of the workload's parameters and a fixed seed: whoever wants to know
//! what is stored asks here, and nothing has to be kept beside the topic. Shapes as research/performance.md, section 8,
//! asks for them.

mod chance;
mod event;
mod payload;
mod plan;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use shared::avro::encode_canonical;
use shared::timestamp::Timestamp;

pub(crate) use plan::Kind;
use plan::Plan;

/// The generator's version: part of every topic's name, so that a topic never holds what an older generator made, or
/// made in another form (4: LZ4).
const GENERATION: u32 = 4;

/// How the names of all kept topics begin.
const FAMILY: &str = "audit-zipf-v1.";

/// The first moment after the events: 2026-01-01T00:00:00Z, in microseconds since 1970.
const END_MICROS: i64 = 1_767_225_600_000_000;

/// What an event id is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ids {
    /// The event's time, then chance: neighbours in time are neighbours in an index.
    V7,
    /// Chance alone.
    V4,
}

impl Ids {
    /// `v7` or `v4`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V7 => "v7",
            Self::V4 => "v4",
        }
    }
}

/// What is wrong with some of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Faults {
    /// 1 % duplicates, 0.1 % late, 0.1 % invalid.
    Standard,
    /// Nothing: every record is a fresh, valid event in time order.
    None,
}

/// A record for Kafka: the key, and the Avro datum of the canonical envelope without framing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The aggregate id, by which Kafka picks the partition.
    pub(crate) key: Bytes,
    /// The datum; `shared::avro::frame` puts the schema's id before it.
    pub(crate) value: Bytes,
}

/// What becomes of a workload's records, known from its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Rows of `audit.events`.
    pub(crate) stored: u64,
    /// Records that repeat a stored event.
    pub(crate) duplicates: u64,
    /// Records that the door refuses.
    pub(crate) dead_lettered: u64,
}

/// The parameters of a workload, and its records.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    /// Records in the topic, duplicates and invalid ones among them.
    pub(crate) events: u64,
    /// The kind of event ids.
    pub(crate) ids: Ids,
    /// The months, ending with December 2025, over which the events' times are spread evenly.
    pub(crate) months: u32,
    /// What is wrong with some records.
    pub(crate) faults: Faults,
    /// Who does what in which order, made when it is first asked for: 8 bytes a record.
    plan: OnceLock<Arc<Plan>>,
}

impl Workload {
    /// So many records over twelve months, with the standard faults.
    pub(crate) fn new(events: u64, ids: Ids) -> Self {
        Self { events, ids, months: 12, faults: Faults::Standard, plan: OnceLock::new() }
    }

    /// The same over so many months.
    pub(crate) fn over_months(self, months: u32) -> Self {
        Self { months, plan: OnceLock::new(), ..self }
    }

    /// The same with these faults.
    pub(crate) fn with_faults(self, faults: Faults) -> Self {
        Self { faults, plan: OnceLock::new(), ..self }
    }

    /// A topic's name that says everything that its records depend on.
    pub(crate) fn topic(&self) -> String {
        let faults = match self.faults {
            Faults::Standard => "faults",
            Faults::None => "clean",
        };
        let current = Self::topics_of_this_generation();
        format!("{current}{}.{}.{}m.{faults}", self.events, self.ids.name(), self.months)
    }

    /// Whether a topic was made by another version of the generator: nobody will ask for it again.
    pub(crate) fn is_outdated(topic: &str) -> bool {
        topic.starts_with(FAMILY) && !topic.starts_with(&Self::topics_of_this_generation())
    }

    fn topics_of_this_generation() -> String {
        format!("{FAMILY}g{GENERATION}.")
    }

    /// What will have become of all records in the end.
    pub(crate) fn expected(&self) -> Expected {
        let mut expected = Expected { stored: 0, duplicates: 0, dead_lettered: 0 };
        for number in 0..self.events {
            match self.kind(number) {
                Kind::Fresh | Kind::Late => expected.stored += 1,
                Kind::Duplicate { .. } => expected.duplicates += 1,
                Kind::Invalid => expected.dead_lettered += 1,
            }
        }
        expected
    }

    /// What record `number` is.
    pub(crate) fn kind(&self, number: u64) -> Kind {
        plan::kind(self.faults, number)
    }

    /// Record `number`, below `events`; a duplicate is the same bytes as the record that it repeats.
    pub(crate) fn record(&self, number: u64) -> Record {
        let number = match self.kind(number) {
            Kind::Duplicate { of } => of,
            _ => number,
        };
        let envelope = self.envelope(number);
        let key = Bytes::from(envelope.aggregate_id.clone());
        Record { key, value: encode_canonical(&envelope).into() }
    }

    fn start_micros(&self) -> i64 {
        let month = 2026 * 12 - i64::from(self.months.clamp(1, 12 * 100));
        let (year, month) = (month / 12, month % 12 + 1);
        Timestamp::parse(&format!("{year:04}-{month:02}-01T00:00:00Z"))
            .expect("the first of a month is a time")
            .as_micros()
    }

    fn plan(&self) -> &Plan {
        self.plan.get_or_init(|| Arc::new(Plan::new(self.events, self.faults)))
    }
}
