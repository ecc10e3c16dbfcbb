//! The API over real HTTP and a real PostgreSQL, filled through `store::Writer`; Kafka and the registry
//! only where events come in.

mod aggregates;
mod auth;
mod causation;
mod csv;
mod events;
mod exports;
mod feeder;
mod fuzz;
mod hang_up;
mod index_sets;
mod jwks;
mod ledger;
mod look_alikes;
mod matrix;
mod older;
mod older_projected;
mod older_writes;
mod openapi;
mod process;
mod projected;
mod protocol;
mod redrive;
mod redrive_cures;
mod replica;
mod resume;
mod second_wall;
mod server;
mod sse;
mod state;
mod streams;
mod submit;
mod submit_kill;
mod submit_once;
mod submit_wait;
