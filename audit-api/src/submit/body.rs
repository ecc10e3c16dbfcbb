//! A request's body: read within bounds that hold for all requests together, then taken apart into single events.

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde::{
    Deserializer as _,
    de::{SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use shared::{
    envelope::{self, Envelope},
    problem::ProblemType,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Ids, screen};
use crate::respond::Problem;

/// Events in one request, at most.
pub const MOST_EVENTS: usize = 1000;

/// How a body holds its events, which is how its parts are pointed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One event: `/timestamp`.
    One,
    /// Several: `/3/timestamp`, counted from 0; the lines of JSON Lines likewise.
    Many,
}

impl Shape {
    /// A JSON Pointer into the body.
    pub fn pointer(self, index: usize, within: &str) -> String {
        match self {
            Self::One => within.to_owned(),
            Self::Many => format!("/{index}{within}"),
        }
    }
}

/// What a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One object, or an array of them.
    Json,
    /// One object a line.
    Lines,
}

impl Format {
    /// From `Content-Type`; the body must not be compressed.
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let unsupported = |detail: &str| Err(Problem::new(ProblemType::UnsupportedMediaType, detail));
        if text(header::CONTENT_ENCODING).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
            return unsupported("the body is compressed: send it without Content-Encoding");
        }
        let kind = text(header::CONTENT_TYPE).unwrap_or_default();
        match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-ndjson" => Ok(Self::Lines),
            _ => unsupported(
                "send Content-Type: application/json (one event, or an array) or application/x-ndjson",
            ),
        }
    }
}

/// A whole body; it counts against what may be held at once as long as this lives.
pub struct Received {
    /// The bytes.
    pub bytes: Bytes,
    _room: Vec<OwnedSemaphorePermit>,
}

/// Reads a body of at most `most` bytes, within `time`; room is taken as bytes come, so that a promise of many that
/// never come holds nothing.
pub async fn receive(
    mut body: Body,
    most: usize,
    time: Duration,
    room: &Arc<Semaphore>,
) -> Result<Received, Problem> {
    let reading = async {
        let (mut bytes, mut held) = (BytesMut::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::request("the body broke off"))?;
            let Ok(chunk) = frame.into_data() else { continue };
            if bytes.len() + chunk.len() > most {
                let detail = format!("the body is larger than {most} bytes: send several requests");
                return Err(Problem::new(ProblemType::PayloadTooLarge, detail));
            }
            let wanted = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            let Ok(permit) = Arc::clone(room).try_acquire_many_owned(wanted) else {
                metrics::counter!("audit_api_requests_shed_total").increment(1);
                return Err(Problem::unavailable("too many events at once: send this request again"));
            };
            held.push(permit);
            bytes.extend_from_slice(&chunk);
        }
        Ok(Received { bytes: bytes.freeze(), _room: held })
    };
    tokio::time::timeout(time, reading).await.unwrap_or_else(|_| {
        Err(Problem::new(ProblemType::RequestTimeout, "the body took too long to arrive: send it again"))
    })
}

/// How a body holds its events.
pub fn shape(body: &[u8], format: Format) -> Shape {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if format == Format::Lines || first == Some(&b'[') { Shape::Many } else { Shape::One }
}

/// The envelopes of a body. Without ids for those that name none (no `Idempotency-Key`), each must name its own.
pub fn envelopes(body: &[u8], format: Format, ids: Option<&Ids>) -> Result<Vec<Envelope>, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Problem::request(format!("byte {} of the body is not UTF-8", error.valid_up_to() + 1))
    })?;
    let shape = shape(body, format);
    let items = items(text, format, shape)?;
    let (mut envelopes, mut refused) = (Vec::with_capacity(items.len()), Vec::new());
    for (index, item) in items.iter().enumerate() {
        let read = match ids {
            Some(ids) => envelope::from_canonical_json_with_id(item, ids.at(index)),
            None => envelope::from_canonical_json(item),
        };
        match read {
            Ok(envelope) => envelopes.push(envelope),
            Err(mut refusal) => {
                if ids.is_none() && refusal.pointer == "/eventId" {
                    refusal.detail.push_str("; it may be left out only with the header Idempotency-Key");
                }
                refused.push(screen::entry(&refusal, index, shape));
            }
        }
    }
    if refused.is_empty() { Ok(envelopes) } else { Err(screen::invalid(refused, items.len())) }
}

fn items(text: &str, format: Format, shape: Shape) -> Result<Vec<&str>, Problem> {
    let items: Vec<&str> = match (format, shape) {
        (Format::Lines, _) => {
            text.lines().filter(|line| !line.trim().is_empty()).take(MOST_EVENTS + 1).collect()
        }
        (Format::Json, Shape::One) => {
            let value: &RawValue = serde_json::from_str(text).map_err(|error| not_json(&error))?;
            if !value.get().starts_with('{') {
                return Err(Problem::request(
                    "the body is neither an event (a JSON object) nor an array of events",
                ));
            }
            vec![value.get()]
        }
        (Format::Json, Shape::Many) => {
            let mut deserializer = serde_json::Deserializer::from_str(text);
            let items = deserializer.deserialize_seq(Bounded).map_err(|error| not_json(&error))?;
            if items.len() <= MOST_EVENTS {
                deserializer.end().map_err(|error| not_json(&error))?;
            }
            items
        }
    };
    match items.len() {
        0 => Err(Problem::request("the body holds no event")),
        count if count > MOST_EVENTS => Err(Problem::request(format!(
            "the body holds more than {MOST_EVENTS} events: send several requests"
        ))),
        _ => Ok(items),
    }
}

/// serde's own message may quote the body.
fn not_json(error: &serde_json::Error) -> Problem {
    Problem::request(format!("the body is not JSON (line {}, column {})", error.line(), error.column()))
}

/// The items of an array, and not many more than are allowed: eight million of `0,` would take 128 MB. An array that is
/// longer ends in an error of its own.
struct Bounded;

impl<'de> Visitor<'de> for Bounded {
    type Value = Vec<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element::<&RawValue>()? {
            if items.len() <= MOST_EVENTS {
                items.push(item.get());
            }
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"eventType":"T","aggregateId":"a","aggregateType":"A","timestamp":"2025-01-01T00:00:00Z","version":1,"payload":{},"metadata":{}}"#;

    fn read(body: &str, format: Format, ids: Option<&Ids>) -> Result<usize, (u16, String)> {
        let read = envelopes(body.as_bytes(), format, ids);
        read.map(|envelopes| envelopes.len())
            .map_err(|problem| (problem.kind().status(), problem.detail().to_owned()))
    }

    #[test]
    fn one_event_an_array_and_lines_are_read() {
        let ids = Ids::fresh();
        assert_eq!(read(GOOD, Format::Json, Some(&ids)), Ok(1));
        assert_eq!(read(&format!(" [{GOOD},{GOOD}] "), Format::Json, Some(&ids)), Ok(2));
        assert_eq!(read(&format!("{GOOD}\r\n\n{GOOD}\n"), Format::Lines, Some(&ids)), Ok(2));
        assert_eq!(read(GOOD, Format::Json, None).map_err(|(status, _)| status), Err(422));
    }

    #[test]
    fn known_ids_are_given_by_place() {
        let known = [uuid::Uuid::from_u128(7), uuid::Uuid::from_u128(8)];
        let body = format!("[{GOOD},{GOOD}]");
        let read = envelopes(body.as_bytes(), Format::Json, Some(&Ids::known(known.into()))).expect("good");
        let ids: Vec<_> = read.into_iter().map(|envelope| envelope.event_id).collect();
        assert_eq!(ids, known.map(|id| id.to_string()));
    }

    #[test]
    fn what_is_no_list_of_events_is_a_bad_request() {
        let many = format!("[{}]", vec!["{}"; MOST_EVENTS + 5].join(","));
        let deep = format!("[{}", "[".repeat(100_000));
        for body in [
            "",
            " ",
            "5",
            "null",
            "\"x\"",
            "[]",
            "[",
            "{",
            "[1,]",
            "{} {}",
            "[{}] x",
            "\u{feff}{}",
            &many,
            &deep,
        ] {
            let status = read(body, Format::Json, None).map_err(|(status, _)| status);
            assert_eq!(status, Err(400), "{}", &body[..body.len().min(40)]);
        }
        assert_eq!(read("", Format::Lines, None).map_err(|(status, _)| status), Err(400));
        assert!(envelopes(b"\xff", Format::Json, None).is_err());
    }

    #[tokio::test]
    async fn a_body_takes_its_room_and_gives_it_back() {
        let room = Arc::new(Semaphore::new(100));
        let time = Duration::from_secs(5);
        let Ok(held) = receive(Body::from(vec![0; 80]), 90, time, &room).await else { panic!("room for it") };
        assert_eq!((held.bytes.len(), room.available_permits()), (80, 20));
        let busy = receive(Body::from(vec![0; 30]), 90, time, &room).await.err().expect("no room");
        assert_eq!(busy.kind().status(), 503);
        drop(held);
        assert_eq!(room.available_permits(), 100);
        let large = receive(Body::from(vec![0; 91]), 90, time, &room).await.err().expect("too large");
        assert_eq!(large.kind().status(), 413);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let room = Arc::new(Semaphore::new(100));
        let late = receive(never, 90, Duration::from_secs(5), &room).await.err().expect("too late");
        assert_eq!(late.kind().status(), 408);
    }
}
