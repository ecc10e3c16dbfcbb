//! `/v1/events`

pub(super) mod find;
pub(super) mod list;
pub(super) mod submit;
