//! `audit-zipf-v1`: the events that every measurement is made with.
//!
//! Record `number` of a workload is a pure function of the workload's parameters and a fixed seed: whoever wants to know
//! what is stored asks here, and nothing has to be kept beside the topic. Shapes as research/performance.md, section 8,
//! asks for them.

mod chance;
mod payload;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use shared::avro::encode_canonical;
use shared::envelope::Envelope;
use shared::timestamp::Timestamp;
use uuid::{Builder, Uuid};

use chance::Chance;
pub(crate) use plan::Kind;
use plan::Plan;

/// The generator's version: part of every topic's name, so that a topic never holds what an older generator made.
const GENERATION: u32 = 3;

/// How the names of all kept topics begin.
const FAMILY: &str = "audit-zipf-v1.";

/// The first moment after the events: 2026-01-01T00:00:00Z, in microseconds since 1970.
const END_MICROS: i64 = 1_767_225_600_000_000;

/// How many records apart the events of one correlation are at most.
const CORRELATION_BLOCK: u64 = 256;
/// Events of one correlation.
const CORRELATED: u64 = 4;

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

    /// The envelope of record `number`, which is no duplicate.
    pub(crate) fn envelope(&self, number: u64) -> Envelope {
        let (aggregate, version) = self.plan().of(number);
        let actor = Actor::of(number, aggregate);
        let mut chance = Chance::of(number, "payload");
        let mut envelope = Envelope {
            event_id: self.event_id(number).to_string(),
            event_type: payload::event_type(aggregate, &mut chance),
            aggregate_type: payload::aggregate_type(aggregate).to_owned(),
            aggregate_id: aggregate_id(aggregate),
            timestamp: Timestamp::from_micros(self.micros(number)),
            version: version.into(),
            payload: payload::text(number, aggregate, &mut chance),
            metadata: self.metadata(number, aggregate, actor),
        };
        if self.kind(number) == Kind::Invalid {
            spoil(&mut envelope, number);
        }
        envelope
    }

    /// When event `number` happened, in microseconds since 1970: even steps, up to two seconds of disorder, late ones
    /// thirty days back.
    pub(crate) fn micros(&self, number: u64) -> i64 {
        const DISORDER: u64 = 2_000_000;
        const LATE: i64 = 30 * 24 * 3600 * 1_000_000;
        let start = self.start_micros();
        let span = u128::from((END_MICROS - start).unsigned_abs());
        let step = span * u128::from(number) / u128::from(self.events.max(1));
        let disorder = Chance::of(number, "time").below(DISORDER);
        let passed = i64::try_from(step).unwrap_or(i64::MAX).saturating_add_unsigned(disorder);
        let micros = start.saturating_add(passed).min(END_MICROS - 1);
        if self.kind(number) == Kind::Late { micros - LATE } else { micros }
    }

    /// The id of event `number`.
    pub(crate) fn event_id(&self, number: u64) -> Uuid {
        let mut chance = Chance::of(number, "id");
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&chance.next().to_be_bytes());
        bytes[8..].copy_from_slice(&chance.next().to_be_bytes());
        match self.ids {
            Ids::V4 => Builder::from_random_bytes(bytes).into_uuid(),
            Ids::V7 => {
                let millis = (self.micros(number) / 1000).unsigned_abs();
                let (_, random) = bytes.split_last_chunk::<10>().expect("sixteen bytes");
                Builder::from_unix_timestamp_millis(millis, random).into_uuid()
            }
        }
    }

    /// The correlation id of event `number`: four events each, at most 256 records apart.
    pub(crate) fn correlation(number: u64) -> Uuid {
        let group = number / CORRELATION_BLOCK * CORRELATION_BLOCK + seat(number) / CORRELATED;
        let mut chance = Chance::of(group, "correlation");
        Uuid::from_u64_pair(chance.next(), chance.next())
    }

    /// The event that caused event `number`: the first of its correlation, in half of all records.
    fn causation(&self, number: u64) -> Option<Uuid> {
        let block = number - number % CORRELATION_BLOCK;
        let first_seat = seat(number) / CORRELATED * CORRELATED;
        let members = (first_seat..first_seat + CORRELATED).map(|seat| block + number_of(seat));
        let first = members.min().filter(|first| *first < number)?;
        // Three of four have one before them: two of three of those name it.
        (Chance::of(number, "causation").below(3) > 0).then(|| self.event_id(first))
    }

    fn metadata(&self, number: u64, aggregate: u32, actor: Actor) -> BTreeMap<String, String> {
        let mut metadata = BTreeMap::new();
        let mut put = |key: &str, value: String| metadata.insert(key.to_owned(), value);
        put("correlationId", Self::correlation(number).to_string());
        put("organizationId", actor.organization);
        put("source", format!("{}-service", payload::aggregate_type(aggregate)));
        if let Some(user) = actor.user {
            put("userId", user);
        }
        if let Some(cause) = self.causation(number) {
            put("causationId", cause.to_string());
        }
        metadata
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

/// Who did it, and for which organisation.
struct Actor {
    organization: String,
    user: Option<String>,
}

impl Actor {
    const ORGANIZATIONS: u32 = 50;
    const USERS: u64 = 50_000;

    /// An aggregate belongs to one organisation for ever; one event in five has no user.
    fn of(number: u64, aggregate: u32) -> Self {
        let mut chance = Chance::of(number, "user");
        let user = (chance.below(5) > 0).then(|| format!("u-{:05}", chance.below(Self::USERS)));
        // Divided by the number of types first: otherwise an organisation would have every other type only.
        let organization = aggregate / payload::AGGREGATE_TYPES % Self::ORGANIZATIONS;
        Self { organization: format!("org-{organization:02}"), user }
    }
}

/// The aggregate's id: its type and its number.
pub(crate) fn aggregate_id(aggregate: u32) -> String {
    format!("{}-{aggregate:07}", payload::aggregate_type(aggregate))
}

/// A bijection within a block of records that takes neighbours apart, so that correlations overlap in time.
fn seat(number: u64) -> u64 {
    (number % CORRELATION_BLOCK * 77 + 11) % CORRELATION_BLOCK
}

/// Its inverse: 77 × 133 = 1 modulo 256.
fn number_of(seat: u64) -> u64 {
    (seat + CORRELATION_BLOCK - 11) * 133 % CORRELATION_BLOCK
}

/// Breaks one rule of the door; by turns the payload, the id, a name, the version.
fn spoil(envelope: &mut Envelope, number: u64) {
    match Chance::of(number, "spoil").below(4) {
        0 => {
            envelope.payload.pop();
        }
        1 => envelope.event_id = format!("{number}-is-no-uuid"),
        2 => envelope.event_type.clear(),
        _ => envelope.version = -1,
    }
}
