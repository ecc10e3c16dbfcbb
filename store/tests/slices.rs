//! An organisation's pages without an index of its own (semantics.md 7, 11): whole, in order, however sparse its events
//! are among others'.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod support;

use std::time::Instant;

use shared::filter::{EventFilter, Order, Sort};
use shared::index_set::IndexSet;
use shared::scope::Scope;
use store::{PageRequest, Reader, StoreError};
use support::*;

/// Event times of both organisations: 1948 to now and a bit ahead, ties, the edges of months and of the first one.
fn times() -> Vec<i64> {
    let new_year_2000 = 946_684_800 * SECOND;
    let mut times = vec![
        -694_310_400 * SECOND, // 1948
        -1,
        0,
        0,
        new_year_2000 - 1,
        new_year_2000,
        new_year_2000,
        new_year_2000 + 31 * DAY - 1,
        new_year_2000 + 31 * DAY,
    ];
    times.extend((0..40).map(|nth| NOON - nth * nth * 5 * DAY));
    times.extend((0..60).map(|nth| NOON - nth / 3 * SECOND));
    times.push(NOON + DAY);
    times
}

async fn filled(set: IndexSet) -> (TestDatabase, Reader) {
    let database = TestDatabase::with_indexes(set).await;
    let logs = database.logs("audit.events", 2).await;
    let mut writer = database.writer().await;
    for (nth, log) in logs.iter().enumerate() {
        let entries = times()
            .into_iter()
            .zip(0u64..)
            .map(|(time, number)| {
                let mut event = event(number * 2 + nth as u64, time);
                // Every time has events of both; one in three is of the sparse organisation.
                let sparse = (number + nth as u64).is_multiple_of(3);
                ["acme", "beta"][usize::from(sparse)].clone_into(&mut event.organization_id);
                candidate(i64::try_from(number).unwrap(), event)
            })
            .collect();
        writer.append(&mut batch(vec![span(log, entries)])).await.unwrap();
    }
    let reader = Reader::connect(&database.url("audit_api"), 2, "store-test").await.unwrap();
    (database, reader)
}

fn request(organization: &str, order: Order, limit: u32) -> PageRequest {
    let scope = Scope::Organization(organization.to_owned());
    PageRequest { filter: EventFilter::default(), scope, sort: Sort::Time, order, limit, after: None }
}

/// Every page, following its next key.
async fn all_pages(reader: &Reader, mut request: PageRequest) -> Vec<uuid::Uuid> {
    let mut ids = Vec::new();
    for _ in 0..1000 {
        let page = reader.page(&request).await.unwrap();
        assert!(page.events.len() <= request.limit as usize);
        ids.extend(page.events.iter().map(store::EventRow::event_id));
        match page.next {
            Some(next) => {
                assert_ne!(request.after, Some(next), "a page that moves nothing on");
                request.after = Some(next);
            }
            None => return ids,
        }
    }
    panic!("the list does not end");
}

#[tokio::test]
async fn pages_without_an_index_are_the_pages_with_it() {
    let (_standard, with) = filled(IndexSet::Standard).await;
    let (_essential, without) = filled(IndexSet::Essential).await;
    let bound = |micros: i64| Some(at(micros));
    let ranges = [
        (None, None),
        (bound(NOON - 3000 * DAY), None),
        (None, bound(NOON)),
        (bound(0), bound(946_684_800 * SECOND)),
        (bound(NOON - 2 * SECOND), bound(NOON - SECOND)),
        (
            bound(shared::timestamp::Timestamp::MIN.as_micros()),
            bound(shared::timestamp::Timestamp::MAX.as_micros()),
        ),
    ];
    for organization in ["acme", "beta"] {
        for order in [Order::Descending, Order::Ascending] {
            for (from, to) in ranges {
                for limit in [1, 7, 1000] {
                    let mut request = request(organization, order, limit);
                    (request.filter.from, request.filter.to) = (from, to);
                    let wanted = all_pages(&with, request.clone()).await;
                    let found = all_pages(&without, request).await;
                    assert_eq!(found, wanted, "{organization} {order:?} {from:?} {to:?} {limit}");
                }
            }
        }
    }
    let all = all_pages(&without, request("beta", Order::Descending, 1000)).await;
    assert!(all.len() > 60, "{}", all.len());
    assert!(all_pages(&without, request("nobody", Order::Ascending, 10)).await.is_empty());
}

#[tokio::test]
async fn a_store_without_events_has_no_pages() {
    let database = TestDatabase::with_indexes(IndexSet::Essential).await;
    let reader = Reader::connect(&database.url("audit_api"), 1, "store-test").await.unwrap();
    assert!(all_pages(&reader, request("acme", Order::Descending, 10)).await.is_empty());
}

#[tokio::test]
async fn slices_that_never_come_end_in_a_timeout() {
    let (database, reader) = filled(IndexSet::Essential).await;
    // Once before the lock, so that it meets the statement and not its preparation.
    reader.page(&request("beta", Order::Descending, 10)).await.unwrap();
    let holder = database.superuser_client().await;
    holder
        .batch_execute("begin; lock table only audit.events_2025_11_standard in access exclusive mode")
        .await
        .unwrap();
    let begun = Instant::now();
    let error = reader.page(&request("beta", Order::Descending, 10)).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout), "{error}");
    assert!((3..9).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    holder.batch_execute("rollback").await.unwrap();
    reader.page(&request("beta", Order::Descending, 10)).await.unwrap();
}
