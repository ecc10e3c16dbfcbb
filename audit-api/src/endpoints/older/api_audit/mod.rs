//! `/api/audit…`, in the words of document 004.

pub(super) mod logs;
pub(super) mod shape;
