//! kill -9 at moments that chance decides: what is there equals a recount.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use test_support::{Daemon, DaemonConfig, Role, wait_until};

use crate::rig::{PATIENCE, Rig};

#[tokio::test]
async fn killed_at_any_moment_nothing_is_counted_twice_or_lost() {
    let mut rig = Rig::new(7).await;
    let mut chance = StdRng::seed_from_u64(7);
    let config = DaemonConfig::new(&rig.database).set("projector", "poll", "\"1ms\"").set(
        "projector",
        "batch_max_events",
        "40",
    );
    rig.append_any(60).await;
    let mut moved = 0;
    for _ in 0..12 {
        let mut daemon = Daemon::projector(&config);
        rig.append_any(chance.random_range(1..20)).await;
        tokio::time::sleep(Duration::from_millis(chance.random_range(0..250))).await;
        daemon.kill();
        let position = rig.count("select min(position) from audit.projections").await;
        assert!(position >= moved, "a position never goes back");
        moved = position;
    }
    let daemon = Daemon::projector(&config).ready().await;
    rig.caught_up().await;
    rig.assert_recounted().await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_stalled_projector_is_replaced_and_changes_nothing_when_it_wakes() {
    let mut rig = Rig::new(8).await;
    let config = DaemonConfig::new(&rig.database).set("projector", "poll", "\"1ms\"");
    let stalled = Daemon::projector(&config).ready().await;
    rig.append_any(20).await;
    rig.caught_up().await;
    stalled.stall();
    // The server ends its session, as a failover or a network that is cut would; the lock is free.
    rig.end_sessions_of("audit-projector").await;
    let other = Daemon::projector(&config).ready().await;
    rig.append_any(20).await;
    rig.caught_up().await;
    stalled.resume();
    rig.append_any(20).await;
    rig.caught_up().await;
    rig.assert_recounted().await;
    assert!(stalled.stop().await.success());
    assert!(other.stop().await.success());
}

/// Or an alert over the lag would go on for ever, though the other has long caught up.
#[tokio::test]
async fn a_projector_that_was_behind_tells_no_lag_once_another_works() {
    let mut rig = Rig::new(9).await;
    let config = DaemonConfig::new(&rig.database);
    let first = Daemon::projector(&config).ready().await;
    let holder = rig.database.connect(Role::Superuser).await;
    holder.batch_execute("begin; select from audit.projections for update").await.unwrap();
    rig.append_any(20).await;
    let is_behind = async || first.metric("audit_projection_lag_appends").await > 0.0;
    wait_until("it is behind", PATIENCE, || async { is_behind().await.then_some(()) }).await;
    first.stall();
    let other = Daemon::projector(&config).ready().await;
    rig.end_sessions_of("audit-projector").await;
    drop(holder);
    rig.caught_up().await;
    first.resume();
    wait_until("it is behind no more", PATIENCE, || async { (!is_behind().await).then_some(()) }).await;
    let leads =
        first.metric("audit_projector_leading").await + 2.0 * other.metric("audit_projector_leading").await;
    assert!((leads - 2.0).abs() < f64::EPSILON, "the other one works: {leads}");
}
