//! A Kafka that is spoken to by SASL over TLS alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Child,
    time::Duration,
};

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{command, give, run, spawn};
use crate::{
    authority::{Authority, Issued},
    postgres::quiet_port,
    wait_until,
};

/// Where `cargo xtask` keeps Kafka's jars.
const JARS: &str = "AUDIT_TEST_KAFKA_JARS";

/// One broker with three listeners, each with a certificate of its own.
#[derive(Debug)]
pub struct SecuredKafka {
    folder: TempDir,
    ports: [u16; 3],
    server: Child,
}

impl SecuredKafka {
    /// The account that it knows.
    pub const USER: &str = "audit";
    /// Its password.
    pub const PASSWORD: &str = "kafka-of-a-test";

    /// Starts it, and waits until it takes connections: a good certificate, one that has expired, one for another name.
    pub async fn start(authority: &Authority) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the broker");
        give(folder.path());
        let issued = [
            authority.issue("kafka-good", &["localhost", "127.0.0.1"]),
            authority.issue_expired("kafka-expired", &["localhost", "127.0.0.1"]),
            authority.issue("kafka-other", &["kafka.example.org"]),
        ];
        let stores = ["good", "expired", "other"].map(|name| folder.path().join(format!("{name}.pem")));
        for (issued, store) in issued.iter().zip(&stores) {
            key_store(issued, store);
        }
        let ports = [quiet_port(), quiet_port(), quiet_port()];
        let config = folder.path().join("kafka.properties");
        fs::write(&config, properties(folder.path(), ports, [quiet_port(), quiet_port()], &stores))
            .expect("the configuration is written");
        give(&config);
        let java = std::env::var("AUDIT_TEST_JAVA").unwrap_or_else(|_| "java".to_owned());
        let jars =
            std::env::var(JARS).unwrap_or_else(|_| panic!("{JARS} is not set: `cargo xtask test` sets it"));
        let kafka = |class: &str, memory: &str| {
            let mut kafka = command(&java);
            kafka.args([
                memory,
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                &format!("{jars}/*"),
                class,
            ]);
            kafka.current_dir(folder.path());
            kafka
        };
        let account = format!("SCRAM-SHA-512=[name={},password={}]", Self::USER, Self::PASSWORD);
        let mut format = kafka("kafka.tools.StorageTool", "-Xmx128m");
        format.args([
            "format",
            "--cluster-id",
            "AAAAAAAAAAAAAAAAAAAAAA",
            "--add-scram",
            &account,
            "--config",
        ]);
        run(format.arg(&config));
        let server = spawn(kafka("kafka.Kafka", "-Xmx256m").arg(&config), &folder.path().join("log"));
        let started = Self { folder, ports, server };
        wait_until("Kafka takes connections", Duration::from_mins(2), || async {
            TcpStream::connect(("127.0.0.1", ports[0])).await.ok()
        })
        .await;
        started
    }

    /// Where it shows a good certificate for `localhost`.
    pub fn good(&self) -> String {
        format!("localhost:{}", self.ports[0])
    }

    /// Where it shows one that has expired.
    pub fn expired(&self) -> String {
        format!("localhost:{}", self.ports[1])
    }

    /// Where it shows one for `kafka.example.org`.
    pub fn other_name(&self) -> String {
        format!("localhost:{}", self.ports[2])
    }
}

impl Drop for SecuredKafka {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the end of Kafka's log:\n{}", lines[lines.len().saturating_sub(30)..].join("\n"));
        }
    }
}

/// Kafka wants key and certificate in one file.
fn key_store(issued: &Issued, store: &PathBuf) {
    let read = |path: &PathBuf| fs::read_to_string(path).expect("what was issued can be read");
    fs::write(store, read(&issued.key) + &read(&issued.certificate)).expect("the key store is written");
    give(store);
}

fn properties(folder: &Path, ports: [u16; 3], own: [u16; 2], stores: &[PathBuf; 3]) -> String {
    let [controller, internal] = own;
    let names = ["GOOD", "EXPIRED", "OTHER"];
    let listeners: Vec<String> =
        names.iter().zip(ports).map(|(name, port)| format!("{name}://localhost:{port}")).collect();
    let listeners = listeners.join(",") + &format!(",INTERNAL://127.0.0.1:{internal}");
    let protocols: Vec<String> = names.iter().map(|name| format!("{name}:SASL_SSL")).collect();
    let mut text = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners={listeners},CONTROLLER://127.0.0.1:{controller}\nadvertised.listeners={listeners}\n\
         listener.security.protocol.map={},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         controller.listener.names=CONTROLLER\ninter.broker.listener.name=INTERNAL\n\
         sasl.enabled.mechanisms=SCRAM-SHA-512\n\
         log.dirs={}\nauto.create.topics.enable=false\n\
         offsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n",
        protocols.join(","),
        folder.join("data").display()
    );
    for (name, store) in names.iter().zip(stores) {
        let name = format!("listener.name.{}", name.to_lowercase());
        let listener = format!(
            "{name}.ssl.keystore.type=PEM\n{name}.ssl.keystore.location={}\n\
             {name}.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
             username=\"{}\" password=\"{}\";\n",
            store.display(),
            SecuredKafka::USER,
            SecuredKafka::PASSWORD
        );
        text.push_str(&listener);
    }
    text
}
