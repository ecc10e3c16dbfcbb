//! What can go wrong between a caller and the database, told apart by what the caller can do about it.

use tokio_postgres::error::SqlState;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, or it broke: the outcome of a write in progress is unknown. Try again later.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] BoxError),
    /// The statement ran into its time limit (5 s for reads): the request is too broad.
    #[error("the statement took longer than its limit")]
    Timeout,
    /// Another transaction was first: the same statement may well succeed when done again.
    #[error("another transaction was first: {0}")]
    Conflict(#[source] BoxError),
    /// The database's schema is not the one this build knows.
    #[error("the database's schema has version {found:?}, this build knows {known}: {remedy}")]
    UnknownSchema {
        /// The database's version; `None` = no schema of ours at all.
        found: Option<i64>,
        /// This build's version.
        known: i64,
        /// What to do.
        remedy: &'static str,
    },
    /// A stored value that this product cannot have written.
    #[error("{table}.{column} holds a value that cannot be ours: {detail}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What is wrong with it; never payload bytes.
        detail: String,
    },
    /// The caller asked for something that the store refuses; the text says what.
    #[error("{0}")]
    Refused(String),
    /// Any other answer of the database: a defect or a setting, not a passing condition.
    #[error("the database refused: {0}")]
    Database(#[source] BoxError),
}

/// The cause, whatever it was.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl StoreError {
    /// Whether it passes by itself: wait and try again.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Conflict(_))
    }

    pub(crate) fn corrupt(table: &'static str, column: &'static str, detail: impl Into<String>) -> Self {
        Self::Corrupt { table, column, detail: detail.into() }
    }
}

/// The text of a database error with what the server said about it: the plain `Display` is only "db error".
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Said {
    text: String,
    #[source]
    source: tokio_postgres::Error,
}

fn said(error: tokio_postgres::Error) -> BoxError {
    let text = match error.as_db_error() {
        Some(db) => {
            let detail = db.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{} [{}]{detail}", db.message(), db.code().code())
        }
        None => handshake(&error).unwrap_or_else(|| error.to_string()),
    };
    Box::new(Said { text, source: error })
}

/// What went wrong with TLS, if that is it, and the remedy.
fn handshake(error: &tokio_postgres::Error) -> Option<String> {
    // tokio-postgres keeps its kinds private; the text is its source's.
    let cause = std::error::Error::source(error).map(ToString::to_string);
    if cause.is_some_and(|cause| cause == "server does not support TLS") {
        return Some(
            "the server offers no TLS: set ssl = on there, with ssl_cert_file and ssl_key_file".to_owned(),
        );
    }
    credentials::refusal(error, "sslrootcert in the database URL, or the variable SSL_CERT_FILE")
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(code) = error.code().cloned() else {
            // No SQLSTATE: the connection, the protocol, or a value of ours that does not fit its parameter.
            return if is_conversion(&error) {
                Self::Database(said(error))
            } else {
                Self::Unavailable(said(error))
            };
        };
        if code == SqlState::QUERY_CANCELED {
            Self::Timeout
        } else if code.code().starts_with("AT") {
            // Raised by our own functions, with a sentence for the operator.
            Self::Refused(error.as_db_error().map(|db| db.message().to_owned()).unwrap_or_default())
        } else if is_race(&code) || code == SqlState::LOCK_NOT_AVAILABLE {
            Self::Conflict(said(error))
        } else if is_absence(&code) {
            Self::Unavailable(said(error))
        } else {
            Self::Database(said(error))
        }
    }
}

/// Errors that a redo of the transaction may cure (semantics.md 3).
pub(crate) fn is_race(code: &SqlState) -> bool {
    [SqlState::UNIQUE_VIOLATION, SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE]
        .contains(code)
}

/// The server is not there, is leaving, or has no room: classes 08, 57P and 53.
fn is_absence(code: &SqlState) -> bool {
    let code = code.code();
    code.starts_with("08") || code.starts_with("57P") || code.starts_with("53") || code == "25P03"
}

fn is_conversion(error: &tokio_postgres::Error) -> bool {
    // tokio-postgres keeps its kinds private; the texts of these two are part of its Display.
    let text = error.to_string();
    text.starts_with("error serializing parameter") || text.starts_with("error deserializing column")
}

impl From<deadpool_postgres::PoolError> for StoreError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => error.into(),
            other => Self::Unavailable(Box::new(other)),
        }
    }
}
