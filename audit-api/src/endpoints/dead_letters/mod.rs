//! `/v1/dead-letters`

pub(super) mod find;
pub(super) mod list;
mod view;
