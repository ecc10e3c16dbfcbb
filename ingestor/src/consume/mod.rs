//! Consumed: records from Kafka, each exactly from where the database's account stands (semantics.md 4).
//!
//! [`poller`] owns the consumer on a thread of its own (`assigning` is its hand on the assignment). The group's callbacks
//! ([`context`]) only note what is ours; [`starter`] asks the database and Kafka where each partition begins ([`plan`]);
//! [`reading`] follows its offsets. Records come by one of [`queues`] for each partition; [`parcel`]s go to the lanes within
//! their [`budget`], and the thread sleeps by the [`bell`] when there is nothing to take or no room. Whatever fails anywhere ends in one mechanism, the rewind: the
//! partition's [`claim`] is revoked, which voids all that was read under it, and it starts anew where the database says.

mod assigning;
pub mod bell;
pub mod budget;
pub mod claim;
pub mod client;
pub mod command;
pub mod context;
pub mod parcel;
pub mod plan;
pub mod poller;
mod progress;
pub mod queues;
pub mod reading;
pub mod record;
pub mod sender;
pub mod starter;
pub mod table;
