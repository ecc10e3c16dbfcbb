//! The database: every role reaches it, none can change an event, the guards stand, the clocks agree.

use std::time::Duration;

use credentials::Secret;
use service::config::DatabaseSettings;
use shared::{
    clock::{Clock, SystemClock},
    index_set::IndexSet,
    timestamp::Timestamp,
};
use store::{
    DatabaseUrl, StoreError,
    indexes::{IndexState, Presence},
    inspect::Inspection,
    projections::{Projection, ProjectionState},
};

use super::Check;
use crate::outcome::describe;

/// Clocks that differ by more than this make `recorded_at` and `timestamp-in-future` look wrong, in microseconds.
const SKEW_WORTH_A_WORD: i64 = 2_000_000;
/// Beyond this, tokens expire wrongly too.
const SKEW_TOO_LARGE: i64 = 60_000_000;
/// A dead letter waits longer than this only when the relay does not work, in microseconds.
const UNPUBLISHED_TOO_LONG: i64 = 60_000_000;
/// A projection is behind for longer than this only when no projector works, or a rebuild is under way.
const PROJECTION_TOO_OLD: Duration = Duration::from_mins(1);

/// Checks the database as each configured role.
pub async fn check(settings: &DatabaseSettings, clock: SystemClock) -> Vec<Check> {
    let roles = [
        ("audit_ingestor", "ingestor_url", &settings.ingestor_url),
        ("audit_api", "api_url", &settings.api_url),
        ("audit_projector", "projector_url", &settings.projector_url),
        ("audit_migrator", "migrator_url", &settings.migrator_url),
        ("audit_retention", "retention_url", &settings.retention_url),
        ("audit_operator", "operator_url", &settings.operator_url),
    ];
    let mut checks = Vec::new();
    for (role, key, url) in roles {
        let name = format!("database as {role}");
        match url {
            None => checks.push(Check::warn(
                name,
                format!("database.{key} is not set here"),
                "set it where the service of this role runs",
            )),
            Some(url) => checks.extend(as_role(name, role, url, settings.indexes, clock).await),
        }
    }
    checks
}

async fn as_role(name: String, role: &str, url: &Secret, wanted: IndexSet, clock: SystemClock) -> Vec<Check> {
    match look(role, url, clock).await {
        Ok(seen) => judge(&name, role, &seen, wanted),
        Err(error) => vec![Check::fail(name, describe(&error), remedy(&error))],
    }
}

/// What one role saw.
struct Seen {
    inspection: Inspection,
    /// Ours, in the middle of the question.
    host_now: Timestamp,
    schema: Result<(), StoreError>,
    unpublished: Option<(i64, Option<Timestamp>)>,
    indexes: Option<Vec<IndexState>>,
    projections: Vec<ProjectionState>,
}

async fn look(role: &str, url: &Secret, clock: SystemClock) -> Result<Seen, StoreError> {
    let client = store::connect(&DatabaseUrl::from(url), "trailctl-doctor").await?;
    let before = clock.now().as_micros();
    let inspection = store::inspect::inspect(&client).await?;
    let host_now = Timestamp::from_micros(i64::midpoint(before, clock.now().as_micros()));
    // The migrator sees the tables only as audit_owner.
    let schema = match role {
        "audit_migrator" => Ok(()),
        _ => store::schema::require_known_schema(&client).await,
    };
    let unpublished = match (role, &schema) {
        ("audit_operator", Ok(())) => Some(store::inspect::unpublished_dead_letters(&client).await?),
        _ => None,
    };
    let indexes = match (role, &schema) {
        ("audit_operator", Ok(())) => Some(store::indexes::inventory(&client).await?),
        _ => None,
    };
    let projections = match (role, &schema) {
        ("audit_operator", Ok(())) => store::projections::states(&client).await?,
        _ => Vec::new(),
    };
    Ok(Seen { inspection, host_now, schema, unpublished, indexes, projections })
}

fn judge(name: &str, role: &str, seen: &Seen, wanted: IndexSet) -> Vec<Check> {
    let mut checks = vec![access(name, role, seen)];
    if role == "audit_operator" {
        checks.push(skew(seen));
        checks.push(guards(&seen.inspection));
        checks.extend(seen.indexes.as_ref().map(|indexes| set_of_indexes(indexes, wanted)));
        checks
            .extend(seen.unpublished.map(|(count, oldest)| dead_letters(count, oldest, seen.inspection.now)));
        checks.extend(seen.projections.iter().map(projection));
    }
    checks
}

fn access(name: &str, role: &str, seen: &Seen) -> Check {
    let found = &seen.inspection;
    if let Err(error) = &seen.schema {
        return Check::fail(name, describe(error), remedy(error));
    }
    if found.superuser {
        return Check::fail(
            name,
            format!("connects as {}, a superuser: nothing would stop it from changing events", found.role),
            format!("give the URL of {role}"),
        );
    }
    if let Some(table) = &found.changeable {
        return Check::fail(
            name,
            format!("{} may change rows of {table}", found.role),
            format!("revoke update, delete, truncate on {table} from {}", found.role),
        );
    }
    if found.role != role {
        return Check::warn(name, format!("connects as {}", found.role), format!("give the URL of {role}"));
    }
    Check::ok(name, "connects, knows the schema, cannot change an event")
}

fn skew(seen: &Seen) -> Check {
    let difference = seen.inspection.now.as_micros() - seen.host_now.as_micros();
    let milliseconds = difference / 1000;
    let detail = format!(
        "the database's clock is {} ms {} ours",
        milliseconds.abs(),
        if difference < 0 { "behind" } else { "ahead of" }
    );
    let remedy = "run a time service (chrony, systemd-timesyncd) on both machines";
    match difference.abs() {
        SKEW_TOO_LARGE.. => Check::fail("clock", detail, remedy),
        SKEW_WORTH_A_WORD.. => Check::warn("clock", detail, remedy),
        _ => Check::ok("clock", detail),
    }
}

fn guards(found: &Inspection) -> Check {
    match (&found.unguarded, found.partitions) {
        (_, 0) => Check::fail("guards", "there are no partitions of events", "run `trailctl migrate`"),
        (Some(table), _) => Check::fail(
            "guards",
            format!("{table} lacks its guards, or they are not always on"),
            "find out who took them away; then restore them as migrations/V2 and V3 make them, and run `trailctl verify`",
        ),
        (None, partitions) => Check::ok("guards", format!("{partitions} partitions, each with its guards")),
    }
}

fn set_of_indexes(indexes: &[IndexState], wanted: IndexSet) -> Check {
    let found = store::indexes::set_of(indexes);
    if found == Some(wanted) {
        return Check::ok("indexes", format!("the set {wanted}, whole"));
    }
    let partial: Vec<&str> = indexes
        .iter()
        .filter(|index| index.presence == Presence::Partial)
        .map(|index| index.definition.name)
        .collect();
    let found = match (found, partial.is_empty()) {
        (Some(found), _) => format!("the database has the set {found}"),
        (None, true) => "the database has neither set".to_owned(),
        (None, false) => format!("half there: {}", partial.join(", ")),
    };
    Check::warn(
        "indexes",
        format!("{found}, the configuration wants {wanted}"),
        format!("run `trailctl index --set {wanted}`, or change database.indexes"),
    )
}

fn dead_letters(count: i64, oldest: Option<Timestamp>, now: Timestamp) -> Check {
    let Some(oldest) = oldest else { return Check::ok("dead letters", "all are published") };
    let age = now.as_micros() - oldest.as_micros();
    let detail = format!("{count} wait to be published, the oldest for {} s", age / 1_000_000);
    if age < UNPUBLISHED_TOO_LONG {
        return Check::ok("dead letters", detail);
    }
    Check::warn(
        "dead letters",
        detail,
        "is an ingestor running, and may it write to the dead-letter topic? (`trailctl topics apply`)",
    )
}

fn projection(state: &ProjectionState) -> Check {
    let name = format!("projection {}", state.name);
    let known = Projection::parse(&state.name).map(Projection::version);
    if let Some(version) = known.filter(|version| state.version > *version) {
        return Check::warn(
            name,
            format!("version {} made it, this build knows {version}", state.version),
            "use the trailctl and the projector of the newer release",
        );
    }
    let as_of = &state.as_of;
    if as_of.behind == 0 {
        return Check::ok(name, "has read everything");
    }
    let detail = format!("{} appends behind, the first of them for {} s", as_of.behind, as_of.age.as_secs());
    if as_of.age < PROJECTION_TOO_OLD {
        return Check::ok(name, detail);
    }
    Check::warn(
        name,
        detail,
        "is a projector running (its metric audit_projector_leading is 1), and what does its log say? A rebuild catches up \
         by itself",
    )
}

fn remedy(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable(_) => "is the server running, and are host, port and network right?",
        StoreError::UnknownSchema { remedy, .. } => remedy,
        _ => "are role, password and database right? `trailctl migrate --bootstrap` makes them",
    }
}

#[cfg(test)]
mod tests {
    use store::{
        indexes::{DEFINITIONS, Definition},
        projections::AsOf,
    };

    use super::super::Level;
    use super::*;

    fn seen() -> Seen {
        let now = Timestamp::from_micros(1_000_000_000_000);
        let inspection = Inspection {
            role: "audit_ingestor".to_owned(),
            superuser: false,
            now,
            changeable: None,
            unguarded: None,
            partitions: 3,
        };
        Seen {
            inspection,
            host_now: now,
            schema: Ok(()),
            unpublished: None,
            indexes: None,
            projections: Vec::new(),
        }
    }

    #[test]
    fn a_role_that_could_change_events_fails() {
        assert_eq!(access("n", "audit_ingestor", &seen()).level, Level::Ok);
        let mut can = seen();
        can.inspection.changeable = Some("audit.events".to_owned());
        assert_eq!(access("n", "audit_ingestor", &can).level, Level::Fail);
        let mut superuser = seen();
        superuser.inspection.superuser = true;
        assert_eq!(access("n", "audit_ingestor", &superuser).level, Level::Fail);
        assert_eq!(access("n", "audit_api", &seen()).level, Level::Warn);
    }

    #[test]
    fn clocks_that_differ_are_said() {
        let differing = |micros: i64| {
            let mut seen = seen();
            seen.host_now = Timestamp::from_micros(seen.host_now.as_micros() + micros);
            skew(&seen)
        };
        assert_eq!(differing(-500_000).level, Level::Ok);
        let behind = differing(5_000_000);
        assert_eq!(
            (behind.level, behind.detail.as_str()),
            (Level::Warn, "the database's clock is 5000 ms behind ours")
        );
        assert_eq!(differing(-120_000_000).level, Level::Fail);
    }

    #[test]
    fn missing_guards_fail() {
        let mut inspection = seen().inspection;
        assert_eq!(guards(&inspection).level, Level::Ok);
        inspection.unguarded = Some("audit.events_2026_01_standard".to_owned());
        assert_eq!(guards(&inspection).level, Level::Fail);
    }

    #[test]
    fn other_indexes_than_configured_are_said() {
        let states = |presence: fn(&Definition) -> Presence| -> Vec<IndexState> {
            let state = |definition: &Definition| IndexState {
                definition: definition.clone(),
                presence: presence(definition),
                partitions: (0, 0),
                bytes: 0,
            };
            DEFINITIONS.iter().map(state).collect()
        };
        let whole = states(|_| Presence::Whole);
        assert_eq!(set_of_indexes(&whole, IndexSet::Standard).level, Level::Ok);
        let other = set_of_indexes(&whole, IndexSet::Essential);
        assert_eq!(other.level, Level::Warn);
        assert!(other.remedy.contains("trailctl index --set essential"), "{}", other.remedy);
        let half = states(|index| if index.lookup.is_some() { Presence::Partial } else { Presence::Whole });
        assert!(set_of_indexes(&half, IndexSet::Standard).detail.contains("half there: events_organization"));
    }

    #[test]
    fn a_projection_that_lags_is_said() {
        let behind = |appends: i64, seconds: u64, version: i32| {
            let as_of =
                AsOf { append: 7, recorded_at: None, behind: appends, age: Duration::from_secs(seconds) };
            let updated_at = Timestamp::from_micros(0);
            projection(&ProjectionState { name: "aggregates".to_owned(), version, as_of, updated_at })
        };
        assert_eq!(behind(0, 0, 1).level, Level::Ok);
        assert_eq!(behind(3, 2, 1).level, Level::Ok);
        let lagging = behind(9, 600, 1);
        assert_eq!(lagging.level, Level::Warn);
        assert!(
            lagging.name == "projection aggregates" && lagging.detail.contains("9 appends"),
            "{lagging:?}"
        );
        assert_eq!(behind(0, 0, 99).level, Level::Warn);
    }

    #[test]
    fn dead_letters_that_wait_long_are_said() {
        let now = Timestamp::from_micros(1_000_000_000_000);
        let since = |micros: i64| Some(Timestamp::from_micros(now.as_micros() - micros));
        assert_eq!(dead_letters(0, None, now).level, Level::Ok);
        assert_eq!(dead_letters(2, since(1_000_000), now).level, Level::Ok);
        assert_eq!(dead_letters(2, since(3_600_000_000), now).level, Level::Warn);
    }
}
