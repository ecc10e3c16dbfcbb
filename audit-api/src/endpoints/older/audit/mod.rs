//! `/audit/…`, in the words of document 001.

pub(super) mod logs;
pub(super) mod report;
pub(super) mod shape;
