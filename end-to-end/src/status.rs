//! What `cargo xtask status --json` says (contract.md, Commands).

use serde::Deserialize;

/// The whole answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The API's base URL.
    pub api: Option<String>,
    /// Kafka's host and port.
    pub kafka: Option<String>,
    /// The base URL of the registry's Confluent-compatible API.
    pub schema_registry: Option<String>,
    /// The local superuser's connection URL.
    pub postgres: Option<String>,
    /// RabbitMQ's connection URL.
    pub rabbitmq: Option<String>,
    /// JWTs for local use.
    pub tokens: Option<Tokens>,
    /// `starting`, `ready`, `stopping` or `down`.
    pub state: String,
    /// What the supervisor keeps alive.
    pub services: Vec<Service>,
}

/// JWTs for local use.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// Sees everything.
    pub global_admin: String,
    /// Sees organisation `demo`.
    pub org_admin: String,
    /// May do nothing.
    pub user: String,
    /// May write for organisation `demo`.
    pub producer: String,
}

/// One supervised process.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its pid, unless it waits for its next start.
    pub pid: Option<i32>,
    /// `starting`, `running`, `restarting` or `failed`.
    pub state: String,
    /// How often it was started again.
    pub restarts: u32,
}

impl Status {
    /// The service of this name.
    pub fn service(&self, name: &str) -> &Service {
        let found = self.services.iter().find(|service| service.name == name);
        found.unwrap_or_else(|| panic!("status names a service {name}: {self:?}"))
    }

    /// Everything is up, and every process is ready.
    pub fn is_in_order(&self) -> bool {
        self.state == "ready" && self.services.iter().all(|service| service.state == "running")
    }

    /// The API's base URL; the stack is up.
    pub fn api(&self) -> &str {
        self.api.as_deref().expect("a stack that is up has an API")
    }

    /// RabbitMQ's URL; the stack is up.
    pub fn rabbitmq(&self) -> &str {
        self.rabbitmq.as_deref().expect("a stack that is up has RabbitMQ")
    }

    /// Kafka's host and port; the stack is up.
    pub fn kafka(&self) -> &str {
        self.kafka.as_deref().expect("a stack that is up has a Kafka")
    }

    /// The superuser's URL; the stack is up.
    pub fn postgres(&self) -> &str {
        self.postgres.as_deref().expect("a stack that is up has a PostgreSQL")
    }

    /// The registry's URL; the stack is up.
    pub fn registry(&self) -> &str {
        self.schema_registry.as_deref().expect("a stack that is up has a registry")
    }

    /// The tokens; the stack is up.
    pub fn tokens(&self) -> &Tokens {
        self.tokens.as_ref().expect("a stack that is up has tokens")
    }
}
