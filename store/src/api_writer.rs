//! What the HTTP API writes itself: submissions (semantics.md 13) and redrives (semantics.md 5). No evidence of events.

use deadpool_postgres::Pool;

use crate::error::StoreError;
use crate::reader::session;
use crate::url::DatabaseUrl;

/// The settings of a writing session of the API, whose role is read-only unless a session says otherwise.
const SETTINGS: &[(&str, &str)] = &[
    ("default_transaction_read_only", "off"),
    ("statement_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "10s"),
];

/// A pool of connections for the API's own tables; cheap to clone.
#[derive(Clone)]
pub struct ApiWriter {
    pub(crate) pool: Pool,
}

impl ApiWriter {
    /// Makes the pool; connects when it is first used.
    pub fn new(
        url: &DatabaseUrl,
        max_connections: usize,
        application_name: &str,
    ) -> Result<Self, StoreError> {
        Ok(Self { pool: session::pool(url, application_name, SETTINGS, max_connections)? })
    }
}
