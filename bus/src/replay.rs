//! A stored event as a record again: the bytes that were stored, framed as producers frame them, and headers that say what
//! it is.

use bytes::Bytes;
use shared::{avro, view::EventView};
use uuid::Uuid;

use crate::Outgoing;

/// The position of the event that a record repeats. An ingestor takes protected values only with it (semantics.md 9).
pub const OF_HEADER: &str = "audit.replay.of";
/// The job that sent it.
pub const JOB_HEADER: &str = "audit.replay.job";
/// When the event was stored, RFC 3339: the envelope does not say it.
pub const RECORDED_HEADER: &str = "audit.replay.recorded.at";

/// The record of a stored event: keyed by its aggregate, so that each aggregate keeps its order. Kafka's time is that of
/// the replay, or the topic's retention would take old events at once.
pub fn record(event: &EventView<'_>, topic: &str, schema_id: u32, job_id: Uuid) -> Outgoing {
    let mut datum = Vec::new();
    avro::push_canonical(&mut datum, event);
    let text = |text: String| Some(Bytes::from(text));
    Outgoing {
        topic: topic.to_owned(),
        key: Some(Bytes::copy_from_slice(event.aggregate_id.as_bytes())),
        value: Some(Bytes::from(avro::frame(schema_id, &datum))),
        headers: vec![
            (OF_HEADER.to_owned(), text(event.position.to_string())),
            (JOB_HEADER.to_owned(), text(job_id.to_string())),
            (RECORDED_HEADER.to_owned(), text(event.recorded_at.to_string())),
        ],
        ..Outgoing::default()
    }
}

#[cfg(test)]
mod tests {
    use shared::{avro::WriterSchema, position::Position, timestamp::Timestamp};

    use super::*;

    #[test]
    fn the_record_is_the_event_as_its_producer_would_send_it() {
        let event = EventView {
            event_id: Uuid::from_u128(7),
            event_type: "OrderPlaced",
            aggregate_id: "order-1",
            aggregate_type: "Order",
            timestamp: Timestamp::from_micros(1_700_000_000_123_456),
            version: 3,
            payload: r#"{"a":1.50}"#,
            metadata: r#"{"source":"shop","userId":"a\u0001\"ñ"}"#,
            recorded_at: Timestamp::from_micros(1_700_000_001_000_000),
            position: Position { log_id: 3, offset: 42 },
        };
        let record = record(&event, "replays", 9, Uuid::from_u128(1));
        assert_eq!((record.topic.as_str(), record.key.as_deref()), ("replays", Some(&b"order-1"[..])));
        let value = record.value.expect("a value");
        assert_eq!(value[..5], [0, 0, 0, 0, 9]);
        let schema = WriterSchema::parse(avro::CANONICAL_SCHEMA, &[]).expect("the canonical schema");
        let envelope = schema.decode(&value[5..]).expect("readable");
        assert_eq!((envelope.version, envelope.payload.as_str()), (3, event.payload));
        assert_eq!(envelope.metadata["userId"], "a\u{1}\"ñ");
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), std::str::from_utf8(value.as_deref().unwrap_or_default())))
            .collect();
        assert_eq!(
            headers,
            [
                ("audit.replay.of", Ok("3:42")),
                ("audit.replay.job", Ok("00000000-0000-0000-0000-000000000001")),
                ("audit.replay.recorded.at", Ok("2023-11-14T22:13:21.000000Z")),
            ]
        );
    }
}
