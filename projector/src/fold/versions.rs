//! The versions of one aggregate within a batch.

use store::projections::Runs;

/// Versions from 1 on, as they come; 0 takes no part (semantics.md 1).
#[derive(Debug, Default)]
pub(super) struct Versions(Vec<i32>);

impl Versions {
    pub(super) fn add(&mut self, version: i32) {
        if version > 0 {
            self.0.push(version);
        }
    }

    /// Those that occur, and those that occur more than once.
    pub(super) fn finish(mut self) -> (Runs, Runs) {
        self.0.sort_unstable();
        let (mut all, mut double) = (Runs::default(), Runs::default());
        for (nth, version) in self.0.iter().enumerate() {
            if nth > 0 && self.0[nth - 1] == *version {
                extend(&mut double, *version);
            } else {
                extend(&mut all, *version);
            }
        }
        (all, double)
    }
}

/// Adds a version that is not below the last one.
fn extend(runs: &mut Runs, version: i32) {
    match runs.0.last_mut() {
        Some((_, last)) if *last == version => {}
        Some((_, last)) if last.checked_add(1) == Some(version) => *last = version,
        _ => runs.0.push((version, version)),
    }
}
