//! A private RabbitMQ from the system's package: own node, data, cookie, ports and port mapper, loopback only.
//!
//! The package's wrappers are for its own service and account, so the programs below them are run. Erlang's port
//! mapper (epmd) runs as a process of the stack on a port of its own: a node that found none would start one that
//! outlives it, and one on the usual port may be a system's.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::Signal;

use crate::probe::Probe;
use crate::process::Launch;
use crate::stack::{Stack, write_private};

/// Where Debian and Ubuntu keep the programs without the wrappers.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// The node's name; its port mapper is its own, so no other stack's node is in its way.
const NODE: &str = "audit-stack@localhost";

const USER: &str = "audit";

/// One stack's RabbitMQ.
pub(crate) struct RabbitMq<'a> {
    /// Where clients connect.
    pub(crate) port: u16,
    /// Where the node listens for `rabbitmqctl`.
    pub(crate) distribution_port: u16,
    /// Where its port mapper listens.
    pub(crate) mapper_port: u16,
    /// The user's password; it is set when the data folder is made.
    pub(crate) password: &'a str,
}

/// Whether the package is there.
pub(crate) fn is_installed() -> bool {
    Path::new(PROGRAMS).join("rabbitmq-server").exists()
}

impl RabbitMq<'_> {
    /// The connection URL; the virtual host is `/`.
    pub(crate) fn url(&self) -> String {
        format!("amqp://{USER}:{}@127.0.0.1:{}/%2f", self.password, self.port)
    }

    /// How to start the port mapper, which the node needs before it starts.
    pub(crate) fn launch_mapper(&self, stack: &Stack) -> Result<Launch> {
        let port = self.mapper_port.to_string();
        Ok(Launch {
            name: "rabbitmq-epmd",
            program: "epmd".into(),
            args: ["-port", &port, "-address", "127.0.0.1"].map(Into::into).to_vec(),
            env: Vec::new(),
            dir: stack.server_dir("rabbitmq")?,
            log: stack.log("rabbitmq-epmd"),
            account: stack.account.clone(),
            stop: Signal::SIGTERM,
            stop_within: Duration::from_secs(5),
            probe: Probe::Epmd { port: self.mapper_port },
            tier: 0,
        })
    }

    /// How to start the node.
    pub(crate) fn launch(&self, stack: &Stack) -> Result<Launch> {
        let dir = stack.server_dir("rabbitmq")?;
        let config = dir.join("rabbitmq.conf");
        write_private(&config, &self.config())?;
        stack.give(&config)?;
        Ok(Launch {
            name: "rabbitmq",
            program: Path::new(PROGRAMS).join("rabbitmq-server"),
            args: Vec::new(),
            env: self.variables(&dir),
            dir,
            log: stack.log("rabbitmq"),
            account: stack.account.clone(),
            stop: Signal::SIGTERM,
            stop_within: Duration::from_secs(30),
            probe: Probe::Amqp { port: self.port },
            tier: 1,
        })
    }

    fn config(&self) -> String {
        format!(
            "# Written by cargo xtask at every start.\n\
             listeners.tcp.1 = 127.0.0.1:{}\n\
             default_user = {USER}\n\
             default_pass = {}\n\
             log.console = true\n\
             log.console.level = info\n\
             log.file = false\n",
            self.port, self.password
        )
    }

    fn variables(&self, dir: &Path) -> Vec<(String, String)> {
        let path = |name: &str| dir.join(name).display().to_string();
        let pairs = [
            // The cookie, which `rabbitmqctl` shows to the node, is made here.
            ("HOME", dir.display().to_string()),
            ("ERL_EPMD_PORT", self.mapper_port.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_NODENAME", NODE.to_owned()),
            ("RABBITMQ_DIST_PORT", self.distribution_port.to_string()),
            ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
            // Files that are not there: the system's own settings and plugins are not this node's.
            ("RABBITMQ_CONF_ENV_FILE", path("none.conf")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", path("none.config")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
            ("RABBITMQ_MNESIA_BASE", path("data")),
            ("RABBITMQ_LOG_BASE", path("log")),
            ("RABBITMQ_LOGS", "-".to_owned()),
            // The script then becomes the node instead of waiting for it, so that signals and pids are the node's.
            ("RABBITMQ_ALLOW_INPUT", "true".to_owned()),
            (
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-noinput -kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
            ),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_its_own_and_listens_on_loopback_only() {
        let node = RabbitMq { port: 1, distribution_port: 2, mapper_port: 3, password: "p" };
        assert_eq!(node.url(), "amqp://audit:p@127.0.0.1:1/%2f");
        assert!(node.config().contains("listeners.tcp.1 = 127.0.0.1:1\n"));
        let variables = node.variables(Path::new("/d"));
        let value = |name: &str| {
            variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap()
        };
        assert_eq!(value("ERL_EPMD_PORT"), "3");
        assert_eq!(value("RABBITMQ_MNESIA_BASE"), "/d/data");
        assert!(value("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS").contains("{127,0,0,1}"));
    }
}
