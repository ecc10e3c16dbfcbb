//! One event of the workload: who, what, when, and in which correlation.

use std::collections::BTreeMap;

use shared::envelope::Envelope;
use shared::timestamp::Timestamp;
use uuid::{Builder, Uuid};

use super::chance::Chance;
use super::{END_MICROS, Ids, Kind, Workload, payload};

/// How many records apart the events of one correlation are at most.
pub(super) const CORRELATION_BLOCK: u64 = 256;
/// Events of one correlation.
const CORRELATED: u64 = 4;

impl Workload {
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
    pub(super) fn causation(&self, number: u64) -> Option<Uuid> {
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
pub(super) fn seat(number: u64) -> u64 {
    (number % CORRELATION_BLOCK * 77 + 11) % CORRELATION_BLOCK
}

/// Its inverse: 77 × 133 = 1 modulo 256.
pub(super) fn number_of(seat: u64) -> u64 {
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
