//! `/v1/aggregates`

pub(super) mod diff;
mod fold;
pub(super) mod history;
pub(super) mod list;
pub(super) mod replay;
mod resolve;
pub(super) mod state;
