//! Where a test's chance comes from: printed, so that a run can be had again.

use rand::{SeedableRng as _, rngs::StdRng};

/// The seed of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(u64);

/// Set to a number to have the chances of an earlier run again.
const VARIABLE: &str = "AUDIT_TEST_SEED";

impl Seed {
    /// A fresh seed, or the one that `AUDIT_TEST_SEED` gives; said on standard error.
    pub fn chosen(test: &str) -> Self {
        let seed = match std::env::var(VARIABLE) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{VARIABLE}={text} is not a number")),
            Err(_) => u64::from(rand::random::<u32>()),
        };
        eprintln!("{test}: {VARIABLE}={seed}");
        Self(seed)
    }

    /// A source of chance for one purpose; different purposes do not disturb each other.
    pub fn source(self, purpose: &str) -> StdRng {
        // FNV-1a: the standard library's hasher may change from release to release.
        let hash = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        StdRng::seed_from_u64(self.0 ^ hash)
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;

    #[test]
    fn a_seed_and_a_purpose_give_the_same_chances_again() {
        let draw = |seed, purpose| -> u64 { Seed(seed).source(purpose).random() };
        assert_eq!(draw(7, "kills"), draw(7, "kills"));
        assert_ne!(draw(7, "kills"), draw(8, "kills"));
        assert_ne!(draw(7, "kills"), draw(7, "feed"));
    }
}
