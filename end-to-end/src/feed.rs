//! A stream of events that a seed decides: mostly good, some repeated, some contradicting, some no events at all.

use bus::Outgoing;
use bytes::Bytes;
use rand::{RngExt as _, rngs::StdRng};
use shared::{
    avro::{encode_canonical, frame},
    envelope::Envelope,
    timestamp::Timestamp,
};
use test_support::canonical_event;
use uuid::Uuid;

/// What a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// This event; the same one may be sent more than once, and another one may bear its id.
    Event(Box<Envelope>),
    /// No event: to be dead-lettered for this reason.
    Invalid(&'static str),
}

/// A record to be sent.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The record.
    pub record: Outgoing,
    /// What it is.
    pub meant: Meant,
}

/// The stream.
#[derive(Debug)]
pub struct Feed {
    chance: StdRng,
    topic: String,
    partitions: i32,
    schema_id: u32,
    versions: Vec<i64>,
    recent: Vec<Envelope>,
}

/// Events that may come again.
const REMEMBERED: usize = 2_000;
/// 2026-01-15, in microseconds since 1970.
const NEWEST: i64 = 1_768_478_400_000_000;
const DAY: i64 = 24 * 3600 * 1_000_000;

impl Feed {
    /// A stream over so many aggregates.
    pub fn new(chance: StdRng, topic: &str, partitions: i32, schema_id: u32, aggregates: usize) -> Self {
        let versions = vec![0; aggregates];
        Self { chance, topic: topic.to_owned(), partitions, schema_id, versions, recent: Vec::new() }
    }

    /// The next record: 1 % repeat an event, 0.2 % contradict one, 0.2 % are no events.
    pub fn next_record(&mut self) -> Planned {
        match self.chance.random_range(0..1000) {
            0..=9 if !self.recent.is_empty() => self.repeated(),
            10..=11 if !self.recent.is_empty() => self.contradicting(),
            12..=13 => self.invalid(),
            _ => self.fresh(),
        }
    }

    /// The last version of each aggregate, in the order of their names.
    pub fn versions(&self) -> impl Iterator<Item = (String, i64)> {
        self.versions.iter().enumerate().map(|(number, last)| (aggregate(number), *last))
    }

    fn fresh(&mut self) -> Planned {
        let envelope = self.envelope();
        if self.recent.len() < REMEMBERED {
            self.recent.push(envelope.clone());
        } else {
            let place = self.chance.random_range(0..REMEMBERED);
            self.recent[place] = envelope.clone();
        }
        self.planned(envelope)
    }

    fn envelope(&mut self) -> Envelope {
        let number = self.chance.random_range(0..self.versions.len());
        self.versions[number] += 1;
        let id = uuid::Builder::from_random_bytes(self.chance.random()).into_uuid();
        let note = "né ".repeat(self.chance.random_range(0..120));
        // Mostly within a year; some lie below the floor of the months.
        let days = if self.chance.random_ratio(1, 100) { 27_000 } else { self.chance.random_range(0..330) };
        canonical_event(&aggregate(number), self.versions[number])
            .id(Uuid::to_string(&id))
            .at_micros(NEWEST - days * DAY + self.chance.random_range(0..DAY))
            .payload(&serde_json::json!({ "step": self.versions[number], "note": note, "of": id }))
            .build()
    }

    fn repeated(&mut self) -> Planned {
        let envelope = self.remembered();
        let mut planned = self.planned(envelope);
        self.sometimes_elsewhere(&mut planned.record);
        planned
    }

    fn contradicting(&mut self) -> Planned {
        let mut envelope = self.remembered();
        envelope.payload = format!(r#"{{"contradicts":{}}}"#, self.chance.random::<u32>());
        if self.chance.random() {
            envelope.timestamp = Timestamp::from_micros(envelope.timestamp.as_micros() - 40 * DAY);
        }
        let mut planned = self.planned(envelope);
        self.sometimes_elsewhere(&mut planned.record);
        planned
    }

    fn invalid(&mut self) -> Planned {
        let mut envelope = self.remembered_or_first();
        envelope.event_id = uuid::Builder::from_random_bytes(self.chance.random()).into_uuid().to_string();
        let framed = |envelope: &Envelope| frame(self.schema_id, &encode_canonical(envelope));
        let (value, reason) = match self.chance.random_range(0..4) {
            0 => (format!("no Avro {}", self.chance.random::<u64>()).into_bytes(), "malformed-framing"),
            1 => {
                let mut value = framed(&envelope);
                value.truncate(value.len() / 2);
                (value, "undecodable")
            }
            2 => {
                "[1,2]".clone_into(&mut envelope.payload);
                (framed(&envelope), "payload-invalid")
            }
            _ => {
                envelope.timestamp = Timestamp::parse("2999-01-01T00:00:00Z").expect("a time");
                (framed(&envelope), "timestamp-in-future")
            }
        };
        Planned { record: self.record(&envelope.aggregate_id, value), meant: Meant::Invalid(reason) }
    }

    fn remembered(&mut self) -> Envelope {
        let place = self.chance.random_range(0..self.recent.len());
        self.recent[place].clone()
    }

    fn remembered_or_first(&mut self) -> Envelope {
        if self.recent.is_empty() { canonical_event(&aggregate(0), 1).build() } else { self.remembered() }
    }

    /// A producer with another partitioner, or a topic that grew: the id comes from another partition.
    fn sometimes_elsewhere(&mut self, record: &mut Outgoing) {
        if self.chance.random_ratio(1, 3) {
            record.partition = Some(self.chance.random_range(0..self.partitions));
        }
    }

    fn planned(&self, envelope: Envelope) -> Planned {
        let value = frame(self.schema_id, &encode_canonical(&envelope));
        let record = self.record(&envelope.aggregate_id, value);
        Planned { record, meant: Meant::Event(Box::new(envelope)) }
    }

    fn record(&self, key: &str, value: Vec<u8>) -> Outgoing {
        Outgoing {
            topic: self.topic.clone(),
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            value: Some(Bytes::from(value)),
            ..Outgoing::default()
        }
    }
}

fn aggregate(number: usize) -> String {
    format!("order-{number:03}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::Seed;

    #[test]
    fn the_stream_holds_what_it_promises() {
        let mut feed = Feed::new(Seed::chosen("feed").source("feed"), "t", 12, 1, 20);
        let mut contents: HashMap<String, Vec<String>> = HashMap::new();
        let (mut invalid, mut repeated, mut contradicting) = (0, 0, 0);
        for _ in 0..20_000 {
            match feed.next_record().meant {
                Meant::Invalid(_) => invalid += 1,
                Meant::Event(envelope) => {
                    let known = contents.entry(envelope.event_id.clone()).or_default();
                    if known.contains(&envelope.payload) {
                        repeated += 1;
                    } else if !known.is_empty() {
                        contradicting += 1;
                    }
                    known.push(envelope.payload);
                }
            }
        }
        assert!((100..300).contains(&repeated), "{repeated}");
        assert!((10..90).contains(&contradicting), "{contradicting}");
        assert!((10..90).contains(&invalid), "{invalid}");
        let events: i64 = feed.versions().map(|(_, last)| last).sum();
        assert_eq!(usize::try_from(events).unwrap(), contents.len());
    }
}
