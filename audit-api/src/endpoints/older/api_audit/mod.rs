//! `/api/audit…`, in the words of document 004.

pub(super) mod compliance;
pub(super) mod data_access;
pub(super) mod logs;
pub(super) mod record;
pub(super) mod resolve;
pub(super) mod security;
pub(super) mod shape;
pub(super) mod stored;
