//! Gaps and forks of the versions that a fold has met (semantics.md 6).

/// Entries of each kind that are told, lowest first.
const MOST: usize = 100;

/// What is wrong with the versions so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionFaults {
    /// Missing versions, first and last, below the greatest met.
    pub gaps: Vec<(i32, i32)>,
    /// Versions that more than one event has.
    pub forks: Vec<i32>,
    greatest: i32,
}

impl VersionFaults {
    /// The next event's version, never below the one before; 0 takes no part.
    pub(super) fn meet(&mut self, version: i32) {
        if version <= 0 {
            return;
        }
        if version == self.greatest && self.forks.last() != Some(&version) && self.forks.len() < MOST {
            self.forks.push(version);
        }
        if version - 1 > self.greatest && self.gaps.len() < MOST {
            self.gaps.push((self.greatest + 1, version - 1));
        }
        self.greatest = version;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_forks_are_met_in_order() {
        let mut faults = VersionFaults::default();
        for version in [0, 0, 2, 3, 3, 3, 4, 8] {
            faults.meet(version);
        }
        assert_eq!((faults.gaps, faults.forks), (vec![(1, 1), (5, 7)], vec![3]));
    }
}
