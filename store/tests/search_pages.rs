//! Pages of what payloads contain, where an index leads to it: one after the other they are the whole list, in its order.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod support;

use shared::filter::{EventFilter, Order, Sort};
use shared::payload_query::PayloadQuery;
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use store::indexes::{Lookup, Optional, create};
use store::{PageRequest, Reader};
use support::*;

const MINUTE: i64 = 60_000_000;
const EVENTS: i64 = 2_000;

/// Five at a time, every ten minutes; the last hundred forty days before the others.
fn time(nth: i64) -> i64 {
    let earlier = if nth >= EVENTS - 100 { 40 * DAY } else { 0 };
    NOON + nth / 5 * 10 * MINUTE - earlier
}

/// A third of the events, one in a hundred, one.
fn kind(nth: i64) -> &'static str {
    match nth {
        1234 => "one",
        _ if nth % 100 == 7 => "rare",
        _ if nth % 3 == 0 => "common",
        _ => "other",
    }
}

async fn filled(database: &TestDatabase) -> Reader {
    let log = database.logs("audit.events", 1).await.remove(0);
    let entries = (0..EVENTS).map(|nth| {
        let mut event = event(nth.unsigned_abs(), time(nth));
        event.payload = format!(r#"{{"kind":"{}"}}"#, kind(nth));
        ["acme", "beta"][usize::from(nth % 2 == 1)].clone_into(&mut event.organization_id);
        candidate(nth, event)
    });
    database.writer().await.append(&mut batch(vec![span(&log, entries.collect())])).await.unwrap();
    create(&database.url("audit_migrator"), &Optional::Payload, |_| {}).await.unwrap();
    let reader = Reader::connect(&database.url("audit_api"), 2, "store-test").await.unwrap();
    assert!(reader.indexes().has(Lookup::Payload));
    reader
}

/// The offsets of all pages, one after the other.
async fn paged(reader: &Reader, mut request: PageRequest) -> Vec<i64> {
    let mut offsets = Vec::new();
    loop {
        let page = reader.page(&request).await.unwrap();
        assert!(page.events.len() <= request.limit as usize);
        offsets.extend(page.events.iter().map(|row| row.position().offset));
        request.after = page.next;
        if request.after.is_none() {
            return offsets;
        }
    }
}

#[tokio::test]
async fn pages_by_an_index_are_the_list_once_and_in_order() {
    let database = TestDatabase::create().await;
    let reader = filled(&database).await;
    let ranges = [(None, None), (Some(-41 * DAY), Some(3 * DAY)), (Some(DAY), None), (None, Some(-39 * DAY))];
    for (wanted, limit) in [("common", 7), ("common", 100), ("rare", 7), ("one", 7), ("none", 7)] {
        for (from, to) in ranges {
            for order in [Order::Descending, Order::Ascending] {
                let at = |shift: Option<i64>| shift.map(|shift| Timestamp::from_micros(NOON + shift));
                let filter = EventFilter {
                    payload: Some(PayloadQuery::parse(&format!(r#"{{"kind":"{wanted}"}}"#)).unwrap()),
                    from: at(from),
                    to: at(to),
                    ..EventFilter::default()
                };
                let scope = Scope::Organization("acme".to_owned());
                let request = PageRequest { filter, scope, sort: Sort::Time, order, limit, after: None };
                let within = |nth: &i64| {
                    let time = time(*nth) - NOON;
                    from.is_none_or(|from| time >= from) && to.is_none_or(|to| time < to)
                };
                let mut list: Vec<i64> =
                    (0..EVENTS).filter(|nth| nth % 2 == 0 && kind(*nth) == wanted).filter(within).collect();
                list.sort_by_key(|nth| (time(*nth), *nth));
                if order == Order::Descending {
                    list.reverse();
                }
                assert_eq!(paged(&reader, request).await, list, "{wanted} {from:?} {to:?} {order:?}");
            }
        }
    }
}
