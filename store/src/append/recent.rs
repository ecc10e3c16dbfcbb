//! Which ids may be stored already, as far as this process knows: only these are looked up before ids are inserted. The
//! primary key decides in any case; a repeat that is not known here costs one redo.

use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

/// Ids that one generation takes before the next begins; the one before is kept beside it.
const GENERATION: usize = 1 << 19;
/// Bits of a generation: 16 an id, so that of ids never seen one in 400 is looked up in vain.
const BITS: u32 = 23;
/// Bits that an id sets.
const PROBES: u64 = 4;

/// The ids of the last half a million events to a million, in 2 MB; shared by the writers of a process.
#[derive(Debug, Clone, Default)]
pub struct RecentIds(Arc<Mutex<Generations>>);

impl RecentIds {
    /// Those that may have been here before; all are remembered.
    pub(super) fn suspects(&self, ids: &[Uuid]) -> Vec<Uuid> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().copied().filter(|id| generations.meets_again(*id)).collect()
    }
}

#[derive(Debug, Default)]
struct Generations {
    young: Filter,
    old: Filter,
    taken: usize,
}

impl Generations {
    fn meets_again(&mut self, id: Uuid) -> bool {
        if self.taken == GENERATION {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.words.fill(0);
            self.taken = 0;
        }
        self.taken += 1;
        let is_old = self.old.has(id);
        self.young.insert(id) || is_old
    }
}

/// A Bloom filter.
#[derive(Debug)]
struct Filter {
    words: Vec<u64>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { words: vec![0; 1 << (BITS - 6)] }
    }
}

impl Filter {
    fn has(&self, id: Uuid) -> bool {
        places(id).all(|(word, bit)| self.words[word] & bit != 0)
    }

    /// Whether it had the id before.
    fn insert(&mut self, id: Uuid) -> bool {
        let mut had = true;
        for (word, bit) in places(id) {
            had &= self.words[word] & bit != 0;
            self.words[word] |= bit;
        }
        had
    }
}

/// Double hashing; whoever chooses ids that meet here makes look-ups, nothing else.
fn places(id: Uuid) -> impl Iterator<Item = (usize, u64)> {
    const ODD: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F];
    let (high, low) = id.as_u64_pair();
    let mixed = (high ^ low.rotate_left(32)).wrapping_mul(ODD[0]);
    let first = (mixed ^ mixed >> 29 ^ low).wrapping_mul(ODD[1]);
    let step = mixed | 1;
    (0..PROBES).map(move |probe| {
        let place = first.wrapping_add(probe.wrapping_mul(step)) >> (64 - BITS);
        (usize::try_from(place >> 6).expect("below the number of words"), 1 << (place & 63))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: std::ops::Range<u128>) -> Vec<Uuid> {
        // Like version 7: the time in front, the same for many, and little that differs behind.
        numbers.map(|number| Uuid::from_u128(0x0194_fdc2_fa2f_7cc0_81d3_0000_0000_0000 | number)).collect()
    }

    #[test]
    fn what_was_here_is_suspected_by_every_writer_and_little_else() {
        let recent = RecentIds::default();
        assert!(recent.suspects(&ids(0..10_000)).len() < 10, "none was here");
        let again = recent.clone().suspects(&ids(9_000..11_000));
        assert!(ids(9_000..10_000).iter().all(|id| again.contains(id)));
        assert!(again.len() < 1_010);
    }

    #[test]
    fn a_full_generation_suspects_one_in_some_hundreds() {
        let recent = RecentIds::default();
        let generation = GENERATION as u128;
        recent.suspects(&ids(0..generation));
        let wrong = recent.suspects(&ids(generation..generation + 20_000)).len();
        assert!(wrong < 150, "{wrong} of 20,000");
    }

    #[test]
    fn two_generations_later_it_is_forgotten() {
        let recent = RecentIds::default();
        let generation = GENERATION as u128;
        recent.suspects(&ids(0..generation + 1));
        assert_eq!(recent.suspects(&ids(0..1)).len(), 1, "in the one before");
        recent.suspects(&ids(generation..3 * generation));
        assert_eq!(recent.suspects(&ids(5..6)).len(), 0);
    }
}
