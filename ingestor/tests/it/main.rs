//! The ingestor as a process against real servers: what Kafka holds, what the database says of it, and faults between.

mod account;
mod rig;

mod dependencies;
mod duplicates;
mod happy;
mod logs;
mod measure;
mod members;
mod poison;
mod traces;
