//! What a process has used, from /proc.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use tokio_postgres::Client;

/// USER_HZ: Linux gives the times in /proc in hundredths of a second, whatever the kernel's own tick is.
const TICK_MICROS: u64 = 10_000;

/// User and system time of a process with all its threads, ended ones too, in microseconds; by steps of 10 ms.
pub(crate) fn cpu_micros(pid: u32) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid}"))?;
    ticks_in(&stat).map(|ticks| ticks * TICK_MICROS).context("the format of /proc/<pid>/stat")
}

/// Fields 14 and 15, counted after the last `)`: the name in field 2 may hold spaces and brackets.
fn ticks_in(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// What all processors of the machine have worked since boot, whoever for, in microseconds: without idling and waiting
/// for disks, and without what a host took away.
pub(crate) fn machine_busy_micros() -> Result<u64> {
    let stat = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    busy_ticks_in(&stat).map(|ticks| ticks * TICK_MICROS).context("the format of /proc/stat")
}

/// user, nice, system, irq and softirq of the first line; idle and iowait lie between, steal and guests behind.
fn busy_ticks_in(stat: &str) -> Option<u64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, _, _, irq, softirq, ..] = ticks[..] else { return None };
    Some(user + nice + system + irq + softirq)
}

/// The most memory that was resident at once, in bytes.
pub(crate) fn peak_resident_bytes(pid: u32) -> Result<u64> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("a process has memory")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().context("VmHWM is a number of kB")?;
    Ok(kilobytes * 1024)
}

/// The CPU time of one role's backends in one database, over backends that come and go.
///
/// PostgreSQL's other processes (WAL writer, checkpointer, autovacuum) are not among them.
#[derive(Debug, Default)]
pub(crate) struct Backends {
    /// The last that was seen of each.
    seen: BTreeMap<u32, u64>,
}

impl Backends {
    /// Looks at the backends that there are now.
    pub(crate) async fn look(&mut self, client: &Client, role: &str) -> Result<()> {
        const STATEMENT: &str =
            "select pid from pg_stat_activity where datname = current_database() and usename = $1";
        for row in client.query(STATEMENT, &[&role]).await? {
            let pid = u32::try_from(row.get::<_, i32>(0)).context("a process id")?;
            // One that ended meanwhile keeps what was seen of it last.
            if let Ok(micros) = cpu_micros(pid) {
                self.seen.insert(pid, micros);
            }
        }
        Ok(())
    }

    /// All they have used, in microseconds.
    pub(crate) fn micros(&self) -> u64 {
        self.seen.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_do_not_shift_the_fields() {
        let fields: Vec<String> = (4..=52).map(|field| field.to_string()).collect();
        assert_eq!(ticks_in(&format!("7 (a b) c) S {}", fields.join(" "))), Some(14 + 15));
        assert_eq!(ticks_in("7 (cut"), None);
    }

    #[test]
    fn idling_is_not_work() {
        let stat = "cpu  10 20 30 1000 500 1 2 300 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(busy_ticks_in(stat), Some(63));
        assert_eq!(busy_ticks_in("intr 5\n"), None);
    }

    #[test]
    fn this_process_uses_something() {
        let own = std::process::id();
        assert!(peak_resident_bytes(own).unwrap() > 1 << 20);
        let before = cpu_micros(own).unwrap();
        let mut sum = 0_u64;
        while cpu_micros(own).unwrap() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
    }
}
