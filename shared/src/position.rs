//! Where a record stands: the position that clients keep, and the coordinates that leaves carry.

use std::{fmt, str::FromStr};

/// The place of a record in the store: `"<logId>:<offset>"`, opaque to clients (semantics.md 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The log's number in this store.
    pub log_id: i32,
    /// The Kafka offset in that log.
    pub offset: i64,
}

/// The text is not a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a position: it has the form <log>:<offset>, two numbers that are not negative")]
pub struct InvalidPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.log_id, self.offset)
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| -> Result<i64, InvalidPosition> {
            if digits.is_empty() || digits.len() > 19 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(InvalidPosition);
            }
            digits.parse().map_err(|_| InvalidPosition)
        };
        let (log_id, offset) = text.split_once(':').ok_or(InvalidPosition)?;
        let log_id = i32::try_from(number(log_id)?).map_err(|_| InvalidPosition)?;
        Ok(Self { log_id, offset: number(offset)? })
    }
}

/// What names a log outside this store: one life of one partition of one topic (semantics.md 4).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogName {
    /// The configured name of the Kafka cluster.
    pub cluster: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Which life of that partition, from 1; a topic made anew under its old name is another log.
    pub incarnation: i32,
}
