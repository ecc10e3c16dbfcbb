//! The two sets of indexes that the table of events can have (semantics.md 11).

use std::{fmt, str::FromStr};

use serde::Deserialize;

/// Which indexes the table of events has; the greater set holds the smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum IndexSet {
    /// Histories, recorded order, time: the least that every read needs. Other filters need a bound.
    Essential,
    /// Those, and one index for each of organisation, user, event type, correlation, causation.
    #[default]
    Standard,
}

/// The word is none of a set of indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a set of indexes: write \"standard\" or \"essential\"")]
pub struct InvalidIndexSet;

impl IndexSet {
    /// The word for it, in configuration and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Essential => "essential",
            Self::Standard => "standard",
        }
    }
}

impl fmt::Display for IndexSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for IndexSet {
    type Err = InvalidIndexSet;

    fn from_str(text: &str) -> Result<Self, InvalidIndexSet> {
        [Self::Essential, Self::Standard].into_iter().find(|set| set.as_str() == text).ok_or(InvalidIndexSet)
    }
}

impl TryFrom<String> for IndexSet {
    type Error = InvalidIndexSet;

    fn try_from(text: String) -> Result<Self, InvalidIndexSet> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_the_sets_nest() {
        for set in [IndexSet::Essential, IndexSet::Standard] {
            assert_eq!(set.to_string().parse(), Ok(set));
        }
        assert_eq!("Standard".parse::<IndexSet>(), Err(InvalidIndexSet));
        assert!(IndexSet::Essential < IndexSet::Standard);
        assert_eq!(IndexSet::default(), IndexSet::Standard);
    }
}
