//! Projections against a recount of the events, on real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod chaos;
mod facts;
mod projections;
mod rig;
