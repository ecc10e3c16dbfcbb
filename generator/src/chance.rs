//! Chance that repeats: the same seed gives the same numbers on every machine and with every version of any crate.

use uuid::{Builder, Uuid};

/// An endless SplitMix64 sequence (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let wide = u64::from(u32::try_from(self.next() >> 32).expect("32 bits")) * u64::from(bound);
        u32::try_from(wide >> 32).expect("less than the bound")
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, share: u32) -> bool {
        self.below(100) < share
    }

    /// A UUID of version 7 of this moment.
    pub(crate) fn event_id(&mut self, millis: u64) -> Uuid {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.next().to_be_bytes());
        random[8..].copy_from_slice(&self.next().to_be_bytes()[..2]);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// A UUID of version 4.
    pub(crate) fn uuid(&mut self) -> Uuid {
        let bytes = (u128::from(self.next()) << 64 | u128::from(self.next())).to_be_bytes();
        Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// Zipf's law over ranks from 0: the first comes twice as often as the second, three times as often as the third.
#[derive(Debug, Clone)]
pub(crate) struct Zipf {
    /// Cumulated weights, in whole numbers, so that no machine rounds differently.
    cumulated: Vec<u32>,
}

impl Zipf {
    /// So many ranks, at least one.
    pub(crate) fn new(ranks: u32) -> Self {
        const FIRST: u32 = 40_000;
        let mut total = 0_u32;
        let weights = (1..=ranks.max(1)).map(|rank| {
            total = total.saturating_add((FIRST / rank).max(1));
            total
        });
        Self { cumulated: weights.collect() }
    }

    /// A rank.
    pub(crate) fn pick(&self, chance: &mut Chance) -> u32 {
        let total = self.cumulated.last().copied().unwrap_or(1);
        let drawn = chance.below(total);
        let rank = self.cumulated.partition_point(|weight| *weight <= drawn);
        u32::try_from(rank).expect("as many ranks as a u32 counts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_for_ever() {
        let mut chance = Chance::new(0);
        assert_eq!(chance.next(), 0xe220_a839_7b1d_cdaf, "the first of SplitMix64 with seed 0");
        assert!((0..1000).all(|_| chance.below(7) < 7));
    }

    #[test]
    fn the_first_ranks_are_the_busiest() {
        let (zipf, mut chance) = (Zipf::new(100), Chance::new(1));
        let mut counts = [0_u32; 100];
        for _ in 0..50_000 {
            counts[usize::try_from(zipf.pick(&mut chance)).expect("small")] += 1;
        }
        assert!(counts[0] > 3 * counts[4] && counts[4] > 3 * counts[49], "{counts:?}");
        assert!(counts.iter().all(|count| *count > 0));
        assert_eq!(Zipf::new(0).pick(&mut chance), 0);
    }
}
