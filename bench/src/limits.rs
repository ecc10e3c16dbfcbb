//! What the machine could do at most, measured in the same run.

pub(crate) mod bare_copy;
pub(crate) mod consumer;
pub(crate) mod document_003;
pub(crate) mod fsync;
mod timed_copy;
