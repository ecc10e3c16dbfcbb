//! A RabbitMQ of a test's own, to be killed and to raise alarms.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::connect;
use crate::{Issued, postgres::quiet_port, wait_until};

/// Where Debian and Ubuntu keep RabbitMQ's programs, without the wrappers that want its own account.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// Names the folder of another version's programs, to run tests on both.
const OTHER_PROGRAMS: &str = "AUDIT_TEST_RABBITMQ_OTHER";

/// Within the node's folder.
const NAMES_OF_QUORUM_QUEUES: &str = "data/test@localhost/quorum/test@localhost/names.dets";

/// A node with a port mapper, data and ports of its own; killed with this value.
#[derive(Debug)]
pub struct RabbitNode {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    tls_port: Option<u16>,
    distribution_port: u16,
    mapper_port: u16,
    mapper: Child,
    node: Child,
}

impl RabbitNode {
    /// Starts one, and waits until it takes connections.
    pub async fn start() -> Self {
        Self::start_of(Path::new(PROGRAMS), None).await
    }

    /// Starts one that also takes connections by TLS, with a certificate of this authority, and refuses older versions than 1.2.
    pub async fn start_secured(authority: &Path, shown: &Issued) -> Self {
        Self::start_of(Path::new(PROGRAMS), Some((authority, shown))).await
    }

    /// The same with another version's programs; `None` where this machine has none.
    pub async fn start_other() -> Option<Self> {
        let programs = PathBuf::from(std::env::var_os(OTHER_PROGRAMS)?);
        Some(Self::start_of(&programs, None).await)
    }

    async fn start_of(programs: &Path, secured: Option<(&Path, &Issued)>) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the node");
        let (port, distribution_port, mapper_port) = (quiet_port(), quiet_port(), quiet_port());
        let mut mapper = dying_with_us("epmd");
        mapper.args(["-port", &mapper_port.to_string(), "-address", "127.0.0.1"]);
        let mapper = mapper.stdin(Stdio::null()).spawn().expect("Erlang's port mapper starts");
        let tls_port = secured.map(|_| quiet_port());
        let mut config = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\ndefault_user = audit\ndefault_pass = audit\nlog.console = true\nlog.file = false\n"
        );
        if let Some(((authority, shown), port)) = secured.zip(tls_port) {
            let (certificate, key) = (shown.certificate.display(), shown.key.display());
            let tls = format!(
                "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {}\nssl_options.certfile = {certificate}\n\
                 ssl_options.keyfile = {key}\nssl_options.versions.1 = tlsv1.3\nssl_options.versions.2 = tlsv1.2\n",
                authority.display()
            );
            config.push_str(&tls);
        }
        std::fs::write(folder.path().join("rabbitmq.conf"), config).expect("the configuration is written");
        let node = start(programs, &folder, distribution_port, mapper_port);
        let node = Self {
            programs: programs.to_path_buf(),
            folder,
            port,
            tls_port,
            distribution_port,
            mapper_port,
            mapper,
            node,
        };
        drop(connect(&node.url()).await);
        node
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("amqp://audit:audit@127.0.0.1:{}/%2f", self.port)
    }

    /// Its URL for TLS, by this name; only of [`RabbitNode::start_secured`].
    pub fn secured_url(&self, host: &str, password: &str) -> String {
        let port = self.tls_port.expect("it was started with TLS");
        format!("amqps://audit:{password}@{host}:{port}/%2f")
    }

    /// Where it listens, `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Waits until a quorum queue would outlive [`RabbitNode::kill`]. RabbitMQ keeps the names of these queues in a `dets` table
    /// that reaches the disk when it has been left alone for half a second; a queue whose name is lost is there after a restart,
    /// and answers nobody.
    pub async fn has_kept(&self, queue: &str) {
        let name = format!("%2F_{queue}");
        // Erlang writes a name after its length, which tells it from the beginning of a longer one.
        let kept = [&[u8::try_from(name.len()).expect("a short name")], name.as_bytes()].concat();
        wait_until(&format!("RabbitMQ has {queue} on disk"), Duration::from_secs(30), || async {
            let names = std::fs::read(self.folder.path().join(NAMES_OF_QUORUM_QUEUES)).unwrap_or_default();
            names.windows(kept.len()).any(|window| window == kept).then_some(())
        })
        .await;
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.node.kill().expect("the node can be killed");
        self.node.wait().expect("a killed node ends");
    }

    /// Starts it again after [`RabbitNode::kill`], and waits until it takes connections.
    pub async fn restart(&mut self) {
        self.node = start(&self.programs, &self.folder, self.distribution_port, self.mapper_port);
        drop(connect(&self.url()).await);
    }

    /// Runs `rabbitmqctl` for this node.
    pub async fn control(&self, arguments: &[&str]) {
        let mut command = tokio::process::Command::new(self.programs.join("rabbitmqctl"));
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        for (name, value) in variables(&self.folder, self.distribution_port, self.mapper_port) {
            command.env(name, value);
        }
        let Output { status, stdout, stderr } = command.output().await.expect("rabbitmqctl can be started");
        assert!(
            status.success(),
            "rabbitmqctl {arguments:?} ended with {status}:\n{}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        );
    }
}

impl Drop for RabbitNode {
    fn drop(&mut self) {
        for child in [&mut self.node, &mut self.mapper] {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "--- the end of RabbitMQ's log:\n{}",
                lines[lines.len().saturating_sub(30)..].join("\n")
            );
        }
    }
}

fn start(programs: &Path, folder: &TempDir, distribution_port: u16, mapper_port: u16) -> Child {
    let log = File::options().create(true).append(true).open(folder.path().join("log"));
    let log = log.expect("the log is made");
    let mut command = dying_with_us(programs.join("rabbitmq-server"));
    command
        .envs(variables(folder, distribution_port, mapper_port))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("one log for both"))
        .stderr(log);
    command.spawn().expect("RabbitMQ starts; Debian's package is rabbitmq-server")
}

fn dying_with_us(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig=KILL", "--"]).arg(program.as_ref());
    command
}

/// As `cargo xtask` starts its node: nothing of a system's own RabbitMQ is read or reached.
fn variables(folder: &TempDir, distribution_port: u16, mapper_port: u16) -> Vec<(&'static str, String)> {
    let path = |name: &str| folder.path().join(name).display().to_string();
    vec![
        ("HOME", folder.path().display().to_string()),
        ("ERL_EPMD_PORT", mapper_port.to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODENAME", "test@localhost".to_owned()),
        ("RABBITMQ_DIST_PORT", distribution_port.to_string()),
        ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
        ("RABBITMQ_CONF_ENV_FILE", path("none.conf")),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", path("none.config")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
        ("RABBITMQ_MNESIA_BASE", path("data")),
        ("RABBITMQ_LOG_BASE", path("logs")),
        ("RABBITMQ_LOGS", "-".to_owned()),
        // The script then becomes the node, so that a kill is the node's.
        ("RABBITMQ_ALLOW_INPUT", "true".to_owned()),
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-noinput -kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
        ),
    ]
}
