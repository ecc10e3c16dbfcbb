//! `/v1/aggregates`

pub(super) mod history;
pub(super) mod replay;
mod resolve;
