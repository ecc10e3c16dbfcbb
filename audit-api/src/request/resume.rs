//! Where a stream goes on: the ids that its events carry, and `Last-Event-ID` (semantics.md 6).

use std::{fmt, str::FromStr};

use axum::http::HeaderMap;
use shared::{position::Position, timestamp::Timestamp};
use store::HistoryKey;

use crate::respond::Problem;

/// The header by which an `EventSource` says what it got last.
pub const LAST_EVENT_ID: &str = "last-event-id";

/// The id of an event in a stream in recorded order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedId {
    /// After this position.
    At(Position),
    /// The whole was delivered; resuming answers 204.
    End,
}

/// The id of an event in the replay of one aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateId {
    /// In the history, of which `head` is the last append that belongs to it.
    History {
        /// The head at the start of the replay.
        head: i64,
        /// The event.
        key: HistoryKey,
    },
    /// Behind the history: recorded order.
    Recorded(Position),
    /// The whole was delivered; resuming answers 204.
    End,
}

const END: &str = "end.";

/// The id is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this stream")]
pub struct InvalidId;

/// The id of the `end` event of a stream that ended at this append.
pub fn end_id(head: i64) -> String {
    format!("{END}{head}")
}

fn is_end(text: &str) -> bool {
    text.strip_prefix(END).is_some_and(|rest| rest.parse::<i64>().is_ok())
}

impl FromStr for RecordedId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if is_end(text) { Ok(Self::End) } else { text.parse().map(Self::At).map_err(|_| InvalidId) }
    }
}

impl fmt::Display for AggregateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History { head, key } => {
                let HistoryKey { version, recorded_at, log_id, offset } = key;
                write!(f, "h.{head}.{version}.{}.{log_id}.{offset}", recorded_at.as_micros())
            }
            Self::Recorded(position) => write!(f, "r.{position}"),
            Self::End => f.write_str("end.0"),
        }
    }
}

impl FromStr for AggregateId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if is_end(text) {
            return Ok(Self::End);
        }
        if let Some(position) = text.strip_prefix("r.") {
            return position.parse().map(Self::Recorded).map_err(|_| InvalidId);
        }
        let parts: Vec<&str> = text.strip_prefix("h.").ok_or(InvalidId)?.split('.').collect();
        let [head, version, recorded_at, log_id, offset] = parts[..] else { return Err(InvalidId) };
        let key = HistoryKey {
            version: number(version)?,
            recorded_at: Timestamp::from_micros(number(recorded_at)?),
            log_id: number(log_id)?,
            offset: number(offset)?,
        };
        Ok(Self::History { head: number(head)?, key })
    }
}

/// A number that is not negative: none of ours is, and a time before 1970 is no time of recording.
fn number<N: FromStr>(text: &str) -> Result<N, InvalidId> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().map_err(|_| InvalidId) } else { Err(InvalidId) }
}

/// What the client got last. An empty header is what a fresh `EventSource` with a reset id sends: nothing.
pub fn last_event_id<T: FromStr>(headers: &HeaderMap) -> Result<Option<T>, Problem> {
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let (first, second) = (values.next(), values.next());
    let Some(value) = first else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| second.is_none()).map_or("\u{fffd}", str::trim);
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        Problem::header(
            "Last-Event-ID",
            "is not an id of this stream: send the last id that you got, or leave it out",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_they_were_written() {
        let key = HistoryKey {
            version: 7,
            recorded_at: Timestamp::from_micros(1_700_000_000_123_456),
            log_id: 3,
            offset: 99,
        };
        for id in [
            AggregateId::History { head: 12, key },
            AggregateId::Recorded(Position { log_id: 3, offset: 99 }),
            AggregateId::End,
        ] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!(AggregateId::History { head: 12, key }.to_string(), "h.12.7.1700000000123456.3.99");
        assert_eq!("3:99".parse(), Ok(RecordedId::At(Position { log_id: 3, offset: 99 })));
        assert_eq!(end_id(12).parse(), Ok(RecordedId::End));
        assert_eq!(end_id(12).parse(), Ok(AggregateId::End));
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in [
            "",
            "h.1.2.3.4",
            "h.1.2.3.4.5.6",
            "h.-1.2.3.4.5",
            "r.1",
            "1:2",
            "h.1.2.3.4.99999999999999999999",
            "end.",
            "end.x",
        ] {
            assert_eq!(text.parse::<AggregateId>(), Err(InvalidId), "{text}");
        }
        for text in ["r.1:2", "1", "1:-2", "+1:2", "end"] {
            assert_eq!(text.parse::<RecordedId>(), Err(InvalidId), "{text}");
        }
    }
}
