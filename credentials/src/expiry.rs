//! When certificates end: `audit_certificate_expiry_timestamp_seconds`, by hop and by whose certificate it is.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::pem::{self, CredentialError};

/// The metric's name.
pub const METRIC: &str = "audit_certificate_expiry_timestamp_seconds";

/// Whose certificate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Ours, which we show.
    Own,
    /// An authority's, which we trust.
    Authority,
    /// The other side's, as it showed it at the last handshake that succeeded.
    Peer,
}

impl Holder {
    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Authority => "authority",
            Self::Peer => "peer",
        }
    }
}

/// Describes the metric; once per process.
pub fn describe() {
    metrics::describe_gauge!(
        METRIC,
        "When the certificate ends, in seconds since 1970; of a file the first to end."
    );
}

/// Reads a file again and sets the metric to the first of its ends.
pub fn watch_file(hop: &str, holder: Holder, path: &Path) -> Result<(), CredentialError> {
    record_first(hop, holder, &pem::certificates(path)?);
    Ok(())
}

/// When the first of a file's certificates ends, in seconds since 1970; `None` = none of them says so.
pub fn end_of_file(path: &Path) -> Result<Option<i64>, CredentialError> {
    Ok(first_end(&pem::certificates(path)?))
}

fn first_end(certificates: &[CertificateDer<'_>]) -> Option<i64> {
    certificates.iter().filter_map(end_of).min()
}

/// Sets the metric to the first of these certificates' ends.
pub(crate) fn record_first(hop: &str, holder: Holder, certificates: &[CertificateDer<'_>]) {
    if let Some(ends) = first_end(certificates) {
        record(hop, holder, ends);
    }
}

/// Sets the metric to the end of the certificate that the other side has shown.
pub(crate) fn saw_peer(hop: &str, certificate: &CertificateDer<'_>) {
    record_first(hop, Holder::Peer, std::slice::from_ref(certificate));
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in 53 bits")]
fn record(hop: &str, holder: Holder, ends: i64) {
    metrics::gauge!(METRIC, "hop" => hop.to_owned(), "certificate" => holder.as_str()).set(ends as f64);
}

/// Its `notAfter`, in seconds since 1970.
pub(crate) fn end_of(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}
