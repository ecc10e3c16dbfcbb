//! For tests only: the whole product as a stranger runs it (`cargo xtask up`), what is done to it, and the oracle.
//!
//! Everything here panics with a sentence instead of returning an error: a test that cannot be set up has failed.

pub mod account;
pub mod chaos;
pub mod drill;
pub mod feed;
pub mod kafka;
pub mod ledger;
pub mod memory;
pub mod processes;
pub mod seed;
pub mod stack;
pub mod status;
pub mod tail;

pub use seed::Seed;
pub use stack::Stack;
pub use status::Status;

/// Whether the long schedules of faults are asked for (`cargo xtask test --long`).
pub fn is_long() -> bool {
    std::env::var_os("AUDIT_TEST_LONG").is_some_and(|value| value != "0" && !value.is_empty())
}
