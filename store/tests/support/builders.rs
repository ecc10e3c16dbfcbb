//! Builders of events, entries and batches.

use super::*;

/// 2025-11-20T12:00:00Z
pub(crate) const NOON: i64 = 1_763_640_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const DAY: i64 = 86_400 * SECOND;

pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// An id that depends on a number alone.
pub(crate) fn id(number: u64) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(number))
}

/// An event of organisation `acme`, aggregate `Order/o-1`.
pub(crate) fn event(number: u64, micros: i64) -> Event {
    Event {
        event_id: id(number),
        organization_id: "acme".to_owned(),
        event_type: "OrderPlaced".to_owned(),
        aggregate_type: "Order".to_owned(),
        aggregate_id: "o-1".to_owned(),
        timestamp: at(micros),
        version: i32::try_from(number).unwrap(),
        payload: format!(r#"{{"number":{number}}}"#),
        metadata: r#"{"correlationId":"c-1","organizationId":"acme","userId":"u-1"}"#.to_owned(),
        promoted: Promoted {
            user_id: "u-1".to_owned(),
            correlation_id: "c-1".to_owned(),
            ..Promoted::default()
        },
    }
}

pub(crate) fn record(text: &str) -> Arc<RawRecord> {
    Arc::new(RawRecord {
        key: Some(b"o-1".as_slice().into()),
        value: Some(text.as_bytes().to_vec().into()),
        headers: vec![
            ("traceparent".to_owned(), Some(b"00-ab".as_slice().into())),
            ("nul\0name".to_owned(), None),
        ],
        timestamp_ms: Some(1_763_640_000_000),
    })
}

pub(crate) fn candidate(offset: i64, event: Event) -> Entry {
    let record = record(&event.payload);
    Entry::Candidate(Candidate { offset, event, retention_class: "standard".into(), record })
}

pub(crate) fn rejected(offset: i64, reason: Reason, pointer: &str) -> Entry {
    Entry::Rejected(Rejected {
        offset,
        refusal: Refusal::new(reason, pointer, "not as it should be"),
        stage: Stage::Validate,
        record: record("broken"),
    })
}

pub(crate) fn skipped(from: i64, next: i64, kind: shared::account::DispositionKind) -> Entry {
    Entry::Skipped { from, next, kind }
}

/// A span over these entries, from the first to the last.
pub(crate) fn span(log: &Log, entries: Vec<Entry>) -> Span {
    let mut span = SpanBuilder::new(log.log_id, Arc::new(log.name.clone()));
    span.extend(entries);
    span.finish(None)
}

pub(crate) fn batch(spans: Vec<Span>) -> Batch {
    Batch { spans }
}

/// One span of new events with consecutive numbers, times a second apart.
pub(crate) fn events(log: &Log, from_offset: i64, numbers: std::ops::Range<u64>) -> Span {
    changed_events(log, from_offset, numbers, |_, _| {})
}

/// The same, each changed by its place in the span.
pub(crate) fn changed_events(
    log: &Log,
    from_offset: i64,
    numbers: std::ops::Range<u64>,
    change: impl Fn(i64, &mut Event),
) -> Span {
    let entry = |(nth, number)| {
        let mut event = event(number, NOON + nth * SECOND);
        change(nth, &mut event);
        candidate(from_offset + nth, event)
    };
    span(log, (0..).zip(numbers).map(entry).collect())
}

pub(crate) fn log_name(topic: &str, partition: i32) -> LogName {
    LogName { cluster: "default".to_owned(), topic: topic.to_owned(), partition, incarnation: 1 }
}
