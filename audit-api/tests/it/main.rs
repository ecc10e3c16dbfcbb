//! The API over real HTTP and a real PostgreSQL, filled through `store::Writer`; no Kafka needed.

mod aggregates;
mod auth;
mod events;
mod feeder;
mod fuzz;
mod index_sets;
mod jwks;
mod ledger;
mod older;
mod openapi;
mod process;
mod protocol;
mod resume;
mod scope;
mod server;
mod sse;
mod streams;
