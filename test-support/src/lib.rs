//! For tests only: fresh databases and topics on the real test servers, daemons as processes, faults, builders.
//!
//! Everything here panics with a sentence instead of returning an error: a test that cannot be set up has failed.

#![expect(clippy::expect_used, reason = "tests: a set-up that fails is a failed test")]

pub mod authority;
pub mod daemon;
pub mod data;
pub mod database;
pub mod events;
pub mod fault_proxy;
pub mod languages;
mod log_end;
pub mod mock_kafka;
pub mod postgres;
pub mod prometheus;
pub mod rabbitmq;
pub mod registry;
pub mod secured;
pub mod servers;
pub mod token;
pub mod topic;
pub mod unique;
pub mod waiting;

pub use authority::{Authority, Issued};
pub use daemon::{Daemon, DaemonConfig, trailctl};
pub use database::{Role, TestDatabase};
pub use events::{EventBuilder, canonical_event};
pub use fault_proxy::FaultProxy;
pub use mock_kafka::MockKafka;
pub use postgres::PostgresNode;
pub use prometheus::Prometheus;
pub use rabbitmq::{RabbitNode, TestRabbit};
pub use registry::TestRegistry;
pub use servers::{kafka_settings, registry_settings};
pub use token::Token;
pub use topic::TestTopic;
pub use unique::{unique, unique_id};
pub use waiting::wait_until;
