//! Security events, their settlement, and data accesses, as readers get them.

use shared::{
    filter::Pattern,
    scope::Scope,
    timestamp::Timestamp,
    vocabulary::{Facts, Severity, data_access as read_access, security_event as read_security},
};
use store::{
    Reader,
    reader::{
        DataAccessFilter, DataAccessRequest, SecurityEventFilter, SecurityEventRequest, SecurityEventRow,
        Settlement,
    },
};
use test_support::Role;

use crate::rig::{NOON, Rig, data_access, event, resolution, security_event};

async fn reader(rig: &Rig) -> Reader {
    Reader::connect(&rig.database.database_url(Role::Api), 2, "projector-test").await.unwrap()
}

async fn security(reader: &Reader, scope: &Scope, filter: SecurityEventFilter) -> Vec<SecurityEventRow> {
    let request = SecurityEventRequest { filter, limit: 100, after: None };
    reader.security_events(scope, &request).await.unwrap().items
}

#[tokio::test]
async fn a_security_event_is_settled_by_its_own_organisation_before_or_after_it_comes() {
    let mut rig = Rig::new(20).await;
    let reader = reader(&rig).await;
    let projector = rig.projector(1000);
    let (first, second) = (security_event(event("acme", "a", 1)), security_event(event("acme", "a", 2)));
    let expected = read_security(&Facts::from(&second)).unwrap();
    rig.append(
        0,
        vec![
            resolution(first.event_id, "acme", "came before"),
            resolution(second.event_id, "globex", "not theirs"),
        ],
    )
    .await;
    rig.caught_up().await;
    rig.append(1, vec![first.clone(), second.clone()]).await;
    rig.caught_up().await;
    let found = security(&reader, &Scope::All, SecurityEventFilter::default()).await;
    assert_eq!(found.len(), 2);
    assert_eq!((&found[0].event, &found[0].resolution), (&expected, &None));
    let settled = found[1].resolution.as_ref().unwrap();
    assert_eq!(
        (settled.notes.as_deref(), settled.resolved_by.as_deref()),
        (Some("came before"), Some("u-2"))
    );
    // Said again, the last word holds; and the other one is settled after it came.
    rig.append(
        2,
        vec![resolution(first.event_id, "acme", "more"), resolution(second.event_id, "acme", "after")],
    )
    .await;
    rig.caught_up().await;
    let one = reader.security_event(&Scope::All, second.event_id).await.unwrap().items.pop().unwrap();
    assert_eq!(one.resolution.unwrap().notes.as_deref(), Some("after"));
    let found = security(&reader, &Scope::All, SecurityEventFilter::default()).await;
    assert_eq!(found[1].resolution.as_ref().unwrap().notes.as_deref(), Some("more"));
    let before = rig.fingerprint().await;
    store::projections::rebuild(&rig.superuser, store::projections::Projection::SecurityEvents, None)
        .await
        .unwrap();
    rig.caught_up().await;
    assert_eq!(rig.fingerprint().await, before);
    projector.stopped().await.unwrap();
}

#[tokio::test]
async fn security_events_are_found_by_every_filter_and_within_the_scope() {
    let mut rig = Rig::new(21).await;
    let reader = reader(&rig).await;
    let projector = rig.projector(1000);
    let mut grave = security_event(event("globex", "b", 3));
    grave.event_type = "UNUSUAL_ACCESS_PATTERN".to_owned();
    grave.metadata = r#"{"category":"security","severity":"critical"}"#.to_owned();
    grave.promoted.user_id.clear();
    let open = security_event(event("acme", "a", 1));
    let settled = security_event(event("acme", "a", 2));
    rig.append(0, vec![open.clone(), settled.clone(), event("acme", "a", 3), grave.clone()]).await;
    rig.append(1, vec![resolution(settled.event_id, "acme", "done")]).await;
    rig.caught_up().await;
    let none = SecurityEventFilter::default;
    let second = |version: i64| Some(Timestamp::from_micros(NOON + version * 1_000_000));
    let cases = [
        (none(), vec![&grave, &settled, &open]),
        (SecurityEventFilter { severity: vec![Severity::Critical], ..none() }, vec![&grave]),
        (
            SecurityEventFilter { severity: vec![Severity::High, Severity::Low], ..none() },
            vec![&settled, &open],
        ),
        (
            SecurityEventFilter { event_type: vec![Pattern::parse("SUSPICIOUS*")], ..none() },
            vec![&settled, &open],
        ),
        (SecurityEventFilter { user_id: vec!["u-1".to_owned()], ..none() }, vec![&settled, &open]),
        (SecurityEventFilter { organization_id: vec!["globex".to_owned()], ..none() }, vec![&grave]),
        (SecurityEventFilter { settlement: Some(Settlement::Open), ..none() }, vec![&grave, &open]),
        (SecurityEventFilter { settlement: Some(Settlement::Resolved), ..none() }, vec![&settled]),
        (SecurityEventFilter { requires_action: Some(true), ..none() }, vec![&grave]),
        (SecurityEventFilter { requires_action: Some(false), ..none() }, vec![&settled, &open]),
        (SecurityEventFilter { from: second(2), to: second(3), ..none() }, vec![&settled]),
    ];
    for (filter, expected) in cases {
        let found = security(&reader, &Scope::All, filter.clone()).await;
        let ids: Vec<_> = found.iter().map(|row| row.event.id).collect();
        assert_eq!(ids, expected.iter().map(|event| event.event_id).collect::<Vec<_>>(), "{filter:?}");
        let count = reader.count_security_events(&Scope::All, &filter, None).await.unwrap();
        assert_eq!(usize::try_from(count).unwrap(), expected.len(), "{filter:?}");
    }
    let acme = Scope::Organization("acme".to_owned());
    let own = security(&reader, &acme, none()).await;
    assert!(own.len() == 2 && own.iter().all(|row| row.event.organization_id == "acme"));
    let theirs = SecurityEventFilter { organization_id: vec!["globex".to_owned()], ..none() };
    assert_eq!(security(&reader, &acme, theirs).await, []);
    assert!(reader.security_event(&acme, grave.event_id).await.unwrap().items.is_empty());
    // A page, and the one behind it.
    let mut request = SecurityEventRequest { limit: 2, ..SecurityEventRequest::default() };
    let first = reader.security_events(&Scope::All, &request).await.unwrap();
    assert_eq!(first.items.len(), 2);
    request.after = first.next;
    let last = reader.security_events(&Scope::All, &request).await.unwrap();
    assert_eq!((last.items[0].event.id, last.next), (open.event_id, None));
    projector.stopped().await.unwrap();
}

#[tokio::test]
async fn who_saw_whom_is_found_from_both_sides() {
    let mut rig = Rig::new(22).await;
    let reader = reader(&rig).await;
    let access = data_access(event("acme", "a", 1));
    let mut other = data_access(event("globex", "a", 2));
    // Longer than any index takes: kept up to its bound, and nothing stops.
    other.payload = format!(r#"{{"accessorUserId":"{}","subjectUserId":"u-9"}}"#, "x".repeat(5000));
    rig.append(0, vec![access.clone(), other, event("acme", "a", 3)]).await;
    let projector = rig.projector(1000);
    rig.caught_up().await;
    let find = async |scope: &Scope, subject: &[&str], accessor: &[&str]| {
        let text = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let filter = DataAccessFilter {
            subject_user_id: text(subject),
            accessor_user_id: text(accessor),
            ..DataAccessFilter::default()
        };
        let request = DataAccessRequest { filter, limit: 10, after: None };
        reader.data_accesses(scope, &request).await.unwrap().items
    };
    assert_eq!(find(&Scope::All, &["u-9"], &[]).await.len(), 2);
    let found = find(&Scope::All, &[], &["admin"]).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].access, read_access(&Facts::from(&access)).unwrap());
    assert_eq!(found[0].access.fields_accessed, ["name", r#"a "b""#]);
    assert_eq!(find(&Scope::All, &["u-9"], &[&"x".repeat(1024)]).await.len(), 1);
    assert_eq!(find(&Scope::Organization("acme".to_owned()), &["u-9"], &[]).await.len(), 1);
    assert!(find(&Scope::All, &["nobody"], &[]).await.is_empty());
    projector.stopped().await.unwrap();
}
