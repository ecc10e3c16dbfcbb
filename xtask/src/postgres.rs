//! A private PostgreSQL from the system's package: own data, own port, loopback only, scram passwords.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::probe::Probe;
use crate::process::{Launch, command_as};
use crate::stack::{Kind, Stack};
use crate::supervisor::Supervisor;

/// The oldest major version that this project supports.
pub(crate) const OLDEST: u32 = 15;

const SUPERUSER: &str = "postgres";

/// One stack's PostgreSQL.
pub(crate) struct Postgres {
    bin: PathBuf,
    port: u16,
    password: String,
}

/// The folder of the newest installed PostgreSQL's programs, `None` when there is none new enough.
pub(crate) fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let of = |entry: fs::DirEntry| -> Option<(u32, PathBuf)> {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let bin = entry.path().join("bin");
        (version >= OLDEST && bin.join("initdb").exists()).then_some((version, bin))
    };
    versions.filter_map(|entry| of(entry.ok()?)).max_by_key(|(version, _)| *version).map(|(_, bin)| bin)
}

impl Postgres {
    /// The server on `port`; its data folder is made on the first [`Postgres::launch`].
    pub(crate) fn new(port: u16, password: &str) -> Result<Self> {
        let bin = installed().context("no PostgreSQL found under /usr/lib/postgresql")?;
        Ok(Self { bin, port, password: password.to_owned() })
    }

    /// The superuser's connection URL for `database`.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// A connection URL for another role.
    pub(crate) fn url_of(&self, role: &str, password: &str, database: &str) -> String {
        format!("postgres://{role}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// How to start it; makes the data folder when there is none.
    pub(crate) fn launch(&self, stack: &Stack, supervisor: &mut Supervisor) -> Result<Launch> {
        let data = stack.server_dir("postgres")?.join("data");
        let bin = bin_for(&data, &self.bin)?;
        if !data.join("PG_VERSION").exists() {
            self.init(stack, &data, supervisor)?;
        }
        let mut args: Vec<OsString> = vec!["-D".into(), data.clone().into()];
        for setting in settings(stack.kind, self.port, memory_bytes()) {
            args.extend(["-c".into(), setting.into()]);
        }
        Ok(Launch {
            name: "postgres",
            program: bin.join("postgres"),
            args,
            env: Vec::new(),
            dir: stack.dir.join("postgres"),
            log: stack.log("postgres"),
            account: stack.account.clone(),
            // SIGINT: "fast shutdown", which ends sessions instead of waiting for them.
            stop: Signal::SIGINT,
            // The last checkpoint writes what the buffers hold.
            stop_within: Duration::from_secs(if stack.kind == Kind::Bench { 60 } else { 20 }),
            probe: Probe::Postgres { pg_isready: bin.join("pg_isready"), port: self.port },
            tier: 0,
        })
    }

    /// Makes the data folder beside its place and moves it there whole, so that a cut-short initdb is started again.
    fn init(&self, stack: &Stack, data: &Path, supervisor: &mut Supervisor) -> Result<()> {
        let draft = data.with_extension("new");
        if draft.exists() {
            fs::remove_dir_all(&draft).with_context(|| format!("removing {}", draft.display()))?;
        }
        let password_file = stack.dir.join("postgres").join("password");
        crate::stack::write_private(&password_file, &self.password)?;
        stack.give(&password_file)?;
        let log = fs::File::create(stack.log("initdb"))?;
        let mut command = command_as(stack.account.as_ref(), Some(Signal::SIGTERM), &self.bin.join("initdb"));
        command
            .args([
                "--username",
                SUPERUSER,
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--data-checksums",
            ])
            .arg(format!("--pwfile={}", password_file.display()))
            .arg(&draft)
            .current_dir(stack.dir.join("postgres"))
            .stdout(log.try_clone()?)
            .stderr(log);
        let status = supervisor.run("initdb", &mut command)?;
        fs::remove_file(&password_file)?;
        if !status.success() {
            bail!(
                "initdb failed ({status}); the end of its log:\n{}",
                crate::process::tail(&stack.log("initdb"), 20)
            );
        }
        fs::rename(&draft, data).with_context(|| format!("moving {} into place", draft.display()))
    }

    /// Runs SQL as the superuser and gives back what `psql` prints, unaligned and without headings.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let output = Command::new(self.bin.join("psql"))
            .args([
                "--no-psqlrc",
                "--quiet",
                "--tuples-only",
                "--no-align",
                "--set=ON_ERROR_STOP=1",
                "--host=127.0.0.1",
            ])
            .arg(format!("--port={}", self.port))
            .arg(format!("--username={SUPERUSER}"))
            .arg(format!("--dbname={database}"))
            .arg(format!("--command={sql}"))
            .env("PGPASSWORD", &self.password)
            .stdin(Stdio::null())
            .output()
            .context("running psql")?;
        if !output.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Makes sure of a role with this password and a database of the same name that it owns.
    pub(crate) fn ensure_database(&self, name: &str, password: &str) -> Result<()> {
        if self.sql("postgres", &format!("select 1 from pg_roles where rolname = '{name}'"))?.is_empty() {
            self.sql("postgres", &format!("create role {name} login"))?;
        }
        self.sql("postgres", &format!("alter role {name} password '{password}'"))?;
        if self.sql("postgres", &format!("select 1 from pg_database where datname = '{name}'"))?.is_empty() {
            self.sql("postgres", &format!("create database {name} owner {name}"))?;
        }
        Ok(())
    }
}

/// Data of another major version is served by that version's programs, when they are still there.
fn bin_for(data: &Path, newest: &Path) -> Result<PathBuf> {
    let Ok(version) = fs::read_to_string(data.join("PG_VERSION")) else { return Ok(newest.to_path_buf()) };
    let bin = PathBuf::from(format!("/usr/lib/postgresql/{}/bin", version.trim()));
    if !bin.join("postgres").exists() {
        bail!(
            "{} holds data of PostgreSQL {}, which is not installed: install it, or start with --fresh",
            data.display(),
            version.trim()
        );
    }
    Ok(bin)
}

/// The settings that differ from PostgreSQL's own defaults.
fn settings(kind: Kind, port: u16, memory_bytes: u64) -> Vec<String> {
    let mut settings = vec![
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        // No socket file: its path would be too long below a deep checkout.
        "unix_socket_directories=".to_owned(),
        "max_connections=300".to_owned(),
        format!("shared_buffers={}MB", buffers_mb(kind, memory_bytes)),
        "wal_compression=lz4".to_owned(),
        "password_encryption=scram-sha-256".to_owned(),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
        "log_line_prefix=%m [%p] %a %u@%d ".to_owned(),
        "cluster_name=audit-stack".to_owned(),
    ];
    let of_kind: &[&str] = match kind {
        Kind::Up | Kind::Test => &["max_wal_size=4GB", "checkpoint_timeout=15min"],
        // No checkpoint inside a round but the one that is asked for; commit times tell a round's beginning and end.
        Kind::Bench => &[
            "max_wal_size=16GB",
            // Segments are recycled: making new ones is no part of a round.
            "min_wal_size=4GB",
            "checkpoint_timeout=30min",
            "track_commit_timestamp=on",
        ],
    };
    settings.extend(of_kind.iter().map(|setting| (*setting).to_owned()));
    settings
}

/// What is wanted, within what the machine can spare.
fn buffers_mb(kind: Kind, memory_bytes: u64) -> u64 {
    const MB: u64 = 1 << 20;
    let (wanted, share) = match kind {
        Kind::Up => (1024, 8),
        Kind::Test => (256, 8),
        Kind::Bench => (4096, 4),
    };
    wanted.min(memory_bytes / share / MB).max(32)
}

/// The machine's memory; 4 GiB when it cannot be told.
fn memory_bytes() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map_or(4 << 30, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_bounded_by_the_memory() {
        let has = |kind, memory: u64, want: &str| settings(kind, 5432, memory).contains(&want.to_owned());
        assert!(has(Kind::Up, 24 << 30, "shared_buffers=1024MB"));
        assert!(has(Kind::Test, 24 << 30, "shared_buffers=256MB"));
        assert!(has(Kind::Up, 2 << 30, "shared_buffers=256MB"));
        assert!(has(Kind::Up, 0, "shared_buffers=32MB"));
        assert!(has(Kind::Bench, 24 << 30, "shared_buffers=4096MB"));
        assert!(has(Kind::Bench, 8 << 30, "shared_buffers=2048MB"));
    }

    #[test]
    fn urls_name_role_port_and_database() {
        let postgres = Postgres { bin: PathBuf::new(), port: 5433, password: "p".to_owned() };
        assert_eq!(postgres.url("audit"), "postgres://postgres:p@127.0.0.1:5433/audit");
        assert_eq!(postgres.url_of("audit_api", "q", "audit"), "postgres://audit_api:q@127.0.0.1:5433/audit");
    }
}
