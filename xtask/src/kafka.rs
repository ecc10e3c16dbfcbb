//! A private Apache Kafka: one node, KRaft, loopback only.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::dist::Java;
use crate::probe::Probe;
use crate::process::{Launch, command_as, tail};
use crate::secrets::{hex, random_bytes};
use crate::stack::Stack;
use crate::supervisor::Supervisor;

/// One stack's Kafka.
pub(crate) struct Kafka<'a> {
    /// The Java to run it with.
    pub(crate) java: &'a Java,
    /// Where clients connect.
    pub(crate) port: u16,
    /// Where the controller listens.
    pub(crate) controller_port: u16,
}

impl Kafka<'_> {
    /// How to start it; formats its storage when there is none.
    pub(crate) fn launch(&self, stack: &Stack, supervisor: &mut Supervisor) -> Result<Launch> {
        let dir = stack.server_dir("kafka")?;
        let data = dir.join("data");
        let config = stack.dir.join("kafka.properties");
        let logging = stack.dir.join("kafka-log4j2.properties");
        fs::write(&config, self.properties(&data))?;
        fs::write(&logging, include_str!("../dist/kafka-log4j2.properties"))?;
        if !data.join("meta.properties").exists() {
            self.format(stack, &config, &dir, supervisor)?;
        }
        let mut args: Vec<OsString> = [
            "-Xms256m",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
        ]
        .map(OsString::from)
        .to_vec();
        args.push(format!("-Dlog4j2.configurationFile={}", logging.display()).into());
        args.extend(Self::class_path(stack));
        args.extend(["kafka.Kafka".into(), config.into()]);
        Ok(Launch {
            name: "kafka",
            program: self.java.program.clone(),
            args,
            env: Vec::new(),
            dir,
            log: stack.log("kafka"),
            account: stack.account.clone(),
            stop: Signal::SIGTERM,
            stop_within: Duration::from_secs(20),
            probe: Probe::Kafka { port: self.port },
            tier: 1,
        })
    }

    fn class_path(stack: &Stack) -> [OsString; 2] {
        ["-cp".into(), crate::dist::kafka_dir(&stack.dist).join("*").into()]
    }

    fn format(&self, stack: &Stack, config: &Path, dir: &Path, supervisor: &mut Supervisor) -> Result<()> {
        let log_path = stack.log("kafka-format");
        let log = fs::File::create(&log_path)?;
        let mut command = command_as(stack.account.as_ref(), Some(Signal::SIGTERM), &self.java.program);
        command
            .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(Self::class_path(stack))
            .args([
                "kafka.tools.StorageTool",
                "format",
                "--ignore-formatted",
                "--cluster-id",
                &new_cluster_id()?,
                "--config",
            ])
            .arg(config)
            .current_dir(dir)
            .stdout(log.try_clone()?)
            .stderr(log);
        let status = supervisor
            .run("formatting Kafka's storage", &mut command)
            .context("formatting Kafka's storage")?;
        if !status.success() {
            bail!(
                "formatting Kafka's storage failed ({status}); the end of {}:\n{}",
                log_path.display(),
                tail(&log_path, 20)
            );
        }
        Ok(())
    }

    fn properties(&self, data: &Path) -> String {
        let (port, controller_port, data) = (self.port, self.controller_port, data.display());
        format!(
            "# Written by cargo xtask at every start.\n\
             process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller_port}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             controller.listener.names=CONTROLLER\n\
             inter.broker.listener.name=PLAINTEXT\n\
             log.dirs={data}\n\
             {FIXED}"
        )
    }
}

/// One node holds everything, so every replication factor is one; small buffers and segments, because one machine
/// holds many short-lived topics; sessions down to a second, so that tests of rebalances need not wait. A broker that
/// was killed may register again only when its last session has run out: 5 s instead of 9.
const FIXED: &str = "\
num.partitions=12
auto.create.topics.enable=false
delete.topic.enable=true
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
log.retention.hours=168
log.segment.delete.delay.ms=1000
log.cleaner.dedupe.buffer.size=8388608
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
";

/// A random cluster id: 16 bytes in URL-safe base64. Hexadecimal digits are in that alphabet, and a last `A` leaves no
/// stray bits.
fn new_cluster_id() -> Result<String> {
    let digits = hex(&random_bytes::<11>()?);
    Ok(format!("{}A", &digits[..21]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_id_is_22_characters_that_kafka_takes() {
        let id = new_cluster_id().unwrap();
        assert_eq!(id.len(), 22);
        assert!(id.ends_with('A') && id.chars().all(|c| c.is_ascii_alphanumeric()));
        assert_ne!(id, new_cluster_id().unwrap());
    }

    #[test]
    fn the_broker_listens_on_loopback_only() {
        let java = Java { program: "java".into() };
        let text = Kafka { java: &java, port: 1, controller_port: 2 }.properties(Path::new("/d"));
        assert!(text.contains("listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n"));
        assert!(text.contains("log.dirs=/d\nnum.partitions=12\nauto.create.topics.enable=false\n"));
        assert!(!text.contains("0.0.0.0"));
    }
}
