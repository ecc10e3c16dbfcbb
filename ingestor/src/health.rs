//! What readiness says: the database answers, and this member is in its group with a broker at hand.

use service::{Condition, Health};

/// The ingestor's conditions; every part keeps its own up to date.
#[derive(Debug, Clone)]
pub struct Conditions {
    database: Condition,
    kafka: Condition,
}

impl Conditions {
    /// Names the conditions; none is met yet.
    pub fn new(health: &Health) -> Self {
        Self { database: health.condition("database"), kafka: health.condition("kafka") }
    }

    /// The database answered.
    pub fn database_answers(&self) {
        self.database.met();
    }

    /// The database did not answer.
    pub fn database_is_away(&self, error: &impl ToString) {
        self.database.unmet(error.to_string());
    }

    /// This member has its part of the group's partitions, be it none.
    pub fn in_group(&self) {
        self.kafka.met();
    }

    /// No broker is connected, or this member is not in its group.
    pub fn out_of_group(&self, reason: &str) {
        self.kafka.unmet(reason);
    }
}
