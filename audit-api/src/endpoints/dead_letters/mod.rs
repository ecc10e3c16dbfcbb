//! `/v1/dead-letters`

pub(super) mod find;
pub(super) mod list;
pub(super) mod redrive;
mod view;
