//! The shipped alert rules in a running Prometheus, over real daemons that something is done to.
//!
//! The rules are those of the chart with one change, made here: where a rule waits or looks back for minutes, it does so for as
//! many seconds (`for: 5m` is 5 s, `[15m]` is 15 s). Thresholds stay as they are, since what they judge takes its time.

mod faults;
mod product;

use std::{collections::BTreeSet, path::Path, time::Duration};

use faults::Fault::{self, *};
use product::Product;
use regex::Regex;

/// The rules look back for half a minute at most, `for` and window together, and are evaluated twice a second: all that they can see
/// has been seen.
const EVERY_WINDOW: u64 = 60;

/// For each step on a machine that is busy with other things; the slowest alert takes a minute and a quarter.
const PATIENCE: Duration = Duration::from_mins(4);

type Round = &'static [(Fault, &'static [&'static str])];

/// Each fault, and all the alerts that it raises: those of a round, done to different parts, and no others fire in it.
const ROUNDS: [Round; 4] = [
    &[
        (UnreadableRecordAndNoTopicForIt, &["AuditDeadLetters", "AuditDeadLettersUnpublished"]),
        (UnreadableMessageAndThenRabbitAway, &["AuditBridgeDeadLetters", "AuditBridgeIdle"]),
        (ProjectorsDatabaseAway, &["AuditProjectorIdle"]),
        (ForbiddenRequests, &["AuditAccessRefused"]),
    ],
    &[
        (ProjectionsHeld, &["AuditProjectionLag"]),
        (LogsHeldAndManyRecords, &["AuditDatabaseLag", "AuditNoProgress", "AuditIngestLag"]),
        (StandbyAway, &["AuditReplicaAway"]),
        (
            MoreRequestsThanASlowDatabaseTakes,
            &["AuditApiErrors", "AuditApiSheds", "AuditPoolExhausted", "AuditQueriesSlow"],
        ),
        (BridgeOutOfFiles, &["AuditFileDescriptors"]),
    ],
    &[
        (IngestorDiesAndKafkaForgets, &["AuditDown", "AuditGapWaits", "AuditGap", "AuditLogDiverged"]),
        (ProjectorsConnectionsCut, &["AuditProjectionFailures"]),
    ],
    &[(NobodyScrapesTheApi, &["AuditAbsent"]), (TopicMissing, &["AuditNothingAssigned"])],
];

/// Alerts that fire in promtool only (observability/alerts.test.yaml), since nothing here brings about what they are for.
const NOT_DONE_HERE: [&str; 6] = [
    // Kafka and RabbitMQ are everybody's: neither is stopped, and no alarm of memory is raised.
    "AuditAccessUnrecorded",
    "AuditBridgeBlocked",
    "AuditBridgeLag",
    // A quarter of an hour of back-offs does not fit into seconds.
    "AuditRewinds",
    // The standby is the primary itself by another way.
    "AuditReplicaLag",
    // No hop here is by TLS.
    "AuditCertificateExpiry",
];

fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/audit-trail/files/alerts.yaml");
    std::fs::read_to_string(path).expect("the chart has alerts")
}

/// The rules with a second for each minute.
fn hurried(rules: &str) -> String {
    let minutes = Regex::new(r"(for: |\[)(\d+)m\b").expect("a pattern");
    minutes.replace_all(rules, "${1}${2}s").into_owned()
}

fn names(alerts: impl IntoIterator<Item = &'static str>) -> BTreeSet<String> {
    alerts.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_shipped_alert_has_its_fault_or_a_reason_why_not() {
    let rules = shipped();
    let alerts: BTreeSet<_> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect();
    let done = ROUNDS.iter().flat_map(|round| round.iter()).flat_map(|(_, alerts)| alerts.iter());
    assert_eq!(names(done.chain(&NOT_DONE_HERE).copied()), alerts);
    assert!(!hurried(&rules).contains("m]"), "no look back over minutes is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_raises_its_alerts_and_no_other_and_they_end_when_it_is_mended() {
    let mut product = Product::start(&hurried(&shipped())).await;
    // Prometheus takes some seconds to find its first targets, which is as long as minutes to these rules.
    product.is_quiet("everything runs").await;
    let before = product.prometheus.fired().await;
    product.evaluates(EVERY_WINDOW).await;
    let fired = product.prometheus.fired_since(&before).await;
    assert_eq!(fired, BTreeSet::new(), "nothing is wrong, and these fire");
    for round in ROUNDS {
        let wanted = names(round.iter().flat_map(|(_, alerts)| alerts.iter().copied()));
        let before = product.prometheus.fired().await;
        for (fault, _) in round {
            product.inject(*fault).await;
        }
        product.raises(&wanted, &before).await;
        for (fault, _) in round {
            product.mend(*fault).await;
        }
        product.is_quiet(&format!("the end of {round:?}")).await;
        let fired = product.prometheus.fired_since(&before).await;
        assert_eq!(fired, wanted, "what fired, and what was to fire, of {round:?}");
    }
    product.end().await;
}
