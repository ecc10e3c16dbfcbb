//! `/v1/replays`: replays to topics, as jobs.

pub(super) mod change;
pub(super) mod find;
pub(super) mod list;
pub(super) mod start;
mod view;
