//! Which record is about which aggregate, and the how-manieth of it: the one thing that depends on the records before.

use super::Faults;
use super::chance::Chance;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A new event, in time order.
    Fresh,
    /// A new event that happened thirty days before its neighbours.
    Late,
    /// The same bytes as an earlier record that is stored.
    Duplicate {
        /// The number of that record.
        of: u64,
    },
    /// A record that breaks a rule.
    Invalid,
}

/// How many records back a duplicate looks at most.
const FARTHEST_DUPLICATE: u64 = 60_000;
/// From here on records may be late, repeated or broken.
const FIRST_FAULT: u64 = 1000;

/// What record `number` is, without looking at any other but the candidates for its original.
pub(super) fn kind(faults: Faults, number: u64) -> Kind {
    match roll(faults, number) {
        Roll::Fresh => Kind::Fresh,
        Roll::Late => Kind::Late,
        Roll::Invalid => Kind::Invalid,
        Roll::Repeats => {
            let back = Chance::of(number, "repeats").below(FARTHEST_DUPLICATE.min(number)) + 1;
            let stored = |candidate: &u64| matches!(roll(faults, *candidate), Roll::Fresh | Roll::Late);
            let of = (0..=number - back).rev().find(stored).expect("the first records are fresh");
            Kind::Duplicate { of }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Roll {
    Fresh,
    Late,
    Repeats,
    Invalid,
}

fn roll(faults: Faults, number: u64) -> Roll {
    if faults == Faults::None || number < FIRST_FAULT {
        return Roll::Fresh;
    }
    match Chance::of(number, "kind").below(1000) {
        0..10 => Roll::Repeats,
        10 => Roll::Late,
        11 => Roll::Invalid,
        _ => Roll::Fresh,
    }
}

/// The aggregate and the version of every record.
#[derive(Debug)]
pub(super) struct Plan {
    places: Vec<(u32, u32)>,
}

impl Plan {
    /// A tenth as many aggregates as events, drawn by Zipf's law; what is stored counts up the aggregate's versions.
    pub(super) fn new(events: u64, faults: Faults) -> Self {
        let aggregates = u32::try_from((events / 10).max(1)).unwrap_or(u32::MAX);
        let zipf = Zipf::new(aggregates, 0.99);
        let mut versions = vec![0_u32; usize::try_from(aggregates).expect("a u32 fits")];
        let places = (0..events).map(|number| {
            let rank = zipf.rank(Chance::of(number, "aggregate").unit());
            let aggregate = scatter(rank, aggregates);
            let version = &mut versions[usize::try_from(aggregate).expect("a u32 fits")];
            if matches!(roll(faults, number), Roll::Fresh | Roll::Late) {
                *version += 1;
            }
            (aggregate, *version)
        });
        Self { places: places.collect() }
    }

    /// (aggregate, version) of record `number`.
    pub(super) fn of(&self, number: u64) -> (u32, u32) {
        self.places[usize::try_from(number).expect("a record's number fits")]
    }
}

/// Spreads the ranks over the numbers, so that the busiest aggregates are no neighbours: a bijection, since a prime
/// larger than every count divides none.
fn scatter(rank: u32, aggregates: u32) -> u32 {
    const PRIME: u64 = 4_294_967_291;
    u32::try_from(u64::from(rank) * PRIME % u64::from(aggregates)).expect("less than a u32")
}

/// Zipf's law over ranks 0 to n - 1, by its cumulated weights.
struct Zipf {
    cumulated: Vec<f64>,
}

impl Zipf {
    fn new(ranks: u32, exponent: f64) -> Self {
        let mut total = 0.0;
        let weights = (1..=ranks).map(|rank| {
            total += f64::from(rank).powf(-exponent);
            total
        });
        let mut cumulated: Vec<f64> = weights.collect();
        for weight in &mut cumulated {
            *weight /= total;
        }
        Self { cumulated }
    }

    fn rank(&self, unit: f64) -> u32 {
        let rank = self.cumulated.partition_point(|weight| *weight <= unit).min(self.cumulated.len() - 1);
        u32::try_from(rank).expect("as many ranks as a u32 counts")
    }
}
