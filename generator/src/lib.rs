//! Synthetic events (C01): logins, data accesses, orders with payments and inventory, and attacks on demand.
//!
//! A [`Plan`] decides everything: the same plan gives the same events, byte for byte, ids and times included, on every
//! machine ([`World`]). Aggregates count their versions without holes, and what follows from an event names it as its
//! cause. How the events leave is in [`send`].

mod chance;
pub mod cli;
mod happening;
pub mod json_line;
pub mod older;
mod plan;
pub mod send;
mod story;
mod world;

pub use plan::{Attack, Mix, Plan};
pub use world::World;
