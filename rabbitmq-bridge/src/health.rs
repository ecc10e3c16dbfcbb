//! What readiness says: each dependency answers, and dead letters can be published.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use service::{Condition, Health};
use tracing::{info, warn};

/// The bridge's conditions.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// RabbitMQ is connected, and what is consumed is there.
    pub rabbitmq: Said,
    /// Kafka acknowledges.
    pub kafka: Said,
    /// The registry knows the canonical schema.
    pub registry: Said,
    /// What is refused can be published to the dead-letter exchange.
    pub dead_letters: Said,
}

/// A condition that is logged when it changes, not each time it is found so.
#[derive(Debug, Clone)]
pub struct Said {
    name: &'static str,
    condition: Condition,
    is_unmet: Arc<AtomicBool>,
}

impl Conditions {
    /// Names the conditions. Dead letters are taken for publishable until one is not.
    pub fn new(health: &Health) -> Self {
        let said = |name: &'static str| Said {
            name,
            condition: health.condition(name),
            is_unmet: Arc::new(AtomicBool::new(false)),
        };
        let conditions = Self {
            rabbitmq: said("rabbitmq"),
            kafka: said("kafka"),
            registry: said("registry"),
            dead_letters: said("dead-letters"),
        };
        conditions.dead_letters.condition.met();
        conditions
    }
}

impl Said {
    /// It holds.
    pub fn met(&self) {
        self.condition.met();
        if self.is_unmet.swap(false, Ordering::Relaxed) {
            info!(condition = self.name, "dependency_answers");
        }
    }

    /// It does not; what needs it waits.
    pub fn unmet(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if !self.is_unmet.swap(true, Ordering::Relaxed) {
            warn!(condition = self.name, reason, "dependency_unavailable");
        }
        self.condition.unmet(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_the_dead_letters_must_be_found_to_answer() {
        let health = Health::new();
        let conditions = Conditions::new(&health);
        assert_eq!(health.readiness().unmet.len(), 3);
        for said in [&conditions.rabbitmq, &conditions.kafka, &conditions.registry] {
            said.met();
        }
        assert_eq!(health.readiness().status, "ready");
        conditions.dead_letters.unmet("blocked: low on memory");
        assert_eq!(health.readiness().unmet["dead-letters"], "blocked: low on memory");
    }
}
