//! The database server: what it promises about what it has acknowledged, whether it could be restored, its standby.

use std::time::Duration;

use service::config::{AuditConfig, DatabaseSettings};
use store::{DatabaseUrl, Reader, StoreError, inspect::ServerSettings, reader::ReplicaLag};

use super::Check;
use crate::outcome::describe;

/// The oldest that this product is tested on.
const OLDEST: i32 = 150_000;

/// Checks the server as the operator's role sees it.
pub async fn check(settings: &DatabaseSettings) -> Vec<Check> {
    let looked = async {
        let url = settings.operator_url().map_err(|error| StoreError::Refused(error.to_string()))?;
        let client = store::connect(&DatabaseUrl::from(url), "trailctl-doctor").await?;
        store::inspect::server_settings(&client).await
    };
    match looked.await {
        Ok(found) => vec![promises(&found), backup(&found)],
        Err(error) => vec![Check::skip(
            "server",
            format!("its settings and its archive were not looked at: {}", describe(&error)),
            "they are asked for as audit_operator: give database.operator_url",
        )],
    }
}

fn promises(found: &ServerSettings) -> Check {
    let name = "server";
    let version = format!("PostgreSQL {}.{}", found.version / 10_000, found.version % 10_000);
    if found.version < OLDEST {
        return Check::fail(name, version, "PostgreSQL 15 or newer is needed");
    }
    if !found.is_durable {
        let remedy = "set both on: after a crash of the machine the database would be damaged";
        return Check::fail(name, "fsync or full_page_writes is off", remedy);
    }
    if found.synchronous_commit == "off" {
        let remedy = "set it on: a crash takes back what was acknowledged; it is read again from Kafka, but a tail has shown it";
        return Check::warn(name, "synchronous_commit is off", remedy);
    }
    let standbys = match found.synchronous_standbys.as_str() {
        "" => "a commit waits for no standby".to_owned(),
        names => format!("a commit waits for {names}"),
    };
    let checksums = if found.checksums { "pages have checksums" } else { "pages have no checksums" };
    let gibibytes = found.size / (1 << 30);
    Check::ok(name, format!("{version}, {gibibytes} GiB, {checksums}, {standbys}"))
}

fn backup(found: &ServerSettings) -> Check {
    let name = "archive";
    match (found.archives, found.archiving_fails) {
        (false, _) => Check::warn(
            name,
            "the server archives no write-ahead log (archive_mode is off)",
            "if nothing else does (a managed service, pg_receivewal), the database cannot be restored to a moment: see \
             docs/operating.md, Backup and restore",
        ),
        (true, true) => Check::fail(
            name,
            "the last write-ahead log could not be archived",
            "the server's log says why; until it works, its disk fills and backups end at the last one that went",
        ),
        (true, false) => Check::ok(name, "the write-ahead log is archived"),
    }
}

/// Checks the standby that the API reads from; nothing where there is none.
pub async fn replica(config: &AuditConfig) -> Option<Check> {
    let (standby, primary) = (config.database.replica_url.as_ref()?, config.database.api_url.as_ref()?);
    let looked = async {
        let standby = Reader::connect_to_one(&DatabaseUrl::from(standby), 1, "trailctl-doctor").await?;
        let primary = Reader::connect(&DatabaseUrl::from(primary), 1, "trailctl-doctor").await?;
        let place = standby.place().await?;
        Ok::<_, StoreError>((place.is_standby, primary.ahead_of(&place).await?))
    };
    Some(match looked.await {
        Ok((is_standby, lag)) => follower(is_standby, lag, config.api.replica_max_lag),
        Err(error) => Check::fail(
            "standby",
            describe(&error),
            "reads go to the primary meanwhile; is database.replica_url one server, and does it run?",
        ),
    })
}

fn follower(is_standby: bool, lag: ReplicaLag, allowed: Duration) -> Check {
    let name = "standby";
    let detail =
        format!("{} appends behind, the first of them for {:.1} s", lag.appends, lag.age.as_secs_f64());
    if !is_standby {
        let remedy = "database.replica_url leads to a primary: give a streaming standby, or take it away";
        return Check::warn(name, "follows no other server", remedy);
    }
    if lag.age > allowed {
        return Check::warn(
            name,
            detail,
            "docs/runbooks/AuditReplicaLag.md; reads go to the primary meanwhile",
        );
    }
    Check::ok(name, if lag.appends == 0 { "has everything".to_owned() } else { detail })
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn healthy() -> ServerSettings {
        ServerSettings {
            version: 150_020,
            is_durable: true,
            synchronous_commit: "on".to_owned(),
            synchronous_standbys: String::new(),
            checksums: true,
            archives: true,
            archiving_fails: false,
            size: 3 << 30,
        }
    }

    #[test]
    fn a_server_that_may_lose_what_it_acknowledged_is_said() {
        let of = |change: fn(&mut ServerSettings)| {
            let mut found = healthy();
            change(&mut found);
            promises(&found)
        };
        let well = of(|_| {});
        assert_eq!(well.level, Level::Ok);
        assert_eq!(
            well.detail,
            "PostgreSQL 15.20, 3 GiB, pages have checksums, a commit waits for no standby"
        );
        assert_eq!(of(|found| found.version = 140_010).level, Level::Fail);
        assert_eq!(of(|found| found.is_durable = false).level, Level::Fail);
        assert_eq!(of(|found| found.synchronous_commit = "off".to_owned()).level, Level::Warn);
    }

    #[test]
    fn no_archive_warns_and_one_that_fails_fails() {
        assert_eq!(backup(&healthy()).level, Level::Ok);
        assert_eq!(backup(&ServerSettings { archives: false, ..healthy() }).level, Level::Warn);
        assert_eq!(backup(&ServerSettings { archiving_fails: true, ..healthy() }).level, Level::Fail);
    }

    #[test]
    fn a_standby_that_is_too_far_behind_warns() {
        let lag = |seconds| ReplicaLag { appends: 3, age: Duration::from_secs(seconds), bytes: None };
        let allowed = Duration::from_secs(10);
        assert_eq!(follower(true, lag(9), allowed).level, Level::Ok);
        assert_eq!(follower(true, lag(11), allowed).level, Level::Warn);
        assert_eq!(follower(false, lag(0), allowed).level, Level::Warn);
    }
}
