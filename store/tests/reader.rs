//! Reads: pages, histories, recorded order, fates, dead letters, each within its scope (semantics.md 6, 7, 12).

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod support;

use std::time::Duration;

use shared::account::DispositionKind;
use shared::filter::{EventFilter, Order, PageKey, Pattern, Sort};
use shared::position::Position;
use shared::refusal::Reason;
use shared::scope::Scope;
use store::{
    AggregateKey, Ahead, ChunkLimits, DeadLetterRequest, EventRow, HistoryKey, HistoryRange, PageRequest,
    Reader, RecordAddress, RecordState, RecordedCursor,
};
use support::*;

async fn reader(database: &TestDatabase) -> Reader {
    Reader::connect(&database.url("audit_api"), 2, "store-test").await.unwrap()
}

/// 60 events in two organisations, three types, three months, two logs, four appends; ties in time.
async fn filled() -> (TestDatabase, Reader) {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 2).await;
    let mut writer = database.writer().await;
    for round in 0..4u64 {
        let log = &logs[usize::from(round % 2 == 1)];
        let entries = (0..15u64)
            .map(|nth| {
                let number = round * 15 + nth;
                let mut event = event(number, NOON + i64::try_from(number / 2 * 3 % 61).unwrap() * DAY);
                ["acme", "beta"][usize::from(number % 3 == 0)].clone_into(&mut event.organization_id);
                ["OrderPlaced", "OrderPaid", "Invoice_Sent"][(number % 3) as usize]
                    .clone_into(&mut event.event_type);
                event.promoted.user_id = format!("u-{}", number % 4);
                event.promoted.source = format!("s-{}", number % 2);
                event.promoted.causation_id = if number == 7 { "cause".to_owned() } else { String::new() };
                candidate(i64::try_from(round / 2 * 15 + nth).unwrap(), event)
            })
            .collect();
        writer.append(&mut batch(vec![span(log, entries)])).await.unwrap();
    }
    let reader = reader(&database).await;
    (database, reader)
}

fn request(filter: EventFilter, order: Order, sort: Sort) -> PageRequest {
    PageRequest { filter, scope: Scope::All, sort, order, limit: 7, after: None }
}

/// Every page of a request, checked to be full but for the last.
async fn all_pages(reader: &Reader, mut request: PageRequest) -> Vec<EventRow> {
    let mut rows = Vec::new();
    for _ in 0..100 {
        let page = reader.page(&request).await.unwrap();
        let is_short = page.events.len() < request.limit as usize;
        rows.extend(page.events);
        match page.next {
            Some(_) if is_short && request.sort == Sort::Recorded => return rows,
            Some(next) => {
                assert!(!is_short, "a page with another behind it is full");
                request.after = Some(next);
            }
            None => return rows,
        }
    }
    panic!("pages without an end");
}

fn positions(rows: &[EventRow]) -> Vec<Position> {
    rows.iter().map(EventRow::position).collect()
}

async fn expected(database: &TestDatabase, condition: &str, order: &str) -> Vec<Position> {
    let sql = format!(
        "select log_id, \"offset\" from audit.events e join audit.appends a using (log_id) where \"offset\" >= from_offset and \"offset\" < next_offset and {condition} order by {order}"
    );
    let rows = database.superuser_client().await.query(&sql, &[]).await.unwrap();
    rows.iter().map(|row| Position { log_id: row.get(0), offset: row.get(1) }).collect()
}

#[tokio::test]
async fn pages_give_every_match_once_in_every_order() {
    let (database, reader) = filled().await;
    let text = |values: &[&str]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    let patterns = |values: &[&str]| values.iter().map(|value| Pattern::parse(value)).collect::<Vec<_>>();
    let none = EventFilter::default();
    let filters = [
        (none.clone(), "true"),
        (EventFilter { user_id: text(&["u-1"]), ..none.clone() }, "user_id = 'u-1'"),
        (EventFilter { user_id: text(&["u-1", "u-3", "u-1"]), ..none.clone() }, "user_id in ('u-1', 'u-3')"),
        (EventFilter { event_type: patterns(&["OrderPaid"]), ..none.clone() }, "event_type = 'OrderPaid'"),
        (EventFilter { event_type: patterns(&["Order*"]), ..none.clone() }, "event_type like 'Order%'"),
        (EventFilter { event_type: patterns(&["*_S*"]), ..none.clone() }, "event_type = 'Invoice_Sent'"),
        (
            EventFilter { event_type: patterns(&["Invoice_Sent", "*Paid"]), ..none.clone() },
            "event_type <> 'OrderPlaced'",
        ),
        (
            EventFilter { event_type: patterns(&["OrderPaid", "OrderPlaced"]), ..none.clone() },
            "event_type like 'Order%'",
        ),
        (
            EventFilter { organization_id: text(&["acme", "beta"]), source: text(&["s-1"]), ..none.clone() },
            "source = 's-1'",
        ),
        (EventFilter { correlation_id: text(&["c-1"]), ..none.clone() }, "true"),
        (EventFilter { causation_id: text(&["cause"]), ..none.clone() }, "causation_id = 'cause'"),
        (
            EventFilter {
                aggregate_type: patterns(&["Order"]),
                aggregate_id: text(&["o-1"]),
                user_id: text(&["u-2"]),
                ..none.clone()
            },
            "user_id = 'u-2'",
        ),
        (
            EventFilter { from: Some(at(NOON + 3 * DAY)), to: Some(at(NOON + 30 * DAY)), ..none.clone() },
            "\"timestamp\" >= '2025-11-23 12:00+00' and \"timestamp\" < '2025-12-20 12:00+00'",
        ),
        (EventFilter { source: text(&["s-1\0"]), ..none.clone() }, "false"),
        (EventFilter { user_id: text(&["nobody"]), ..none }, "false"),
    ];
    for (filter, condition) in filters {
        for (order, sort, sql) in [
            (Order::Descending, Sort::Time, "\"timestamp\" desc, log_id desc, \"offset\" desc"),
            (Order::Ascending, Sort::Time, "\"timestamp\", log_id, \"offset\""),
            (Order::Ascending, Sort::Recorded, "append_no, \"offset\""),
            (Order::Descending, Sort::Recorded, "append_no desc, \"offset\" desc"),
        ] {
            let rows = all_pages(&reader, request(filter.clone(), order, sort)).await;
            let wanted = expected(&database, condition, sql).await;
            assert_eq!(positions(&rows), wanted, "{condition} {order:?} {sort:?}");
        }
        let count = reader.count(&filter, &Scope::All, None).await.unwrap();
        let wanted = expected(&database, condition, "1").await.len();
        assert_eq!(count, wanted as u64, "{condition}");
        assert_eq!(reader.count(&filter, &Scope::All, Some(5)).await.unwrap(), wanted.min(5) as u64);
    }
}

#[tokio::test]
async fn every_read_keeps_to_its_scope() {
    let (database, reader) = filled().await;
    let beta = Scope::Organization("beta".to_owned());
    let widened = EventFilter { organization_id: vec!["acme".to_owned()], ..EventFilter::default() };
    for sort in [Sort::Time, Sort::Recorded] {
        let own =
            PageRequest { scope: beta.clone(), ..request(EventFilter::default(), Order::Descending, sort) };
        let rows = all_pages(&reader, own).await;
        assert_eq!(rows.len(), 20);
        for row in rows {
            let whole = reader.find_event(&Scope::All, row.event_id()).await.unwrap().unwrap();
            assert_eq!(whole.organization_id(), "beta");
        }
        let other = PageRequest { scope: beta.clone(), ..request(widened.clone(), Order::Descending, sort) };
        assert!(all_pages(&reader, other).await.is_empty());
        let nobody = PageRequest {
            scope: Scope::Organization(String::new()),
            ..request(EventFilter::default(), Order::Descending, sort)
        };
        assert!(all_pages(&reader, nobody).await.is_empty());
    }
    assert_eq!(reader.count(&EventFilter::default(), &beta, None).await.unwrap(), 20);
    assert!(reader.find_event(&beta, id(0)).await.unwrap().is_some());
    assert!(reader.find_event(&beta, id(1)).await.unwrap().is_none());
    assert!(reader.find_event(&Scope::All, id(1)).await.unwrap().is_some());
    assert!(reader.find_event(&Scope::All, id(999)).await.unwrap().is_none());
    assert_eq!(reader.organizations_of(&Scope::All, "Order", "o-1").await.unwrap(), ["acme", "beta"]);
    assert_eq!(reader.organizations_of(&beta, "Order", "o-1").await.unwrap(), ["beta"]);
    assert!(reader.organizations_of(&Scope::All, "Order", "o\0").await.unwrap().is_empty());
    let acme = aggregate("acme");
    assert!(reader.history(&beta, &acme, &HistoryRange::default(), None, 100).await.unwrap().is_empty());
    assert_eq!(reader.integrity(&beta, &acme).await.unwrap(), store::Integrity::default());
    let log_id = database.logs("audit.events", 1).await[0].log_id;
    // Offset 0 is beta's, offset 1 acme's.
    for (offset, is_seen) in [(0, true), (1, false), (29, false), (30, false)] {
        let fate = reader.record(&beta, &address(offset)).await.unwrap();
        assert_eq!(fate.is_some(), is_seen, "offset {offset}");
        if let Some(fate) = fate {
            assert_eq!(fate.position, Position { log_id, offset });
        }
    }
}

fn aggregate(organization: &str) -> AggregateKey {
    AggregateKey {
        organization_id: organization.to_owned(),
        aggregate_type: "Order".to_owned(),
        aggregate_id: "o-1".to_owned(),
    }
}

fn address(offset: i64) -> RecordAddress {
    RecordAddress { cluster: None, topic: "audit.events".to_owned(), partition: 0, incarnation: None, offset }
}

#[tokio::test]
async fn a_history_comes_by_version_and_then_as_recorded() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 2).await;
    let mut writer = database.writer().await;
    let version = |offset, number, version, months: i64| {
        let mut event = event(number, NOON - months * 31 * DAY);
        event.version = version;
        candidate(offset, event)
    };
    // Versions 9, 2, 2, 0, 5 in one append, 1, 6, 5 in the next; spread over months.
    let first = vec![
        version(0, 1, 9, 0),
        version(1, 2, 2, 5),
        version(2, 3, 2, 1),
        version(3, 4, 0, 2),
        version(4, 5, 5, 3),
    ];
    writer.append(&mut batch(vec![span(&logs[1], first)])).await.unwrap();
    let second = vec![version(0, 6, 1, 9), version(1, 7, 6, 0), version(2, 8, 5, 0)];
    writer.append(&mut batch(vec![span(&logs[0], second)])).await.unwrap();
    let reader = reader(&database).await;
    let key = aggregate("acme");
    let numbers =
        |rows: &[EventRow]| -> Vec<u128> { rows.iter().map(|row| row.event_id().as_u128() & 0xff).collect() };
    let history = async |range: HistoryRange| {
        numbers(&reader.history(&Scope::All, &key, &range, None, 100).await.unwrap())
    };
    let whole = HistoryRange::default();
    assert_eq!(history(whole.clone()).await, [4, 6, 2, 3, 5, 8, 7, 1]);
    assert_eq!(
        history(HistoryRange { from_version: Some(2), to_version: Some(5), ..whole.clone() }).await,
        [2, 3, 5, 8]
    );
    assert_eq!(history(HistoryRange { until_append: Some(1), ..whole.clone() }).await, [4, 2, 3, 5, 1]);
    assert_eq!(
        history(HistoryRange { at: Some(at(NOON - 31 * DAY)), ..whole.clone() }).await,
        [4, 6, 2, 3, 5]
    );
    assert_eq!(
        history(HistoryRange { from: Some(at(NOON - 31 * DAY)), to: Some(at(NOON)), ..whole.clone() }).await,
        [3]
    );
    // In steps of two.
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let step = reader.history(&Scope::All, &key, &whole, after, 2).await.unwrap();
        let Some(last) = step.last() else { break };
        assert!(step.len() <= 2);
        after = Some(HistoryKey::from(last));
        rows.extend(step);
    }
    assert_eq!(numbers(&rows), [4, 6, 2, 3, 5, 8, 7, 1]);
    let integrity = reader.integrity(&Scope::All, &key).await.unwrap();
    assert_eq!((integrity.gaps, integrity.forks), (vec![(3, 4), (7, 8)], vec![2, 5]));
    assert_eq!(reader.integrity(&Scope::All, &aggregate("beta")).await.unwrap(), store::Integrity::default());
}

/// All that a walk from the start gives; it may keep what it knows of the appends ahead.
async fn walked(reader: &Reader, filter: &EventFilter, limits: ChunkLimits, keeps: bool) -> Vec<Position> {
    let head = reader.head().await.unwrap();
    let (mut cursor, mut seen, mut ahead) = (RecordedCursor::START, Vec::new(), Ahead::default());
    loop {
        if !keeps {
            ahead = Ahead::default();
        }
        let chunk =
            reader.recorded_chunk(&Scope::All, filter, cursor, head, limits, &mut ahead).await.unwrap();
        assert!(chunk.rows.len() <= limits.rows as usize);
        assert!(chunk.reached > cursor || chunk.complete, "{cursor:?} {limits:?}");
        cursor = chunk.reached;
        seen.extend(positions(&chunk.rows));
        if chunk.complete {
            assert_eq!(cursor, RecordedCursor { append_no: head + 1, offset: None });
            return seen;
        }
    }
}

/// Appends of 300, 3, 1, 160, 70 and 70 rows, which are read alone or together, and in parts.
#[tokio::test]
async fn large_and_small_appends_are_walked_through_alike() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 2).await;
    let mut writer = database.writer().await;
    let of = |log: usize, from: i64, numbers: std::ops::Range<u64>| {
        changed_events(&logs[log], from, numbers, |nth, event| {
            event.promoted.user_id = format!("u-{}", nth % 50);
        })
    };
    for spans in [
        vec![of(0, 0, 0..300), of(1, 0, 300..303)],
        vec![of(0, 300, 303..304), of(1, 3, 304..464)],
        vec![of(0, 301, 464..534), of(1, 163, 534..604)],
    ] {
        writer.append(&mut batch(spans)).await.unwrap();
    }
    let reader = reader(&database).await;
    let one = EventFilter { user_id: vec!["u-7".to_owned()], ..EventFilter::default() };
    let most = EventFilter { event_type: vec![Pattern::parse("Order*")], ..EventFilter::default() };
    for (filter, condition) in [(EventFilter::default(), "true"), (one, "user_id = 'u-7'"), (most, "true")] {
        let wanted = expected(&database, condition, "append_no, \"offset\"").await;
        for rows in [13, 64, 100, 160, 299, 300, 301, 640, 1000] {
            let limits = ChunkLimits { rows, ..ChunkLimits::default() };
            let seen = walked(&reader, &filter, limits, rows % 2 == 0).await;
            assert_eq!(seen, wanted, "{condition}, {rows} at once");
        }
        // Full pages, in both directions.
        for (order, sql) in [
            (Order::Ascending, "append_no, \"offset\""),
            (Order::Descending, "append_no desc, \"offset\" desc"),
        ] {
            let request = PageRequest { limit: 99, ..request(filter.clone(), order, Sort::Recorded) };
            let wanted = expected(&database, condition, sql).await;
            assert_eq!(positions(&all_pages(&reader, request).await), wanted, "{condition} {order:?}");
        }
    }
}

#[tokio::test]
async fn chunks_cut_anywhere_give_recorded_order_once() {
    let (database, reader) = filled().await;
    let wanted = expected(&database, "true", "append_no, \"offset\"").await;
    let head = reader.head().await.unwrap();
    assert_eq!(head, 4);
    let limits = [
        ChunkLimits { rows: 1, ..ChunkLimits::default() },
        ChunkLimits { rows: 7, ..ChunkLimits::default() },
        ChunkLimits { bytes: 1, ..ChunkLimits::default() },
        ChunkLimits { bytes: 3_000, ..ChunkLimits::default() },
        ChunkLimits { scan: Duration::ZERO, ..ChunkLimits::default() },
        ChunkLimits::default(),
    ];
    for limits in limits {
        for keeps in [true, false] {
            let seen = walked(&reader, &EventFilter::default(), limits, keeps).await;
            assert_eq!(seen, wanted, "{limits:?}");
        }
    }
    // From any position on, as a client that kept it would.
    for (nth, position) in wanted.iter().enumerate() {
        let cursor = reader.locate(*position).await.unwrap().unwrap();
        let limits = ChunkLimits::default();
        let chunk = reader
            .recorded_chunk(&Scope::All, &EventFilter::default(), cursor, head, limits, &mut Ahead::default())
            .await
            .unwrap();
        assert_eq!(positions(&chunk.rows), wanted[nth + 1..], "{position}");
    }
    assert_eq!(reader.locate(Position { log_id: 1, offset: 30 }).await.unwrap(), None);
    assert_eq!(reader.locate(Position { log_id: 99, offset: 0 }).await.unwrap(), None);
    // `until` is a bound, and a filter that matches nothing still gets there.
    let nothing = EventFilter { user_id: vec!["nobody".to_owned()], ..EventFilter::default() };
    for filter in [EventFilter::default(), nothing] {
        let chunk = reader
            .recorded_chunk(
                &Scope::All,
                &filter,
                RecordedCursor::START,
                2,
                ChunkLimits::default(),
                &mut Ahead::default(),
            )
            .await
            .unwrap();
        assert!(chunk.complete && chunk.rows.len() == if filter == EventFilter::default() { 30 } else { 0 });
        assert_eq!(chunk.reached, RecordedCursor { append_no: 3, offset: None });
    }
}

#[tokio::test]
async fn an_ascending_recorded_page_can_be_polled() {
    let (database, reader) = filled().await;
    let mut request = request(EventFilter::default(), Order::Ascending, Sort::Recorded);
    request.limit = 1000;
    let page = reader.page(&request).await.unwrap();
    assert_eq!(page.events.len(), 60);
    request.after = page.next;
    let page = reader.page(&request).await.unwrap();
    assert_eq!((page.events.len(), page.next), (0, Some(PageKey::Recorded { append_no: 5, offset: None })));
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    writer.append(&mut batch(vec![events(&logs[0], 30, 900..902)])).await.unwrap();
    request.after = page.next;
    assert_eq!(reader.page(&request).await.unwrap().events.len(), 2);
}

#[tokio::test]
async fn every_record_has_a_fate() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    let entries = vec![
        skipped(0, 5, DispositionKind::BeforeStart),
        candidate(5, event(1, NOON)),
        candidate(6, event(1, NOON)),
        rejected(7, Reason::PayloadInvalid, "/a"),
        skipped(8, 10, DispositionKind::Gap),
    ];
    writer.append(&mut batch(vec![span(&logs[0], entries)])).await.unwrap();
    let reader = reader(&database).await;
    let wanted = [
        (0, RecordState::Skipped, Some(DispositionKind::BeforeStart), false),
        (4, RecordState::Skipped, Some(DispositionKind::BeforeStart), false),
        (5, RecordState::Stored, None, true),
        (6, RecordState::Duplicate, Some(DispositionKind::Duplicate), true),
        (7, RecordState::DeadLettered, Some(DispositionKind::DeadLettered), false),
        (9, RecordState::Skipped, Some(DispositionKind::Gap), false),
        (10, RecordState::NotRead, None, false),
    ];
    for (offset, state, kind, has_event) in wanted {
        let fate = reader.record(&Scope::All, &address(offset)).await.unwrap().unwrap();
        assert_eq!(
            (fate.state, fate.kind, fate.event.is_some()),
            (state, kind, has_event),
            "offset {offset}"
        );
        assert_eq!(fate.event_id, has_event.then(|| id(1)));
        if state == RecordState::DeadLettered {
            assert_eq!((fate.reason, fate.pointer.as_deref()), (Some(Reason::PayloadInvalid), Some("/a")));
        }
    }
    let own = Scope::Organization("acme".to_owned());
    for (offset, _, _, has_event) in wanted {
        assert_eq!(
            reader.record(&own, &address(offset)).await.unwrap().is_some(),
            has_event,
            "offset {offset}"
        );
    }
    let elsewhere = RecordAddress { topic: "nobody".to_owned(), ..address(0) };
    assert!(reader.record(&Scope::All, &elsewhere).await.unwrap().is_none());
    let operator = database.client("audit_operator").await;
    store::ledger::new_incarnation(&operator, "default", "audit.events", 0).await.unwrap();
    let newest = reader.record(&Scope::All, &address(5)).await.unwrap().unwrap();
    assert_eq!((newest.state, newest.log.incarnation), (RecordState::NotRead, 2));
    let first = RecordAddress { incarnation: Some(1), ..address(5) };
    assert_eq!(reader.record(&Scope::All, &first).await.unwrap().unwrap().state, RecordState::Stored);
}

#[tokio::test]
async fn dead_letters_come_newest_first_and_without_their_records_on_demand() {
    let database = TestDatabase::create().await;
    let logs = database.logs("audit.events", 1).await;
    let mut writer = database.writer().await;
    for nth in 0..5 {
        let reason = if nth == 3 { Reason::Undecodable } else { Reason::PayloadInvalid };
        writer.append(&mut batch(vec![span(&logs[0], vec![rejected(nth, reason, "/a")])])).await.unwrap();
    }
    let reader = reader(&database).await;
    let mut request = DeadLetterRequest { limit: 2, with_records: true, ..DeadLetterRequest::default() };
    let mut offsets = Vec::new();
    loop {
        let page = reader.dead_letters(&Scope::All, &request).await.unwrap();
        assert!(page.letters.iter().all(|letter| letter.record == *record("broken")));
        offsets.extend(page.letters.iter().map(|letter| letter.position.offset));
        request.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(offsets, [4, 3, 2, 1, 0]);
    let only =
        DeadLetterRequest { limit: 9, reason: Some(Reason::Undecodable), ..DeadLetterRequest::default() };
    let page = reader.dead_letters(&Scope::All, &only).await.unwrap();
    assert_eq!((page.letters.len(), page.letters[0].position.offset), (1, 3));
    let time_alone =
        store::RawRecord { timestamp_ms: record("").timestamp_ms, ..store::RawRecord::default() };
    assert_eq!(page.letters[0].record, time_alone);
    let one = reader.dead_letter(&Scope::All, page.letters[0].position).await.unwrap().unwrap();
    assert_eq!(one.record, *record("broken"));
    let own = Scope::Organization("acme".to_owned());
    assert!(reader.dead_letters(&own, &only).await.unwrap().letters.is_empty());
    assert!(reader.dead_letter(&own, one.position).await.unwrap().is_none());
}

#[tokio::test]
async fn a_row_gives_back_the_event_and_its_view() {
    let (_database, reader) = filled().await;
    let row = reader.find_event(&Scope::All, id(7)).await.unwrap().unwrap();
    let event = row.to_event();
    assert_eq!((event.event_id, event.version, event.promoted.causation_id.as_str()), (id(7), 7, "cause"));
    assert_eq!(row.retention_class(), "standard");
    let mut json = Vec::new();
    row.view().write_json(&mut json);
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["payload"], serde_json::json!({"number": 7}));
    assert_eq!(json["position"], row.position().to_string());
}
