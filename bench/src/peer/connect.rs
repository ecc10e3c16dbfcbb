//! Kafka Connect as a process: configured for one round, started with Kafka's own options, stopped with this value.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use test_support::servers::{kafka_bootstrap, registry_url};
use test_support::{Role, TestDatabase, daemon::free_address, unique};
use tokio::process::{Child, Command};
use tokio_postgres::config::Host;

use crate::process::{cpu_micros, peak_resident_bytes};

const WORKER: &str = include_str!("../../peer/worker.properties");
const SINK: &str = include_str!("../../peer/sink.properties");
const LOGGING: &str = include_str!("../../peer/log4j2.properties");

/// What `connect-standalone.sh` gives the JVM.
const JVM: [&str; 8] = [
    "-Xms256M",
    "-Xmx2G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
];
const MAIN: &str = "org.apache.kafka.connect.cli.ConnectStandalone";
/// What the Confluent-compatible API of the registry has in front of it on the same server.
const CONFLUENT_PATH: &str = "/apis/ccompat/v7";
/// Lines of the log that an error shows.
const LOG_LINES: usize = 20;

/// A running Kafka Connect with the sink in it.
#[derive(Debug)]
pub(super) struct Connect {
    process: Child,
    log: PathBuf,
}

impl Connect {
    /// Starts it: from the beginning of `topic` into `database`, its files in `folder`.
    pub(super) fn start(jars: &Path, folder: &Path, topic: &str, database: &TestDatabase) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let write = |name: &str, text: &str| -> Result<PathBuf> {
            let place = folder.join(name);
            // One of them holds a password.
            let mut options = File::options();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&place)?;
            file.write_all(text.as_bytes()).with_context(|| format!("writing {}", place.display()))?;
            Ok(place)
        };
        let worker = write("worker.properties", &worker(folder)?)?;
        let sink = write("sink.properties", &sink(topic, database)?)?;
        let logging = write("log4j2.properties", LOGGING)?;
        let log = folder.join("connect.log");
        let output = File::create(&log).with_context(|| format!("making {}", log.display()))?;
        let errors = output.try_clone()?;
        let java = std::env::var_os("AUDIT_BENCH_JAVA").unwrap_or_else(|| "java".into());
        let process = Command::new(java)
            .args(JVM)
            .arg(format!("-Dlog4j2.configurationFile={}", logging.display()))
            .arg("-cp")
            .arg(jars.join("*"))
            .arg(MAIN)
            .args([worker, sink])
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .context("starting Kafka Connect")?;
        Ok(Self { process, log })
    }

    /// An error with the end of its log when it has ended; it goes on with a failed task in it, too.
    pub(super) fn check(&mut self) -> Result<()> {
        if let Some(status) = self.process.try_wait()? {
            bail!("Kafka Connect ended with {status}:\n{}", self.log_end());
        }
        let failed = fs::read_to_string(&self.log).unwrap_or_default().contains("Task threw an uncaught");
        ensure!(!failed, "a task of Kafka Connect has failed:\n{}", self.log_end());
        Ok(())
    }

    /// The last lines of its log.
    pub(super) fn log_end(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// The JVM's CPU so far, in microseconds.
    pub(super) fn cpu_micros(&self) -> Result<u64> {
        cpu_micros(self.pid()?)
    }

    /// The most memory that the JVM had resident, in bytes.
    pub(super) fn peak_resident(&self) -> Result<u64> {
        peak_resident_bytes(self.pid()?)
    }

    /// Ends it. What it would still do is commit offsets of a group that nobody uses again.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.process.kill().await.context("ending Kafka Connect")
    }

    fn pid(&self) -> Result<u32> {
        self.process.id().context("Kafka Connect has ended")
    }
}

fn worker(folder: &Path) -> Result<String> {
    let registry = registry_url();
    let registry = registry
        .strip_suffix(CONFLUENT_PATH)
        .with_context(|| format!("{registry} is not Apicurio's: it does not end with {CONFLUENT_PATH}"))?;
    let values = [
        ("KAFKA", kafka_bootstrap()),
        ("REST_PORT", free_address().port().to_string()),
        ("FOLDER", folder.display().to_string()),
        ("REGISTRY", registry.to_owned()),
    ];
    fill_in(WORKER, &values)
}

fn sink(topic: &str, database: &TestDatabase) -> Result<String> {
    let config: tokio_postgres::Config = database.url_for(Role::Superuser).parse()?;
    let Some(Host::Tcp(host)) = config.get_hosts().first() else { bail!("PostgreSQL is not reached by TCP") };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let password = String::from_utf8(config.get_password().unwrap_or_default().to_vec())?;
    let values = [
        // The connector's name is its consumer group: a new one starts at the topic's beginning.
        ("NAME", unique("peer")),
        ("TOPIC", topic.to_owned()),
        ("POSTGRES", format!("{host}:{port}")),
        ("DATABASE", database.name().to_owned()),
        ("USER", config.get_user().unwrap_or("postgres").to_owned()),
        ("PASSWORD", password),
    ];
    fill_in(SINK, &values)
}

/// Puts values in the places of `@NAMES@`, escaped as Java's properties want it.
fn fill_in(template: &str, values: &[(&str, String)]) -> Result<String> {
    let settings = template.split_inclusive('\n').filter(|line| !line.starts_with('#'));
    let mut text: String = settings.collect();
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), &value.replace('\\', "\\\\"));
    }
    ensure!(!text.contains('@'), "a value is missing in the peer's configuration:\n{template}");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(text: &str, name: &str) -> Option<String> {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.map(str::to_owned)
    }

    #[test]
    fn a_place_without_a_value_is_an_error() {
        let values = [("A", "x\\y".to_owned())];
        assert_eq!(fill_in("# @NAMES@\na=@A@\n", &values).unwrap(), "a=x\\\\y\n");
        assert!(fill_in("a=@A@\nb=@B@\n", &values).is_err());
    }

    #[test]
    fn the_peer_is_tuned() {
        assert_eq!(setting(SINK, "tasks.max").as_deref(), Some("2"));
        assert_eq!(setting(SINK, "insert.mode").as_deref(), Some("upsert"));
        assert_eq!(setting(SINK, "use.reduction.buffer").as_deref(), Some("true"));
        assert_eq!(setting(SINK, "batch.size"), setting(SINK, "consumer.override.max.poll.records"));
        assert!(setting(SINK, "connection.url").unwrap().ends_with("?reWriteBatchedInserts=true"));
    }
}
