//! Following, catching up, rebuilding, standing by.

use shared::{
    envelope::{Acceptance, accept, from_canonical_json},
    json::ProtectedMarker,
    timestamp::Timestamp,
};
use store::projections::Projection;
use test_support::Role;

use crate::rig::{NOON, Rig, event};

#[tokio::test]
async fn what_comes_late_twice_and_in_any_order_equals_a_recount() {
    let mut rig = Rig::new(1).await;
    rig.append_any(20).await;
    let projector = rig.projector(100);
    rig.caught_up().await;
    rig.assert_recounted().await;
    for _ in 0..5 {
        rig.append_any(8).await;
        rig.caught_up().await;
        rig.assert_recounted().await;
    }
    projector.stopped().await.unwrap();
}

#[tokio::test]
async fn a_gap_that_is_filled_late_is_gone_and_a_fork_stays() {
    let mut rig = Rig::new(2).await;
    let projector = rig.projector(1000);
    let versions = async |rig: &Rig| -> (String, String, bool, bool) {
        rig.caught_up().await;
        let sql = "select versions::text, double_versions::text, has_gap, has_fork from audit.aggregates";
        let row = rig.superuser.query_one(sql, &[]).await.unwrap();
        (row.get(0), row.get(1), row.get(2), row.get(3))
    };
    let text = |a: &str, b: &str, gap, fork| (a.to_owned(), b.to_owned(), gap, fork);
    rig.append(0, vec![event("acme", "o", 5), event("acme", "o", 2)]).await;
    assert_eq!(versions(&rig).await, text("{[2,3),[5,6)}", "{}", true, false));
    rig.append(1, vec![event("acme", "o", 3), event("acme", "o", 2), event("acme", "o", 0)]).await;
    assert_eq!(versions(&rig).await, text("{[2,4),[5,6)}", "{[2,3)}", true, true));
    rig.append(2, vec![event("acme", "o", 4), event("acme", "o", 1)]).await;
    assert_eq!(versions(&rig).await, text("{[1,6)}", "{[2,3)}", false, true));
    rig.append(0, vec![event("acme", "o", i32::MAX)]).await;
    assert_eq!(versions(&rig).await, text("{[1,6),[2147483647,2147483648)}", "{[2,3)}", true, true));
    rig.assert_recounted().await;
    projector.stopped().await.unwrap();
}

#[tokio::test]
async fn a_rebuild_from_nothing_equals_what_was_there_while_the_others_go_on() {
    let mut rig = Rig::new(3).await;
    rig.append_any(40).await;
    let projector = rig.projector(200);
    rig.caught_up().await;
    let before = rig.fingerprint().await;
    let operator =
        store::connect(&rig.database.database_url(Role::Operator), "projector-test").await.unwrap();
    for projection in Projection::ALL {
        store::projections::rebuild(&operator, projection, None).await.unwrap();
        rig.caught_up().await;
        assert_eq!(rig.fingerprint().await, before, "{projection}");
    }
    projector.stopped().await.unwrap();
    // Without a projector: empty, and the position says so; ingest goes on.
    store::projections::rebuild(&operator, Projection::Aggregates, None).await.unwrap();
    rig.append_any(3).await;
    assert_eq!(rig.count("select count(*) from audit.aggregates").await, 0);
    let states = store::projections::states(&operator).await.unwrap();
    for state in states {
        let expected = if state.name == "aggregates" { (0, 43) } else { (40, 3) };
        assert_eq!((state.as_of.append, state.as_of.behind), expected, "{}", state.name);
    }
    let projector = rig.projector(1);
    rig.caught_up().await;
    rig.assert_recounted().await;
    projector.stopped().await.unwrap();
}

#[tokio::test]
async fn an_older_fold_is_rebuilt_and_a_newer_one_left_alone() {
    let mut rig = Rig::new(4).await;
    rig.append_any(5).await;
    let projector = rig.projector(1000);
    rig.caught_up().await;
    projector.stopped().await.unwrap();
    rig.superuser
        .batch_execute("update audit.aggregates set event_count = event_count + 7; \
            alter table audit.projections drop constraint projections_version_check; update audit.projections set version = 0 where name = 'aggregates'")
        .await
        .unwrap();
    let projector = rig.projector(1000);
    test_support::wait_until("the projection is made anew", crate::rig::PATIENCE, || async {
        let version =
            rig.count("select version::bigint from audit.projections where name = 'aggregates'").await;
        (version == 1).then_some(())
    })
    .await;
    rig.caught_up().await;
    rig.assert_recounted().await;
    projector.stopped().await.unwrap();
    rig.superuser
        .batch_execute("update audit.projections set version = 99 where name = 'event_types'")
        .await
        .unwrap();
    let before = rig.fingerprint().await;
    rig.append_any(2).await;
    let error = rig.projector(1000).ended().await.unwrap_err();
    assert!(error.to_string().contains("newer build"), "{error}");
    assert_eq!(rig.fingerprint().await, before);
}

#[tokio::test]
async fn of_two_projectors_one_works_and_the_other_takes_over() {
    let mut rig = Rig::new(5).await;
    let (one, other) = (rig.projector(50), rig.projector(50));
    rig.append_any(10).await;
    rig.caught_up().await;
    one.stopped().await.unwrap();
    rig.append_any(10).await;
    rig.caught_up().await;
    rig.end_sessions_of("audit-projector").await;
    rig.append_any(10).await;
    rig.caught_up().await;
    rig.assert_recounted().await;
    other.stopped().await.unwrap();
}

#[tokio::test]
async fn the_loan_applications_equal_a_recount() {
    let Some(lines) = test_support::data::lines("loan-applications") else { return };
    let mut rig = Rig::new(6).await;
    let acceptance = Acceptance {
        now: Timestamp::from_micros(NOON),
        topic_organization: "",
        protected: ProtectedMarker::Refused,
    };
    let mut events = Vec::new();
    for line in lines.take(30_000) {
        events.push(accept(from_canonical_json(&line).unwrap(), &acceptance).unwrap());
        if events.len() == 3_000 {
            rig.append(0, std::mem::take(&mut events)).await;
        }
    }
    let projector = rig.projector(20_000);
    rig.caught_up().await;
    rig.assert_recounted().await;
    projector.stopped().await.unwrap();
}
