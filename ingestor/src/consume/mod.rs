//! Consumed: records from Kafka, each exactly from where the database's account stands (semantics.md 4).
//!
//! [`poller`] owns the consumer on a thread of its own (`assigning` is its hand on the assignment). The group's callbacks
//! ([`context`]) only note what is ours; [`starter`] asks the database and Kafka where each partition begins ([`plan`]);
//! then the partition's [`log`] is given to a lane by its [`door`]. The lane takes the records straight from librdkafka,
//! while [`reading`] follows their offsets. Whatever fails anywhere ends in one mechanism, the rewind: the partition's
//! [`claim`] is revoked and its log closed, which voids all that was read under it, and it starts anew where the database
//! says.

mod assigning;
pub mod bell;
pub mod claim;
pub mod client;
pub mod command;
pub mod context;
pub mod door;
pub mod log;
pub mod plan;
pub mod poller;
mod progress;
pub mod reading;
pub mod record;
pub mod starter;
pub mod table;
