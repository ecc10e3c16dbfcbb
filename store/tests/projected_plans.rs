//! The shape of the plans by which projections are read: every page by an index that has its order, whatever the
//! projection holds.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod support;

use shared::filter::Pattern;
use shared::position::Position;
use shared::scope::Scope;
use shared::vocabulary::Severity;
use store::projections::About;
use store::reader::{
    AccessFilter, AccessRequest, AggregateFilter, AggregateRequest, DataAccessFilter, DataAccessRequest,
    EventTypeRequest, Fault, SecurityEventFilter, SecurityEventRequest, Settlement,
};
use store::{AggregateKey, Reader};
use support::*;

/// 50,000 aggregates of 50 organisations, a fault in one of a hundred; 20,000 security events, few of them critical,
/// and data accesses.
async fn filled() -> (TestDatabase, Reader) {
    let database = TestDatabase::create().await;
    let client = database.superuser_client().await;
    client
        .batch_execute(
            "insert into audit.aggregates select 3, now(), now(), 'org-' || n % 50, 'type-' || n % 7, 'a-' || n, \
                (case n % 100 when 0 then '{[1,2),[3,4)}' else '{[1,4)}' end)::int8multirange, (case n % 100 when 1 then '{[1,2)}' else '{}' end)::int8multirange \
                from generate_series(1, 50000) n;
             insert into audit.event_types select 3, now(), now(), 'type-' || n / 50, 'org-' || n % 50 \
                from generate_series(1, 5000) n;
             insert into audit.security_events (\"timestamp\", \"offset\", log_id, event_id, requires_action, organization_id, \
                event_type, severity, user_id, resolved_at) \
                select timestamptz '2025-01-01' + make_interval(mins => n), n, 1, gen_random_uuid(), true, 'org-' || n % 50, 'T', \
                case n % 200 when 0 then 'critical' else 'low' end, 'u-' || n % 900, case when n % 100 > 0 then now() end \
                from generate_series(1, 20000) n;
             insert into audit.data_accesses (accessed_at, \"offset\", log_id, event_id, organization_id, accessor_user_id, \
                subject_user_id, fields_accessed) \
                select timestamptz '2025-01-01' + make_interval(mins => n), n, 1, gen_random_uuid(), 'org-' || n % 50, \
                'u-' || n % 90, 'u-' || n % 900, '[]' from generate_series(1, 20000) n;
             insert into audit.accesses (accessed_at, \"offset\", log_id, event_id, about, about_type, organization_id, accessor_id, \
                operation, outcome, access) \
                select timestamptz '2025-01-01' + make_interval(mins => n), n, 1, gen_random_uuid(), about, '', 'org-' || n % 50, \
                'u-' || n % 90, 'listEvents', 'answered', '{}' from generate_series(1, 20000) n, \
                lateral (values (''), ('user:u-' || n % 900)) named (about);
             analyze audit.accesses; analyze audit.aggregates; analyze audit.event_types; analyze audit.security_events; analyze audit.data_accesses",
        )
        .await
        .unwrap();
    let reader = Reader::connect(&database.url("audit_api"), 1, "store-test").await.unwrap();
    (database, reader)
}

/// The page is read along an index of its table, and nothing of it is sorted but the page itself.
fn assert_ordered(what: &str, plan: &[String], table: &str) {
    let text = plan.join("\n");
    let own = |line: &&String| line.contains(&format!(" on {table} "));
    assert!(plan.iter().filter(own).all(|line| line.contains("Index")), "{what}: by no index\n{text}");
    assert!(plan.iter().any(|line| own(&line)), "{what}\n{text}");
    let below = plan.iter().skip(2).any(|line| line.contains("Sort ("));
    assert!(!below, "{what}: more than the page is sorted\n{text}");
    assert!(!text.contains("Bitmap"), "{what}: an index without the order\n{text}");
}

fn acme() -> Scope {
    Scope::Organization("org-7".to_owned())
}

fn text(value: &str) -> Vec<String> {
    vec![value.to_owned()]
}

#[tokio::test]
async fn aggregates_and_types_are_read_along_their_order() {
    let (_database, reader) = filled().await;
    let none = AggregateFilter::default;
    let filters = [
        ("all", none(), Scope::All),
        ("without accesses", AggregateFilter { without_accesses: true, ..none() }, Scope::All),
        ("one organisation", none(), acme()),
        ("a type", AggregateFilter { aggregate_type: vec![Pattern::parse("type-3")], ..none() }, Scope::All),
        ("a prefix", AggregateFilter { aggregate_type: vec![Pattern::parse("type*")], ..none() }, Scope::All),
        (
            "a type of one",
            AggregateFilter { aggregate_type: vec![Pattern::parse("type-3")], ..none() },
            acme(),
        ),
        ("gaps", AggregateFilter { fault: Some(Fault::Gap), ..none() }, Scope::All),
        ("forks of one", AggregateFilter { fault: Some(Fault::Fork), ..none() }, acme()),
    ];
    let behind = AggregateKey {
        organization_id: "org-7".to_owned(),
        aggregate_type: "type-3".to_owned(),
        aggregate_id: "a-5".to_owned(),
    };
    for (what, filter, scope) in filters {
        for after in [None, Some(behind.clone())] {
            let request = AggregateRequest { filter: filter.clone(), limit: 100, after };
            let plan = reader.explain_aggregates(&scope, &request).await.unwrap();
            assert_ordered(what, &plan, "aggregates a");
            if filter.fault.is_some() && scope == Scope::All {
                assert!(plan.join("\n").contains("aggregates_gap "), "{what}\n{}", plan.join("\n"));
            }
        }
    }
    for scope in [Scope::All, acme()] {
        for after in [None, Some("type-5".to_owned())] {
            let request = EventTypeRequest { limit: 10, after, ..EventTypeRequest::default() };
            let plan = reader.explain_event_types(&scope, &request).await.unwrap();
            assert_ordered("types", &plan, "event_types t");
        }
    }
}

#[tokio::test]
async fn security_events_and_accesses_are_read_along_time() {
    let (_database, reader) = filled().await;
    let none = SecurityEventFilter::default;
    let open = Some(Settlement::Open);
    let filters = [
        ("all", none(), Scope::All, "security_events_time"),
        ("one organisation", none(), acme(), "security_events_organization"),
        (
            "a user",
            SecurityEventFilter { user_id: text("u-7"), ..none() },
            Scope::All,
            "security_events_user",
        ),
        (
            "critical",
            SecurityEventFilter { severity: vec![Severity::Critical], ..none() },
            Scope::All,
            "security_events_severity",
        ),
        (
            "critical, open",
            SecurityEventFilter { severity: vec![Severity::Critical], settlement: open, ..none() },
            Scope::All,
            "security_events_open",
        ),
    ];
    let place = Some((at(NOON), Position { log_id: 1, offset: 7 }));
    for (what, filter, scope, index) in filters {
        for after in [None, place] {
            let request = SecurityEventRequest { filter: filter.clone(), limit: 100, after };
            let plan = reader.explain_security_events(&scope, &request).await.unwrap();
            assert_ordered(what, &plan, "security_events s");
            assert!(plan.join("\n").contains(index), "{what}: not by {index}\n{}", plan.join("\n"));
        }
    }
    let none = DataAccessFilter::default;
    let filters = [
        ("all", none(), Scope::All, "data_accesses_time"),
        ("one organisation", none(), acme(), "data_accesses_organization"),
        (
            "a subject",
            DataAccessFilter { subject_user_id: text("u-7"), ..none() },
            Scope::All,
            "data_accesses_subject",
        ),
        (
            "an accessor",
            DataAccessFilter { accessor_user_id: text("u-7"), ..none() },
            Scope::All,
            "data_accesses_accessor",
        ),
    ];
    for (what, filter, scope, index) in filters {
        for after in [None, place] {
            let request = DataAccessRequest { filter: filter.clone(), limit: 100, after };
            let plan = reader.explain_data_accesses(&scope, &request).await.unwrap();
            assert_ordered(what, &plan, "data_accesses d");
            assert!(plan.join("\n").contains(index), "{what}: not by {index}\n{}", plan.join("\n"));
        }
    }
}

#[tokio::test]
async fn accesses_are_read_along_time_whoever_looked_at_whom() {
    let (_database, reader) = filled().await;
    let none = || AccessFilter {
        from: None,
        to: None,
        accessor_id: Vec::new(),
        about: About::Itself,
        operation: Vec::new(),
        outcome: Vec::new(),
        organization_id: Vec::new(),
    };
    let filters = [
        ("all", none(), Scope::All, "accesses_time"),
        ("one organisation", none(), acme(), "accesses_organization"),
        ("an accessor", AccessFilter { accessor_id: text("u-7"), ..none() }, Scope::All, "accesses_accessor"),
        (
            "a subject",
            AccessFilter { about: About::User("u-7".to_owned()), ..none() },
            Scope::All,
            "accesses_about",
        ),
        (
            "a subject",
            AccessFilter { about: About::User("u-7".to_owned()), ..none() },
            acme(),
            "accesses_about",
        ),
    ];
    for (what, filter, scope, index) in filters {
        for after in [None, Some((at(NOON), Position { log_id: 1, offset: 7 }))] {
            let request = AccessRequest { filter: filter.clone(), limit: 100, after };
            let plan = reader.explain_accesses(&scope, &request).await.unwrap();
            assert_ordered(what, &plan, "accesses a");
            assert!(plan.join("\n").contains(index), "{what}: not by {index}\n{}", plan.join("\n"));
        }
    }
}
