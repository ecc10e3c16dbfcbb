//! The bridge as a process, on real servers: RabbitMQ, Kafka, the registry, PostgreSQL; and what is killed or away.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "tests: the helpers too")]

mod examples;
mod faults;
mod kills;
mod measure;
mod node;
mod poison;
mod rig;
mod topology;
mod traces;
