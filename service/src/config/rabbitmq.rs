//! `[rabbitmq]`: the broker of the older services, and what is taken from it (contract.md, RabbitMQ).

use std::time::Duration;

use credentials::Secret;
use serde::Deserialize;

use super::{ConfigError, ingestor::within, lists};

/// How RabbitMQ is reached, what is bound, and where its messages go.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RabbitMqSettings {
    /// `amqp://user:password@host:5672/vhost`, or `amqps://`; the variable `RABBITMQ_URL` sets it too.
    pub url: Option<Secret>,
    /// A PEM file with the authorities that `amqps://` trusts, in place of the system's.
    pub ca_file: Option<String>,
    /// The queue that is consumed.
    pub queue: String,
    /// What the queue is bound to, as `exchange:routing key`.
    #[serde(deserialize_with = "lists::strings")]
    pub bindings: Vec<String>,
    /// The same, on top of `bindings`.
    #[serde(deserialize_with = "lists::strings")]
    pub more_bindings: Vec<String>,
    /// Where messages go that no event can be made of.
    pub dead_letter_exchange: String,
    /// The queue that keeps them.
    pub dead_letter_queue: String,
    /// What is done about exchanges, queues and bindings that are absent.
    pub declare: DeclarePolicy,
    /// Of several bridges one at a time consumes, so that each aggregate keeps its order; decided when the queue is made.
    pub single_active_consumer: bool,
    /// Messages delivered and not yet acknowledged, 1 to 65,535.
    pub prefetch: u16,
    /// How often a sign of life is asked for; a broker silent for twice as long is given up. 1 s to 10 min.
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    /// How often exchanges, queues and bindings are looked after while messages flow.
    #[serde(with = "humantime_serde")]
    pub check_interval: Duration,
    /// The Kafka topic that the events go to.
    pub topic: String,
    /// How long a graceful stop may take.
    #[serde(with = "humantime_serde")]
    pub shutdown_deadline: Duration,
}

/// What is done about exchanges, queues and bindings that are absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeclarePolicy {
    /// They are made; what is there stays as it is.
    Absent,
    /// Somebody else makes them, bindings too; until then the bridge waits and says for what.
    Never,
}

/// Documents 001 and 004, and AuditFlow's exchange of document 002.
const BINDINGS: [&str; 13] = [
    "events:user.*",
    "events:auth.*",
    "events:permission.*",
    "events:*.Created",
    "events:*.Updated",
    "events:*.Deleted",
    "events:Payment.Processed",
    "events:User.LoggedIn",
    "events:Vehicle.Sold",
    "events:Vehicle.PriceChanged",
    "events:Vehicle.StatusChanged",
    "events:Contract.Signed",
    "audit.flow:audit.event.*",
];

impl Default for RabbitMqSettings {
    fn default() -> Self {
        Self {
            url: None,
            ca_file: None,
            queue: "audit-service.events".to_owned(),
            bindings: BINDINGS.map(str::to_owned).to_vec(),
            more_bindings: Vec::new(),
            dead_letter_exchange: "audit_dlq".to_owned(),
            dead_letter_queue: "audit-service.events.dlq".to_owned(),
            declare: DeclarePolicy::Absent,
            single_active_consumer: true,
            prefetch: 1000,
            heartbeat: Duration::from_secs(10),
            check_interval: Duration::from_secs(30),
            topic: "audit.events".to_owned(),
            shutdown_deadline: Duration::from_secs(20),
        }
    }
}

impl RabbitMqSettings {
    /// The broker; an error that names the key when it is absent.
    pub fn url(&self) -> Result<&Secret, ConfigError> {
        self.url.as_ref().ok_or_else(|| ConfigError::missing("rabbitmq.url"))
    }

    /// Every binding as exchange and routing key.
    pub fn all_bindings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.bindings.iter().chain(&self.more_bindings).filter_map(|binding| binding.split_once(':'))
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        for (key, name) in [
            ("rabbitmq.queue", &self.queue),
            ("rabbitmq.dead_letter_exchange", &self.dead_letter_exchange),
            ("rabbitmq.dead_letter_queue", &self.dead_letter_queue),
            ("rabbitmq.topic", &self.topic),
        ] {
            if name.is_empty() || name.len() > 255 {
                return Err(ConfigError::key(key, "give a name of 1 to 255 bytes"));
            }
        }
        if self.queue == self.dead_letter_queue {
            return Err(ConfigError::key(
                "rabbitmq.dead_letter_queue",
                "is the queue that is consumed, so that refused messages would come round for ever: name another",
            ));
        }
        self.validate_bindings()?;
        within("rabbitmq.prefetch", usize::from(self.prefetch), 1, usize::from(u16::MAX))?;
        if !(Duration::from_secs(1)..=Duration::from_mins(10)).contains(&self.heartbeat) {
            return Err(ConfigError::key("rabbitmq.heartbeat", "give a time from \"1s\" to \"10m\""));
        }
        for (key, time) in [
            ("rabbitmq.check_interval", self.check_interval),
            ("rabbitmq.shutdown_deadline", self.shutdown_deadline),
        ] {
            if time.is_zero() {
                return Err(ConfigError::key(key, "is zero: give a time such as \"20s\""));
            }
        }
        Ok(())
    }

    fn validate_bindings(&self) -> Result<(), ConfigError> {
        let of = |key: &'static str, list: &[String]| {
            list.iter().find_map(|binding| {
                let detail = match binding.split_once(':') {
                    Some((exchange, routing_key)) if exchange.is_empty() || routing_key.is_empty() => {
                        "is half empty"
                    }
                    Some((exchange, _)) if exchange == self.dead_letter_exchange => {
                        "binds the dead-letter exchange, so that refused messages would come round for ever"
                    }
                    Some(_) if binding.len() <= 512 => return None,
                    Some(_) => "is longer than 512 bytes",
                    None => "has no colon",
                };
                let detail = format!("\"{binding}\" {detail}: give \"exchange:routing.key\"");
                Some(ConfigError::key(key, detail))
            })
        };
        let refused = of("rabbitmq.bindings", &self.bindings);
        refused.or_else(|| of("rabbitmq.more_bindings", &self.more_bindings)).map_or(Ok(()), Err)
    }
}
