//! What no noise disturbs: the shape of plans over 84 months and two classes (semantics.md 6, 7, 11).

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod support;

use shared::filter::{EventFilter, Order, PageKey, Pattern, Sort};
use shared::index_set::IndexSet;
use shared::position::Position;
use shared::scope::Scope;
use store::{AggregateKey, PageRequest, Reader, RecordedCursor};
use support::*;

/// 84 months from 2019 on, 60,000 events, with statistics.
async fn filled(indexes: IndexSet) -> (TestDatabase, Reader) {
    let database = TestDatabase::with_indexes(indexes).await;
    let logs = database.logs("audit.events", 1).await;
    let client = database.superuser_client().await;
    client
        .execute(
            "select audit.ensure_month((date '2018-12-15' + make_interval(months => m))::date) from generate_series(0, 83) m",
            &[],
        )
        .await
        .unwrap();
    client
        .execute(
            "insert into audit.events select timestamptz '2018-12-02' + make_interval(secs => n * 3600), now(), n, $1, \
             n / 5000, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, \
             case n % 7 when 0 then 'access' else 'standard' end, 'org-' || n % 50, 'Order', 'o-' || n % 5000, \
             'type-' || n % 20, 'u-' || n % 900, 'c-' || n / 4, '', 's', 'a', '{}', '{}' from generate_series(1, 60000) n",
            &[&logs[0].log_id],
        )
        .await
        .unwrap();
    client.batch_execute("analyze audit.events").await.unwrap();
    let reader = Reader::connect(&database.url("audit_api"), 1, "store-test").await.unwrap();
    (database, reader)
}

/// Nodes of a plan that ran, without their details.
fn ran<'a>(plan: &'a [String], node: &str) -> Vec<&'a String> {
    plan.iter()
        .filter(|line| line.trim_start().trim_start_matches("->").trim_start().starts_with(node))
        .filter(|line| !line.contains("never executed"))
        .collect()
}

/// The part of a plan that ran, short enough to read.
fn shown(plan: &[String]) -> String {
    let lines: Vec<&str> =
        plan.iter().map(String::as_str).filter(|line| !line.contains("never executed")).take(40).collect();
    lines.join("\n")
}

fn page(filter: EventFilter, scope: Scope, after: Option<PageKey>) -> PageRequest {
    PageRequest { filter, scope, sort: Sort::Time, order: Order::Descending, limit: 100, after }
}

#[tokio::test]
async fn pages_and_histories_have_the_plans_that_were_measured() {
    let (_database, reader) = filled(IndexSet::Standard).await;
    let text = |value: &str| vec![value.to_owned()];
    let none = EventFilter::default();
    let one = |name: &str| EventFilter { event_type: vec![Pattern::parse(name)], ..EventFilter::default() };
    let filters = [
        ("none", none.clone(), Scope::All),
        ("one organisation", none.clone(), Scope::Organization("org-7".to_owned())),
        ("type", one("type-3"), Scope::All),
        ("type and organisation", one("type-3"), Scope::Organization("org-3".to_owned())),
        ("user", EventFilter { user_id: text("u-7"), ..none.clone() }, Scope::All),
        ("source", EventFilter { source: text("s"), ..none.clone() }, Scope::All),
    ];
    let middle = at(1_640_000_000_000_000);
    let cursor = PageKey::Time(middle, Position { log_id: 1, offset: 30_000 });
    for (what, filter, scope) in filters {
        for after in [None, Some(cursor)] {
            let plan = reader.explain_page(&page(filter.clone(), scope.clone(), after)).await.unwrap();
            assert!(ran(&plan, "Sort (").is_empty(), "{what}: a full sort\n{}", shown(&plan));
            assert!(ran(&plan, "Seq Scan").is_empty(), "{what}: a whole partition\n{}", shown(&plan));
            assert!(!ran(&plan, "Index Scan").is_empty(), "{what}\n{}", shown(&plan));
        }
    }
    // The first page of everything stops in the newest month; one from a cursor opens no month after it.
    let plan = reader.explain_page(&page(none.clone(), Scope::All, None)).await.unwrap();
    assert!(ran(&plan, "Index Scan").len() <= 6, "{}", shown(&plan));
    let plan = reader.explain_page(&page(none.clone(), Scope::All, Some(cursor))).await.unwrap();
    assert!(!plan.iter().any(|line| line.contains("events_2022")), "{}", shown(&plan));
    // A time range opens only its months.
    let range = EventFilter { from: Some(middle), to: Some(at(middle.as_micros() + DAY)), ..none.clone() };
    let plan = reader.explain_page(&page(range, Scope::All, None)).await.unwrap();
    assert!(ran(&plan, "Index Scan").len() <= 2, "{}", shown(&plan));
    assert!(plan.iter().any(|line| line.contains("events_2021_12")), "{}", shown(&plan));
    // What is selective by an index without time is looked up there, and may be sorted.
    let correlated = EventFilter { correlation_id: text("c-77"), ..none.clone() };
    let plan = reader.explain_page(&page(correlated, Scope::All, None)).await.unwrap();
    assert!(plan.iter().any(|line| line.contains("_correlation_id_")), "{}", shown(&plan));
    assert!(!plan.iter().any(|line| line.contains("_timestamp_idx")), "{}", shown(&plan));
    // Several values: each by its own index, merged.
    let users = EventFilter { user_id: vec!["u-7".to_owned(), "u-8".to_owned()], ..none };
    let plan = reader.explain_page(&page(users, Scope::All, None)).await.unwrap();
    assert!(
        ran(&plan, "Seq Scan").is_empty() && plan.iter().any(|line| line.contains("_user_id_")),
        "{}",
        shown(&plan)
    );

    assert_histories_are_merged(&reader).await;
}

/// A history is read in order from the index of every leaf.
async fn assert_histories_are_merged(reader: &Reader) {
    let key = AggregateKey {
        organization_id: "org-7".to_owned(),
        aggregate_type: "Order".to_owned(),
        aggregate_id: "o-7".to_owned(),
    };
    for scope in [Scope::All, Scope::Organization("org-7".to_owned())] {
        let plan = reader.explain_history(&scope, &key).await.unwrap();
        assert!(!ran(&plan, "Merge Append").is_empty(), "{}", shown(&plan));
        assert!(ran(&plan, "Sort (").is_empty(), "{}", shown(&plan));
        assert!(ran(&plan, "Seq Scan").is_empty(), "{}", shown(&plan));
        let leaves = plan.iter().filter(|line| line.contains("Index Scan using")).count();
        assert!(leaves >= 84 * 2, "{leaves} leaves");
    }
}

#[tokio::test]
async fn the_essential_set_reads_pages_along_time_and_the_rest_as_before() {
    let (database, reader) = filled(IndexSet::Essential).await;
    let text = |value: &str| vec![value.to_owned()];
    let none = EventFilter::default();
    let from = at(1_640_000_000_000_000);
    let month = EventFilter { from: Some(from), to: Some(at(from.as_micros() + 31 * DAY)), ..none.clone() };
    let types = vec![Pattern::parse("type-3"), Pattern::parse("type-4")];
    let filters = [
        ("none", none.clone(), Scope::All),
        ("an organisation's own", none.clone(), Scope::Organization("org-7".to_owned())),
        ("types", EventFilter { event_type: types, ..month.clone() }, Scope::All),
        ("prefix", EventFilter { event_type: vec![Pattern::parse("type-1*")], ..month.clone() }, Scope::All),
        ("user", EventFilter { user_id: text("u-7"), ..month.clone() }, Scope::All),
        (
            "users",
            EventFilter { user_id: vec!["u-7".to_owned(), "u-8".to_owned()], ..month.clone() },
            Scope::All,
        ),
        ("organisation", EventFilter { organization_id: text("org-7"), ..month.clone() }, Scope::All),
        ("correlation", EventFilter { correlation_id: text("c-77"), ..month.clone() }, Scope::All),
        ("causation", EventFilter { causation_id: text("c-77"), ..month.clone() }, Scope::All),
    ];
    for (what, filter, scope) in filters {
        let bounded = filter.from.is_some();
        let plan = reader.explain_page(&page(filter, scope, None)).await.unwrap();
        assert!(ran(&plan, "Sort (").is_empty(), "{what}: a full sort\n{}", shown(&plan));
        assert!(ran(&plan, "Seq Scan").is_empty(), "{what}: a whole partition\n{}", shown(&plan));
        let scans = ran(&plan, "Index Scan");
        assert!(!scans.is_empty(), "{what}\n{}", shown(&plan));
        assert!(scans.iter().all(|line| line.contains("_timestamp_idx")), "{what}\n{}", shown(&plan));
        // 31 days are in two months at most, each with two classes.
        assert!(!bounded || scans.len() <= 4, "{what}\n{}", shown(&plan));
    }
    let aggregate = EventFilter {
        aggregate_type: vec![Pattern::parse("Order")],
        aggregate_id: text("o-7"),
        user_id: text("u-7"),
        ..none
    };
    let plan = reader.explain_page(&page(aggregate, Scope::All, None)).await.unwrap();
    // Each larger leaf by the index that leads to the aggregate; those of a page or two are read whole.
    let leaves = ran(&plan, "Index Scan");
    assert!(leaves.len() >= 80, "{} leaves\n{}", leaves.len(), shown(&plan));
    assert!(leaves.iter().all(|line| line.contains("_aggregate_type_aggregate_id_")), "{}", shown(&plan));
    assert_histories_are_merged(&reader).await;
    assert_recorded_order_is_by_its_index(&database, &reader).await;
}

/// Compiling a verification's statements over 252 leaves took thirty times as long as running them.
#[tokio::test]
async fn no_session_compiles_its_statements() {
    let database = TestDatabase::create().await;
    let operator = database.client("audit_operator").await;
    let jit: String = operator.query_one("show jit", &[]).await.unwrap().get(0);
    assert_eq!(jit, "off");
}

#[tokio::test]
async fn recorded_order_is_read_along_its_index_whatever_times_an_append_spans() {
    let (database, reader) = filled(IndexSet::Standard).await;
    assert_recorded_order_is_by_its_index(&database, &reader).await;
}

async fn assert_recorded_order_is_by_its_index(database: &TestDatabase, reader: &Reader) {
    // One append over all 84 months: what a first ingest of old data looks like.
    let client = database.superuser_client().await;
    client
        .batch_execute(
            "insert into audit.appends select 1, now(), 1, 60001, min(\"timestamp\"), max(\"timestamp\"), 0, min(log_id), \
             60000, 0, 0, sha256('') from audit.events",
        )
        .await
        .unwrap();
    let behind = RecordedCursor { append_no: 1, offset: Some(30_000) };
    for filter in [
        EventFilter::default(),
        EventFilter { user_id: vec!["u-7".to_owned()], ..EventFilter::default() },
        EventFilter { event_type: vec![Pattern::parse("type-3")], ..EventFilter::default() },
    ] {
        let plan = reader.explain_recorded(&Scope::All, &filter, behind, 1).await.unwrap();
        assert!(!ran(&plan, "Merge Append").is_empty(), "{}", shown(&plan));
        assert!(ran(&plan, "Bitmap").is_empty() && ran(&plan, "Seq Scan").is_empty(), "{}", shown(&plan));
        let scans = ran(&plan, "Index Scan");
        assert!(scans.iter().all(|line| line.contains("_log_id_offset_idx")), "{}", shown(&plan));
    }
}
