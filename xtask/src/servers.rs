//! The servers together: what `up`, `test` and `servers` have in common.

use std::time::Duration;

use anyhow::Result;

use crate::console::Console;
use crate::kafka::Kafka;
use crate::ports::{self, Ports, Wanted};
use crate::postgres::Postgres;
use crate::rabbitmq::RabbitMq;
use crate::registry::{self, Registry};
use crate::secrets::Secrets;
use crate::stack::{Kind, Stack, write_private};
use crate::supervisor::Supervisor;
use crate::{account, dist, provision};

/// The ports that the servers need.
pub(crate) const PORTS: [Wanted; 7] = [
    Wanted { name: "postgres", preferred: None },
    Wanted { name: "kafka", preferred: None },
    Wanted { name: "kafkaController", preferred: None },
    Wanted { name: "registry", preferred: None },
    Wanted { name: "rabbitmq", preferred: None },
    Wanted { name: "rabbitmqDistribution", preferred: None },
    Wanted { name: "rabbitmqMapper", preferred: None },
];

/// The secrets that the servers need.
pub(crate) const SECRETS: [&str; 3] = ["postgres", "registry", "rabbitmq"];

const READY_WITHIN: Duration = Duration::from_mins(2);

/// Servers that are ready, and where they are.
pub(crate) struct Servers {
    /// The superuser's way into PostgreSQL.
    pub(crate) postgres: Postgres,
    /// The broker, host and port.
    pub(crate) kafka: String,
    /// The base URL of the registry's Confluent-compatible API.
    pub(crate) registry: String,
    /// RabbitMQ's URL; `None` where nothing uses it.
    pub(crate) rabbitmq: Option<String>,
}

/// Ports and secrets of a stack, kept over its restarts.
pub(crate) struct Kept {
    /// One port a name.
    pub(crate) ports: Ports,
    /// One secret a name.
    pub(crate) secrets: Secrets,
}

/// Reads, completes and writes back what a stack keeps.
pub(crate) fn keep(stack: &Stack, ports: &[Wanted], secrets: &[&str], console: &Console) -> Result<Kept> {
    let choice = ports::keep(&stack.dir.join("ports.json"), ports)?;
    for (name, old, new) in &choice.moved {
        console.step(&format!("port {old} of {name} is in use by somebody else: {name} moves to {new}"));
    }
    let secrets = Secrets::keep(&stack.dir.join("secrets.json"), secrets)?;
    Ok(Kept { ports: choice.ports, secrets })
}

/// Makes sure of tools, account, folders and downloads: all that needs the network or root.
pub(crate) fn prepare(stack: &mut Stack, console: &Console) -> Result<dist::Java> {
    let java = provision::provision(console)?;
    stack.account = account::for_servers(console)?;
    account::make_reachable(&stack.project, stack.account.as_ref(), console)?;
    stack.settle()?;
    dist::fetch(&stack.dist, console)?;
    Ok(java)
}

/// Starts the servers and waits until they are ready.
pub(crate) fn start(
    stack: &Stack,
    kept: &Kept,
    java: &dist::Java,
    supervisor: &mut Supervisor,
    console: &Console,
) -> Result<Servers> {
    let port = |name: &str| kept.ports[name];
    // What is measured has no use for it, and it would be in the way.
    let rabbitmq = (stack.kind != Kind::Bench).then(|| start_rabbitmq(stack, kept, supervisor, console));
    let rabbitmq = rabbitmq.transpose()?;
    console.step("starting PostgreSQL and Apache Kafka");
    let postgres = Postgres::new(port("postgres"), kept.secrets.get("postgres")?)?;
    let launch = postgres.launch(stack, supervisor)?;
    supervisor.start(launch)?;
    let kafka = Kafka { java, port: port("kafka"), controller_port: port("kafkaController") };
    let launch = kafka.launch(stack, supervisor)?;
    supervisor.start(launch)?;
    supervisor.wait_for("postgres", READY_WITHIN)?;
    let password = kept.secrets.get("registry")?;
    postgres.ensure_database(registry::DATABASE, password)?;
    console.step("starting Apicurio Registry");
    let registry = Registry { java, port: port("registry"), postgres_port: port("postgres"), password };
    supervisor.start(registry.launch(stack)?)?;
    supervisor.wait_ready(READY_WITHIN)?;
    Ok(Servers { postgres, kafka: format!("127.0.0.1:{}", kafka.port), registry: registry.url(), rabbitmq })
}

/// Starts RabbitMQ, which takes longest to be ready; its URL.
fn start_rabbitmq(
    stack: &Stack,
    kept: &Kept,
    supervisor: &mut Supervisor,
    console: &Console,
) -> Result<String> {
    console.step("starting RabbitMQ");
    let rabbitmq = RabbitMq {
        port: kept.ports["rabbitmq"],
        distribution_port: kept.ports["rabbitmqDistribution"],
        mapper_port: kept.ports["rabbitmqMapper"],
        password: kept.secrets.get("rabbitmq")?,
    };
    supervisor.start(rabbitmq.launch_mapper(stack)?)?;
    supervisor.wait_for("rabbitmq-epmd", READY_WITHIN)?;
    supervisor.start(rabbitmq.launch(stack)?)?;
    Ok(rabbitmq.url())
}

/// The variables by which the tests and the benchmark find their servers.
pub(crate) fn environment(servers: &Servers) -> Vec<(String, String)> {
    let mut environment = vec![
        ("AUDIT_TEST_POSTGRES".to_owned(), servers.postgres.url("postgres")),
        ("AUDIT_TEST_KAFKA".to_owned(), servers.kafka.clone()),
        ("AUDIT_TEST_REGISTRY".to_owned(), servers.registry.clone()),
    ];
    environment.extend(servers.rabbitmq.clone().map(|url| ("AUDIT_TEST_RABBITMQ".to_owned(), url)));
    environment
}

/// The same as text for a shell, in one line; also written to the stack's `env` file, one a line.
pub(crate) fn write_environment(stack: &Stack, environment: &[(String, String)]) -> Result<()> {
    let lines: Vec<String> =
        environment.iter().map(|(name, value)| format!("export {name}={value}\n")).collect();
    write_private(&stack.dir.join("env"), &lines.concat())
}

/// The variables in an `env` file.
pub(crate) fn read_environment(stack: &Stack) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(stack.dir.join("env"))?;
    let pairs = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
