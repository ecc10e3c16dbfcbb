//! The configuration that a test gives a daemon.

use std::{collections::BTreeMap, fmt::Write, net::SocketAddr};

use crate::{Role, TestDatabase, servers, token};

/// An `audit.toml` for the test servers, one database, and what the test adds.
#[derive(Debug, Clone)]
pub struct DaemonConfig {
    database: BTreeMap<&'static str, String>,
    kafka: String,
    registry: String,
    /// Section → key → TOML value.
    sections: BTreeMap<String, BTreeMap<String, String>>,
    variables: BTreeMap<String, String>,
}

impl DaemonConfig {
    /// The test servers and this database.
    pub fn new(database: &TestDatabase) -> Self {
        let urls = [
            ("ingestor_url", Role::Ingestor),
            ("api_url", Role::Api),
            ("projector_url", Role::Projector),
            ("migrator_url", Role::Migrator),
            ("operator_url", Role::Operator),
            ("retention_url", Role::Retention),
            ("superuser_url", Role::Superuser),
        ];
        let config = Self {
            database: urls.into_iter().map(|(key, role)| (key, database.url_for(role))).collect(),
            kafka: servers::kafka_bootstrap(),
            registry: servers::registry_url(),
            sections: BTreeMap::new(),
            variables: BTreeMap::new(),
        };
        config
            .set("auth", "secret", format!("{:?}", token::SECRET))
            .set("auth", "issuer", format!("{:?}", token::ISSUER))
            .set("auth", "audience", format!("{:?}", token::AUDIENCE))
            .set("ingestor", "topic_patterns", "[]")
            .set("accesses", "record", "false")
    }

    /// The test servers for a daemon that needs no database.
    pub fn without_database() -> Self {
        Self {
            database: BTreeMap::new(),
            kafka: servers::kafka_bootstrap(),
            registry: servers::registry_url(),
            sections: BTreeMap::new(),
            variables: BTreeMap::new(),
        }
    }

    /// The ingestor reads these topics and no pattern, in a group of its own.
    pub fn topics(self, names: &[&str]) -> Self {
        self.set("ingestor", "topics", format!("{names:?}")).set(
            "ingestor",
            "group",
            format!("{:?}", crate::unique("group")),
        )
    }

    /// Accesses are recorded, as they are by default, to this topic; most tests are not about them and do without.
    pub fn recording_accesses(self, topic: &str) -> Self {
        self.set("accesses", "record", "true").set("accesses", "topic", format!("{topic:?}"))
    }

    /// Dead letters go to this topic.
    pub fn dead_letter_topic(self, name: &str) -> Self {
        self.set("dead_letters", "topic", format!("{name:?}"))
    }

    /// Every database URL goes by way of this address, such as a [`FaultProxy`](crate::FaultProxy)'s.
    pub fn database_through(mut self, proxy: &crate::FaultProxy) -> Self {
        for url in self.database.values_mut() {
            *url = proxy.url(url);
        }
        self
    }

    /// This database URL in place of the test server's; `key` is such as `api_url`.
    pub fn database_url(mut self, key: &'static str, url: &str) -> Self {
        self.database.insert(key, url.to_owned());
        self
    }

    /// Leaves a database URL out.
    pub fn without_database_url(mut self, key: &str) -> Self {
        self.database.remove(key);
        self
    }

    /// Every database URL leads to this server instead.
    pub fn database_at(mut self, node: &crate::PostgresNode) -> Self {
        for url in self.database.values_mut() {
            *url = node.in_place_of(url);
        }
        self
    }

    /// The registry is reached by this URL.
    pub fn registry_url(mut self, url: &str) -> Self {
        url.clone_into(&mut self.registry);
        self
    }

    /// Kafka is reached by this `host:port`.
    pub fn kafka(mut self, bootstrap_servers: &str) -> Self {
        bootstrap_servers.clone_into(&mut self.kafka);
        self
    }

    /// Sets any key to a TOML value, such as `set("ingestor", "writers", "4")`; strings with their quotes.
    pub fn set(mut self, section: &str, key: &str, toml: impl Into<String>) -> Self {
        self.sections.entry(section.to_owned()).or_default().insert(key.to_owned(), toml.into());
        self
    }

    /// Sets a variable of the process.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// The file's text.
    pub fn toml(&self, telemetry: SocketAddr, listen: SocketAddr) -> String {
        let mut sections = self.sections.clone();
        let mut put = |section: &str, key: &str, value: String| {
            sections.entry(section.to_owned()).or_default().entry(key.to_owned()).or_insert(value);
        };
        for (key, url) in &self.database {
            put("database", key, format!("{url:?}"));
        }
        put("kafka", "bootstrap_servers", format!("{:?}", self.kafka));
        put("registry", "url", format!("{:?}", self.registry));
        put("telemetry", "listen", format!("\"{telemetry}\""));
        put("api", "listen", format!("\"{listen}\""));
        let mut text = String::new();
        for (section, keys) in sections {
            writeln!(text, "[{section}]").expect("a String takes everything");
            for (key, value) in keys {
                writeln!(text, "{key} = {value}").expect("a String takes everything");
            }
        }
        text
    }
}
