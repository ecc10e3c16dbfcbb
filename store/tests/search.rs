//! Search in payloads (semantics.md 7, 9, 12): what contains what, with an index and without one, protected values, rows
//! that nobody expects, words, and whose events are found.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod documents;
mod support;

use std::collections::BTreeSet;

use documents::{Document, documents, questions};
use shared::filter::{EventFilter, Order, Sort};
use shared::payload_query::PayloadQuery;
use shared::scope::Scope;
use shared::text_query::{TextFields, TextQuery};
use store::indexes::{Lookup, Optional, OptionalName, Presence, create, inventory, remove};
use store::{Ahead, ChunkLimits, PageRequest, Reader, RecordedCursor, StoreError};
use support::*;
use uuid::Uuid;

async fn reader(database: &TestDatabase) -> Reader {
    Reader::connect(&database.url("audit_api"), 2, "store-test").await.unwrap()
}

fn containing(text: &str) -> EventFilter {
    EventFilter { payload: Some(PayloadQuery::parse(text).unwrap()), ..EventFilter::default() }
}

/// Stores these payloads as events 0, 1, …, of `acme` and `beta` by turns, over two months.
async fn store(database: &TestDatabase, payloads: &[String]) {
    let log = database.logs("audit.events", 1).await.remove(0);
    let entries = payloads.iter().enumerate().map(|(nth, payload)| {
        let nth = u64::try_from(nth).unwrap();
        let mut event = event(nth, NOON + i64::try_from(nth % 60).unwrap() * DAY / 2);
        payload.clone_into(&mut event.payload);
        ["acme", "beta"][usize::from(nth % 2 == 1)].clone_into(&mut event.organization_id);
        candidate(i64::try_from(nth).unwrap(), event)
    });
    database.writer().await.append(&mut batch(vec![span(&log, entries.collect())])).await.unwrap();
}

/// The numbers of the events that are found, by every way of reading that takes a filter; all agree.
async fn found(reader: &Reader, filter: &EventFilter, scope: &Scope) -> BTreeSet<usize> {
    let number = |id: Uuid| usize::try_from(id.as_u128() & 0xffff_ffff).unwrap();
    let mut answers = Vec::new();
    for (sort, order) in
        [(Sort::Time, Order::Descending), (Sort::Time, Order::Ascending), (Sort::Recorded, Order::Ascending)]
    {
        let (filter, scope) = (filter.clone(), scope.clone());
        let request = PageRequest { filter, scope, sort, order, limit: 1000, after: None };
        let page = reader.page(&request).await.unwrap();
        answers.push(page.events.iter().map(|row| number(row.event_id())).collect::<BTreeSet<_>>());
    }
    let chunk = reader
        .recorded_chunk(
            scope,
            filter,
            RecordedCursor::START,
            1,
            ChunkLimits::default(),
            &mut Ahead::default(),
        )
        .await
        .unwrap();
    answers.push(chunk.rows.iter().map(|row| number(row.event_id())).collect());
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{filter:?}: {answers:?}");
    let counted = reader.count(filter, scope, None).await.unwrap();
    assert_eq!(counted, answers[0].len() as u64, "{filter:?}");
    answers.swap_remove(0)
}

async fn assert_all_agree(reader: &Reader, payloads: &[Document], asked: &[(String, Document)]) -> usize {
    let mut matches = 0;
    for (nth, (text, question)) in asked.iter().enumerate() {
        let wanted: BTreeSet<usize> =
            (0..payloads.len()).filter(|nth| payloads[*nth].contains(question)).collect();
        let filter = containing(text);
        assert_eq!(found(reader, &filter, &Scope::All).await, wanted, "{text}");
        let (organization, remainder) = [("acme", 0), ("beta", 1)][nth % 2];
        let scope = Scope::Organization(organization.to_owned());
        let own: BTreeSet<usize> = wanted.iter().copied().filter(|nth| nth % 2 == remainder).collect();
        assert_eq!(found(reader, &filter, &scope).await, own, "{text} for {organization}");
        matches += wanted.len();
    }
    matches
}

#[tokio::test]
async fn containment_equals_an_independent_one_with_an_index_and_without() {
    let database = TestDatabase::create().await;
    let payloads = documents(400);
    store(&database, &payloads.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>()).await;
    let payloads: Vec<Document> = payloads.into_iter().map(|(_, document)| document).collect();
    let reader = reader(&database).await;
    let asked = questions(&payloads, 40);
    let matches = assert_all_agree(&reader, &payloads, &asked).await;
    assert!(matches > 200, "questions that find something: {matches}");

    let url = database.url("audit_migrator");
    assert!(create(&url, &Optional::Payload, |_| {}).await.unwrap());
    reader.check().await.unwrap();
    assert!(reader.indexes().has(Lookup::Payload));
    assert_eq!(assert_all_agree(&reader, &payloads, &asked).await, matches);

    assert!(remove(&url, OptionalName::Payload, |_| {}).await.unwrap());
    assert!(!remove(&url, OptionalName::Payload, |_| {}).await.unwrap());
    reader.check().await.unwrap();
    assert!(!reader.indexes().has(Lookup::Payload));
}

#[tokio::test]
async fn protected_values_match_nothing() {
    let database = TestDatabase::create().await;
    let sealed = r#"{"$protected":"v1","key":"key-1","value":"c2VhbGVk"}"#;
    let escaped = r#"{"\u0024protect\u0065d":"v1","key":"key-1","value":"c2VhbGVk"}"#;
    store(
        &database,
        &[
            format!(r#"{{"name":"Ana","email":{sealed},"all":[1,{sealed},{{"in":{sealed}}}]}}"#),
            format!(r#"{{"name":"Ana","email":{escaped}}}"#),
            sealed.to_owned(),
            r#"{"name":"Ana","email":{"key":"key-1"},"note":"$protected"}"#.to_owned(),
        ],
    )
    .await;
    let reader = reader(&database).await;
    for round in ["without an index", "with one"] {
        for (question, wanted) in [
            (r#"{"email":{}}"#, vec![3]),
            (r#"{"email":{"key":"key-1"}}"#, vec![3]),
            (r#"{"email":{"value":"c2VhbGVk"}}"#, vec![]),
            (r#"{"key":"key-1"}"#, vec![]),
            (r#"{"value":"c2VhbGVk"}"#, vec![]),
            (r#"{"email":null}"#, vec![]),
            (r#"{"all":[{"key":"key-1"}]}"#, vec![]),
            (r#"{"all":[{"in":{}}]}"#, vec![]),
            (r#"{"all":[1,{}]}"#, vec![0]),
            (r#"{"name":"Ana"}"#, vec![0, 1, 3]),
            (r#"{"note":"$protected"}"#, vec![3]),
        ] {
            let wanted: BTreeSet<usize> = wanted.into_iter().collect();
            assert_eq!(
                found(&reader, &containing(question), &Scope::All).await,
                wanted,
                "{question} {round}"
            );
        }
        create(&database.url("audit_migrator"), &Optional::Payload, |_| {}).await.unwrap();
        reader.check().await.unwrap();
    }
    // Nor are they words.
    let fields = TextFields::new(["*"]).unwrap();
    create(&database.url("audit_migrator"), &Optional::Text(fields), |_| {}).await.unwrap();
    reader.check().await.unwrap();
    for (words, wanted) in [("c2VhbGVk", vec![]), ("key-1", vec![3]), ("Ana", vec![0, 1, 3])] {
        let wanted: BTreeSet<usize> = wanted.into_iter().collect();
        assert_eq!(found(&reader, &mentioning(&reader, words), &Scope::All).await, wanted, "{words}");
    }
}

#[tokio::test]
async fn a_row_that_jsonb_refuses_ends_no_search_and_no_build() {
    let database = TestDatabase::create().await;
    store(&database, &[r#"{"a":"x","note":"found"}"#.to_owned()]).await;
    // They never pass the door: somebody wrote them into the table.
    let superuser = database.superuser_client().await;
    let deep = format!("{}1{}", r#"{"a":["#.repeat(1500), "]}".repeat(1500));
    for (nth, payload) in
        [r#"{"a":"x\u0000"}"#, r#"{"a":"x","b":1e999999}"#, r#"{"a":"x","b":"\ud800"}"#, &deep]
            .iter()
            .enumerate()
    {
        let sql = "insert into audit.events select \"timestamp\", recorded_at, \"offset\" + 1 + $1::int, log_id, version, \
                   gen_random_uuid(), retention_class, organization_id, aggregate_type, aggregate_id, event_type, user_id, \
                   correlation_id, causation_id, source, action, $2::text::json, metadata from audit.events where \"offset\" = 0";
        superuser.execute(sql, &[&i32::try_from(nth).unwrap(), payload]).await.unwrap();
    }
    let reader = reader(&database).await;
    let fields = TextFields::new(["/note"]).unwrap();
    for round in 0..2 {
        let request = PageRequest {
            filter: containing(r#"{"a":"x"}"#),
            scope: Scope::All,
            sort: Sort::Time,
            order: Order::Descending,
            limit: 10,
            after: None,
        };
        assert_eq!(reader.page(&request).await.unwrap().events.len(), 1, "round {round}");
        assert_eq!(reader.count(&request.filter, &Scope::All, None).await.unwrap(), 1);
        create(&database.url("audit_migrator"), &Optional::Payload, |_| {}).await.unwrap();
        create(&database.url("audit_migrator"), &Optional::Text(fields.clone()), |_| {}).await.unwrap();
        reader.check().await.unwrap();
    }
    assert_eq!(reader.count(&mentioning(&reader, "found"), &Scope::All, None).await.unwrap(), 1);
}

fn mentioning(reader: &Reader, words: &str) -> EventFilter {
    let fields = reader.text_fields().expect("an index of words");
    EventFilter { text: Some(TextQuery::new(words.to_owned(), fields).unwrap()), ..EventFilter::default() }
}

#[tokio::test]
async fn words_are_found_in_their_fields_and_nowhere_else() {
    let database = TestDatabase::create().await;
    let payloads = [
        r#"{"note":"The late fee was WAIVED","customer":{"name":"Núñez, José"},"secret":"hidden"}"#,
        r#"{"note":"a late delivery; the fee stands","a/b":["first","second 12.50"]}"#,
        r#"{"note":["one","two"],"customer":"no object"}"#,
        r#"{"other":"late fee"}"#,
    ];
    store(&database, &payloads.map(ToOwned::to_owned)).await;
    let reader = reader(&database).await;
    assert_eq!(reader.text_fields(), None);
    let url = database.url("audit_migrator");
    let fields = TextFields::new(["/note", "/customer/name", "/a~1b"]).unwrap();
    assert!(create(&url, &Optional::Text(fields.clone()), |_| {}).await.unwrap());
    reader.check().await.unwrap();
    assert_eq!(reader.text_fields(), Some(fields));
    for (words, wanted) in [
        ("late", vec![0, 1]),
        ("late fee", vec![0, 1]),
        ("\"late fee\"", vec![0]),
        ("late -waived", vec![1]),
        ("waived or two", vec![0, 2]),
        ("JOSÉ", vec![0]),
        ("second", vec![1]),
        ("12.50", vec![1]),
        ("hidden", vec![]),
        ("'; drop table audit.events; --x", vec![]),
    ] {
        let wanted: BTreeSet<usize> = wanted.into_iter().collect();
        let filter = mentioning(&reader, words);
        assert_eq!(found(&reader, &filter, &Scope::All).await, wanted, "{words}");
        let own = Scope::Organization("beta".to_owned());
        let odd: BTreeSet<usize> = wanted.into_iter().filter(|nth| nth % 2 == 1).collect();
        assert_eq!(found(&reader, &filter, &own).await, odd, "{words} for beta");
    }
    let plan = reader
        .explain_page(&PageRequest {
            filter: mentioning(&reader, "late"),
            scope: Scope::All,
            sort: Sort::Time,
            order: Order::Descending,
            limit: 10,
            after: None,
        })
        .await
        .unwrap();
    assert!(plan.iter().any(|line| line.contains("_words_idx")), "{plan:#?}");
    // Other fields would be another index.
    let other = Optional::Text(TextFields::new(["*"]).unwrap());
    let refused = create(&url, &other, |_| {}).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Refused(text) if text.contains("events_fulltext")), "{refused}");
    assert!(remove(&url, OptionalName::Fulltext, |_| {}).await.unwrap());
    assert!(create(&url, &other, |_| {}).await.unwrap());
    reader.check().await.unwrap();
    assert_eq!(found(&reader, &mentioning(&reader, "hidden"), &Scope::All).await, BTreeSet::from([0]));
}

#[tokio::test]
async fn an_index_over_payloads_serves_new_months_and_what_many_contain() {
    let database = TestDatabase::create().await;
    let url = database.url("audit_migrator");
    create(&url, &Optional::Payload, |_| {}).await.unwrap();
    // 40,000 events of one kind, one of another, in a month that is made now.
    let log = database.logs("audit.events", 1).await.remove(0);
    let client = database.superuser_client().await;
    client.execute("select audit.ensure_month(date '2024-02-29')", &[]).await.unwrap();
    client
        .execute(
            "insert into audit.events select timestamptz '2024-02-02' + make_interval(secs => n), now(), n, $1, n, \
             ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'standard', 'acme', 'Order', 'o', 't', '', '', '', \
             '', '', json_build_object('kind', case n when 777 then 'rare' else 'common' end, 'n', n), '{}' \
             from generate_series(1, 40000) n",
            &[&log.log_id],
        )
        .await
        .unwrap();
    client.batch_execute("analyze audit.events").await.unwrap();
    let reader = reader(&database).await;
    let request = |question: &str| PageRequest {
        filter: containing(question),
        scope: Scope::All,
        sort: Sort::Time,
        order: Order::Descending,
        limit: 100,
        after: None,
    };
    let plan = reader.explain_page(&request(r#"{"kind":"rare"}"#)).await.unwrap();
    assert!(plan.iter().any(|line| line.contains("_searchable_idx")), "{plan:#?}");
    assert_eq!(reader.page(&request(r#"{"kind":"rare"}"#)).await.unwrap().events.len(), 1);
    let page = reader.page(&request(r#"{"kind":"common"}"#)).await.unwrap();
    assert_eq!((page.events.len(), page.next.is_some()), (100, true));
    let state = inventory(&database.client("audit_operator").await).await.unwrap();
    let state = state.iter().find(|state| state.definition.name == "events_payload").unwrap();
    assert_eq!((state.presence, state.partitions.0), (Presence::Whole, state.partitions.1));
}

#[tokio::test]
async fn only_who_searches_or_writes_may_run_the_functions_of_a_search() {
    let database = TestDatabase::create().await;
    let superuser = database.superuser_client().await;
    for function in ["searchable(json)", "words(json, text)", "without_protected(jsonb)"] {
        for (role, may) in [
            ("audit_api", true),
            ("audit_ingestor", true),
            ("audit_operator", false),
            ("audit_projector", false),
            ("audit_retention", false),
            ("public", false),
        ] {
            let row = superuser
                .query_one(
                    "select has_function_privilege($1, 'audit.' || $2, 'execute'), not p.prosecdef \
                     from pg_proc p where p.oid = ('audit.' || $2)::regprocedure",
                    &[&role, &function],
                )
                .await
                .unwrap();
            assert_eq!((row.get(0), row.get(1)), (may, true), "{function} by {role}");
        }
    }
}
