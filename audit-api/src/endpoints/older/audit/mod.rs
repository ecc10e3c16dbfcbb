//! `/audit/…`, in the words of document 001.

pub(super) mod download;
pub(super) mod export;
pub(super) mod logs;
pub(super) mod report;
pub(super) mod security_events;
pub(super) mod shape;
