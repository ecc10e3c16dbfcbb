//! A private Apicurio Registry, spoken to in Confluent's API; its store is a database of the private PostgreSQL, so
//! that a restart finds the same schema ids.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::Signal;

use crate::dist::Java;
use crate::probe::Probe;
use crate::process::Launch;
use crate::stack::Stack;

/// The role and the database that the registry has in PostgreSQL.
pub(crate) const DATABASE: &str = "registry";

/// One stack's schema registry.
pub(crate) struct Registry<'a> {
    /// The Java to run it with.
    pub(crate) java: &'a Java,
    /// Where it listens.
    pub(crate) port: u16,
    /// Its database's port.
    pub(crate) postgres_port: u16,
    /// Its database role's password.
    pub(crate) password: &'a str,
}

impl Registry<'_> {
    /// The base URL of the Confluent-compatible API.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/ccompat/v7", self.port)
    }

    /// How to start it.
    pub(crate) fn launch(&self, stack: &Stack) -> Result<Launch> {
        let jar: PathBuf = crate::dist::registry_jar(&stack.dist);
        let args = [
            "-Xms64m",
            "-Xmx384m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            "-jar",
        ];
        let mut args: Vec<OsString> = args.map(OsString::from).to_vec();
        args.push(jar.into());
        Ok(Launch {
            name: "schema-registry",
            program: self.java.program.clone(),
            args,
            env: self.settings(),
            dir: stack.server_dir("schema-registry")?,
            log: stack.log("schema-registry"),
            account: stack.account.clone(),
            stop: Signal::SIGTERM,
            stop_within: Duration::from_secs(10),
            probe: Probe::Http { port: self.port, path: "/apis/ccompat/v7/subjects" },
            tier: 1,
        })
    }

    /// Settings go by the environment: a password on the command line would show in `ps`.
    fn settings(&self) -> Vec<(String, String)> {
        let url = format!("jdbc:postgresql://127.0.0.1:{}/{DATABASE}", self.postgres_port);
        let pairs = [
            ("QUARKUS_HTTP_HOST", "127.0.0.1".to_owned()),
            ("QUARKUS_HTTP_PORT", self.port.to_string()),
            ("QUARKUS_LOG_CONSOLE_COLOR", "false".to_owned()),
            ("APICURIO_STORAGE_KIND", "sql".to_owned()),
            ("APICURIO_STORAGE_SQL_KIND", "postgresql".to_owned()),
            ("APICURIO_DATASOURCE_URL", url),
            ("APICURIO_DATASOURCE_USERNAME", DATABASE.to_owned()),
            // Twenty connections, kept open for one small client, are PostgreSQL's memory wasted.
            ("APICURIO_DATASOURCE_JDBC_INITIAL_SIZE", "2".to_owned()),
            ("APICURIO_DATASOURCE_JDBC_MIN_SIZE", "2".to_owned()),
            ("APICURIO_DATASOURCE_JDBC_MAX_SIZE", "20".to_owned()),
            ("APICURIO_DATASOURCE_PASSWORD", self.password.to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}
