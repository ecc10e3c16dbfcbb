//! What somebody must look after in a live database: months, the write-ahead log that slots hold, age, connections, disk.

use service::config::DatabaseSettings;
use store::{
    DatabaseUrl, StoreError,
    upkeep::{self, Months, ReplicationSlot, Wear},
};

use super::Check;
use crate::outcome::describe;

/// Numbers of transactions are frozen at 200 million by default: so far beyond that, vacuum does not keep up.
const OLD: i32 = 500_000_000;
/// From here on the way to the end, at 2.1 thousand million, may be shorter than a vacuum.
const TOO_OLD: i32 = 1_500_000_000;
/// A slot whose reader is connected holds more than this only where the reader does not keep up.
const MUCH_HELD: i64 = 8 << 30;

/// Looks as the operator's role; one line that says why, where that cannot be.
pub async fn check(settings: &DatabaseSettings) -> Vec<Check> {
    let looked = async {
        let url = settings.operator_url().map_err(|error| StoreError::Refused(error.to_string()))?;
        let client = store::connect(&DatabaseUrl::from(url), "trailctl-doctor").await?;
        store::schema::require_known_schema(&client).await?;
        let found = (
            upkeep::months(&client).await?,
            upkeep::replication_slots(&client).await?,
            upkeep::wear(&client).await?,
        );
        Ok::<_, StoreError>(found)
    };
    match looked.await {
        Ok((found, slots, wear)) => [months(&found)]
            .into_iter()
            .chain(replication(&slots))
            .chain([age(&wear), rows(&wear), connections(&wear), disk(&found)])
            .collect(),
        Err(error) => vec![Check::skip(
            "upkeep",
            format!(
                "months, replication slots, vacuum, rows, connections and disk were not looked at: {}",
                describe(&error)
            ),
            "they are asked for as audit_operator: give database.operator_url",
        )],
    }
}

fn months(found: &Months) -> Check {
    let name = "months";
    if let Some(table) = &found.detached {
        return Check::fail(
            name,
            format!("audit.{table} is not attached: its events can be neither read nor stored"),
            "find out who detached it, attach it again (alter table … attach partition …), then run `trailctl verify`",
        );
    }
    if let Some(table) = &found.stray_default {
        return Check::fail(
            name,
            format!("audit.{table} is a default partition: what it takes keeps its month from being made"),
            "none is needed, since months are made on demand: move its rows aside and drop it",
        );
    }
    if let Some(leaf) = &found.missing {
        return Check::fail(
            name,
            format!("audit.{leaf} is missing: events of its class and month cannot be stored"),
            "find out who removed it; `trailctl migrate` makes the partitions of every class, `trailctl verify` says what is gone",
        );
    }
    if !found.are_made_on_demand {
        return Check::fail(
            name,
            "audit_ingestor may not make months: the first event of a new one stops its partition",
            "grant execute on function audit.ensure_month(date) to audit_ingestor",
        );
    }
    let newest =
        found.newest.as_ref().map_or_else(String::new, |table| format!(", the last of them audit.{table}"));
    Check::ok(name, format!("{}{newest}; others are made when their first event comes", found.count))
}

fn replication(slots: &[ReplicationSlot]) -> Vec<Check> {
    if slots.is_empty() {
        return vec![Check::ok("replication slots", "there are none that could hold the write-ahead log")];
    }
    slots.iter().map(slot).collect()
}

fn slot(slot: &ReplicationSlot) -> Check {
    let name = format!("replication slot {}", slot.name);
    let drop = format!("or, if nobody needs it any more: select pg_drop_replication_slot('{}')", slot.name);
    let held = slot.held.unwrap_or_default();
    match slot.status.as_deref() {
        Some("lost") => Check::fail(
            name,
            "has lost write-ahead log that its reader needs",
            format!("make its standby anew, {drop}"),
        ),
        Some("unreserved") => Check::fail(
            name,
            format!("is {} behind, and is given up at the next checkpoint", size(held)),
            format!("start its reader now, or raise max_slot_wal_keep_size; {drop}"),
        ),
        Some(_) if !slot.is_active => {
            let bound = match slot.limit.as_str() {
                "-1" => "without a limit, until the disk is full".to_owned(),
                limit => format!("up to max_slot_wal_keep_size = {limit}"),
            };
            Check::warn(
                name,
                format!("nobody reads from it, and it holds {} of write-ahead log, {bound}", size(held)),
                format!("start its reader, {drop}"),
            )
        }
        Some(_) if held > MUCH_HELD => Check::warn(
            name,
            format!("its reader is {} of write-ahead log behind", size(held)),
            "is the standby or the network too slow? docs/runbooks/AuditReplicaLag.md",
        ),
        _ => Check::ok(name, format!("holds {}", size(held))),
    }
}

fn age(wear: &Wear) -> Check {
    let name = "vacuum";
    let oldest = wear.transaction_age.max(wear.multixact_age);
    let detail = format!("the oldest transaction is {} million back", oldest / 1_000_000);
    let remedy = "see which table holds it back (select relname, age(relfrozenxid) from pg_class where relkind = 'r' order by 2 \
                  desc), end transactions that never end, and vacuum (freeze) it; at 2,100 million the server stops writing";
    match oldest {
        TOO_OLD.. => Check::fail(name, detail, remedy),
        OLD.. => Check::warn(name, detail, remedy),
        _ if !wear.has_autovacuum => Check::warn(name, "autovacuum is off", "set autovacuum = on"),
        _ => Check::ok(name, detail),
    }
}

fn rows(wear: &Wear) -> Check {
    let name = "rows";
    if let Some((table, count)) = &wear.changed {
        return Check::fail(
            name,
            format!("{count} rows of audit.{table} were updated or deleted, which only a superuser can"),
            "run `trailctl verify`: it names the first row that is not what was recorded",
        );
    }
    if let Some((table, count)) = &wear.dead {
        return Check::warn(
            name,
            format!("audit.{table} has {count} dead rows, more than half as many as it has living"),
            format!(
                "vacuum audit.{table}; transactions that never end, or a slot that is not read, keep them"
            ),
        );
    }
    Check::ok(name, "no row of evidence was changed since the server counts, and few are dead")
}

fn connections(wear: &Wear) -> Check {
    let name = "connections";
    let detail = format!("{} of max_connections = {}", wear.connections, wear.max_connections);
    if wear.connections * 5 > i64::from(wear.max_connections) * 4 {
        let remedy =
            "raise max_connections, or lower api.pool_size or ingestor.writers: docs/operating.md, Sizing";
        return Check::warn(name, detail, remedy);
    }
    Check::ok(name, detail)
}

/// What SQL can say of it. How full the volume is takes a superuser's rights, or the machine's own tools.
fn disk(found: &Months) -> Check {
    let bytes = found.bytes_this_month;
    Check::skip(
        "disk",
        format!(
            "this month's events take {}, {} a day; how full the volume is cannot be seen by SQL",
            size(bytes),
            size(bytes / i64::from(found.day.max(1)))
        ),
        "watch the volume itself: docs/runbooks/AuditDatabaseDisk.md",
    )
}

/// Bytes for people.
fn size(bytes: i64) -> String {
    match bytes {
        0x4000_0000.. => format!("{} GiB", bytes >> 30),
        0x10_0000.. => format!("{} MiB", bytes >> 20),
        _ => format!("{} KiB", bytes >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn good_months() -> Months {
        Months {
            count: 3,
            newest: Some("events_2026_11".to_owned()),
            detached: None,
            missing: None,
            stray_default: None,
            are_made_on_demand: true,
            bytes_this_month: 40 << 30,
            day: 20,
        }
    }

    fn good_wear() -> Wear {
        Wear {
            transaction_age: 190_000_000,
            multixact_age: 3,
            has_autovacuum: true,
            connections: 40,
            max_connections: 100,
            changed: None,
            dead: None,
        }
    }

    fn reading() -> ReplicationSlot {
        ReplicationSlot {
            name: "standby_1".to_owned(),
            is_active: true,
            status: Some("reserved".to_owned()),
            held: Some(3 << 20),
            limit: "-1".to_owned(),
        }
    }

    #[test]
    fn months_that_could_not_take_an_event_fail() {
        let well = months(&good_months());
        assert_eq!(well.level, Level::Ok);
        assert!(well.detail.starts_with("3, the last of them audit.events_2026_11"), "{}", well.detail);
        let table = || Some("events_2026_10".to_owned());
        for bad in [
            Months { detached: table(), ..good_months() },
            Months { missing: table(), ..good_months() },
            Months { stray_default: table(), ..good_months() },
            Months { are_made_on_demand: false, ..good_months() },
        ] {
            let found = months(&bad);
            assert!(found.level == Level::Fail && !found.remedy.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn a_slot_that_nobody_reads_from_is_said_before_the_disk_is_full() {
        assert_eq!(slot(&reading()), Check::ok("replication slot standby_1", "holds 3 MiB"));
        let idle = slot(&ReplicationSlot { is_active: false, ..reading() });
        assert!(idle.level == Level::Warn && idle.detail.contains("until the disk is full"), "{idle:?}");
        assert!(idle.remedy.contains("pg_drop_replication_slot('standby_1')"), "{idle:?}");
        let unused = ReplicationSlot { is_active: false, status: None, held: None, ..reading() };
        assert_eq!(slot(&unused).level, Level::Ok);
        assert_eq!(slot(&ReplicationSlot { held: Some(MUCH_HELD + 1), ..reading() }).level, Level::Warn);
        for status in ["lost", "unreserved"] {
            let gone = ReplicationSlot { status: Some(status.to_owned()), ..reading() };
            assert_eq!(slot(&gone).level, Level::Fail);
        }
    }

    #[test]
    fn what_vacuum_and_connections_come_to_is_said_in_time() {
        assert_eq!(age(&good_wear()).level, Level::Ok);
        assert_eq!(age(&Wear { transaction_age: OLD, ..good_wear() }).level, Level::Warn);
        assert_eq!(age(&Wear { multixact_age: TOO_OLD, ..good_wear() }).level, Level::Fail);
        assert_eq!(age(&Wear { has_autovacuum: false, ..good_wear() }).level, Level::Warn);
        assert_eq!(connections(&good_wear()).level, Level::Ok);
        assert_eq!(connections(&Wear { connections: 81, ..good_wear() }).level, Level::Warn);
        let table = || Some(("appends".to_owned(), 200_000));
        assert_eq!(rows(&good_wear()).level, Level::Ok);
        assert_eq!(rows(&Wear { dead: table(), ..good_wear() }).level, Level::Warn);
        assert_eq!(rows(&Wear { changed: table(), ..good_wear() }).level, Level::Fail);
    }

    #[test]
    fn what_sql_cannot_see_of_the_disk_is_not_passed_over() {
        let found = disk(&good_months());
        assert_eq!(found.level, Level::Skip);
        assert!(found.detail.contains("40 GiB, 2 GiB a day; how full the volume is"), "{}", found.detail);
    }
}
