//! What to do next, from where the projections stand.

use store::projections::{Projection, ProjectionState};

/// Projections that stand at the same append, and how far they may go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Which.
    pub projections: Vec<Projection>,
    /// Where they stand.
    pub from: i64,
    /// The head, or where the next group stands: there they meet and go on together.
    pub until: i64,
}

/// The groups that have something to read, the one furthest behind first. Each takes one batch in turn, so that a rebuild
/// does not stop the others.
pub fn groups(states: &[ProjectionState]) -> Vec<Group> {
    let mut standing: Vec<(i64, Projection)> =
        states.iter().filter_map(|state| Some((state.as_of.append, state.projection()?))).collect();
    standing.sort_unstable();
    let head = states.iter().map(|state| state.as_of.append + state.as_of.behind).max().unwrap_or(0);
    let mut groups: Vec<Group> = Vec::new();
    for (from, projection) in standing {
        match groups.last_mut() {
            Some(group) if group.from == from => group.projections.push(projection),
            last => {
                if let Some(group) = last {
                    group.until = from;
                }
                groups.push(Group { projections: vec![projection], from, until: head });
            }
        }
    }
    groups.retain(|group| group.from < group.until);
    groups
}

/// A projection whose rows another fold made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// By an older build: they are made anew.
    Older(Projection),
    /// By a newer build: this one must not touch them.
    Newer(Projection),
}

/// The projections whose rows are not of this build's fold.
pub fn foreign(states: &[ProjectionState]) -> Vec<Fold> {
    let fold = |state: &ProjectionState| {
        let projection = state.projection()?;
        match state.version.cmp(&projection.version()) {
            std::cmp::Ordering::Less => Some(Fold::Older(projection)),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Fold::Newer(projection)),
        }
    };
    states.iter().filter_map(fold).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shared::timestamp::Timestamp;
    use store::projections::AsOf;

    use super::*;

    fn state(name: &str, version: i32, append: i64, head: i64) -> ProjectionState {
        ProjectionState {
            name: name.to_owned(),
            version,
            as_of: AsOf { append, recorded_at: None, behind: head - append, age: Duration::ZERO },
            updated_at: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn those_that_stand_together_go_together_to_the_head() {
        let states = [state("aggregates", 1, 5, 9), state("event_types", 1, 5, 9)];
        let together = vec![Projection::Aggregates, Projection::EventTypes];
        assert_eq!(groups(&states), [Group { projections: together, from: 5, until: 9 }]);
        assert_eq!(groups(&[state("aggregates", 1, 9, 9), state("event_types", 1, 9, 9)]), []);
    }

    #[test]
    fn one_that_is_behind_goes_as_far_as_the_next_and_both_have_their_turn() {
        let states = [state("aggregates", 1, 0, 9), state("event_types", 1, 5, 9)];
        let expected = [
            Group { projections: vec![Projection::Aggregates], from: 0, until: 5 },
            Group { projections: vec![Projection::EventTypes], from: 5, until: 9 },
        ];
        assert_eq!(groups(&states), expected);
    }

    #[test]
    fn what_a_newer_build_keeps_is_left_alone() {
        let states = [state("aggregates", 1, 5, 9), state("from_the_future", 1, 0, 9)];
        assert_eq!(groups(&states), [Group { projections: vec![Projection::Aggregates], from: 5, until: 9 }]);
    }

    #[test]
    fn rows_of_another_fold_are_known() {
        assert_eq!(foreign(&[state("aggregates", 1, 5, 9), state("from_the_future", 7, 5, 9)]), []);
        assert_eq!(foreign(&[state("aggregates", 0, 5, 9)]), [Fold::Older(Projection::Aggregates)]);
        assert_eq!(foreign(&[state("event_types", 99, 5, 9)]), [Fold::Newer(Projection::EventTypes)]);
    }
}
