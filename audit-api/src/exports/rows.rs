//! Events as the lines of an export, in document 001's words.

use shared::csv::{FormulaGuard, push_record};
use store::EventRow;

use crate::endpoints::AuditLogDetails;

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a header; cells that a spreadsheet would run are kept from it.
    Csv,
    /// One array of audit logs in full.
    Json,
}

impl Format {
    /// The end of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// The format of a file that [`Format::extension`] has named.
    pub fn of_file(name: &str) -> Self {
        if name.rsplit('.').next() == Some(Self::Json.extension()) { Self::Json } else { Self::Csv }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }

    /// What stands before the first event.
    pub(super) fn begin(self, out: &mut Vec<u8>) {
        match self {
            Self::Csv => push_record(out, AuditLogDetails::COLUMNS, FormulaGuard::On),
            Self::Json => out.push(b'['),
        }
    }

    /// One event; `first` = the first of the file. An event whose stored bytes are no JSON is left out by nobody: it is
    /// an error.
    pub(super) fn row(
        self,
        out: &mut Vec<u8>,
        event: &EventRow,
        first: bool,
    ) -> Result<(), serde_json::Error> {
        let log = AuditLogDetails::of(&event.view())
            .ok_or_else(|| serde::ser::Error::custom("a stored event is not JSON"))?;
        match self {
            Self::Csv => push_record(out, log.cells().iter().map(AsRef::as_ref), FormulaGuard::On),
            Self::Json => {
                out.extend_from_slice(if first { b"\n" } else { b",\n" });
                serde_json::to_writer(out, &log)?;
            }
        }
        Ok(())
    }

    /// What stands after the last event.
    pub(super) fn end(self, out: &mut Vec<u8>) {
        if self == Self::Json {
            out.extend_from_slice(b"\n]\n");
        }
    }
}
