//! One start-up for every daemon: configuration, telemetry, health, metrics, shutdown.
//!
//! A daemon's `main` is one call of [`run`]; what differs between daemons is in its [`Service`] and in the closure.

pub mod backoff;
mod certificates;
pub mod config;
pub mod health;
pub mod http;
pub mod metrics;
pub mod run;
pub mod shutdown;
pub mod telemetry;

pub use health::{Condition, Health};
pub use run::{Context, Service, run};
pub use shutdown::Shutdown;
