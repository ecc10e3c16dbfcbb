//! Certificates and private keys as PEM files; every refusal names the file and the remedy.

use std::path::{Path, PathBuf};

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{Error as PemError, PemObject as _},
};

/// A file of certificates or a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// It cannot be read.
    #[error("{path} cannot be read: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// It is not what was asked for.
    #[error("{path} holds no {wanted} that can be used: give it as PEM (-----BEGIN …)")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Certificate or private key.
        wanted: &'static str,
    },
    /// The two do not belong together, or the kind of key is not known.
    #[error("the key in {key} does not fit the certificate in {certificate}: {detail}")]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// rustls's words.
        detail: String,
    },
}

/// All certificates of a file, in order; at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CredentialError> {
    let malformed = || CredentialError::Malformed { path: path.to_owned(), wanted: "certificate" };
    let read: Result<Vec<_>, _> = certificates_of(&text(path)?);
    let found = read.map_err(|_| malformed())?;
    if found.is_empty() { Err(malformed()) } else { Ok(found) }
}

/// The certificates in this text.
pub(crate) fn certificates_of(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    CertificateDer::pem_slice_iter(text).collect()
}

/// The first private key of a file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, CredentialError> {
    PrivateKeyDer::from_pem_slice(&text(path)?)
        .map_err(|_| CredentialError::Malformed { path: path.to_owned(), wanted: "private key" })
}

/// What stands in a file.
pub(crate) fn text(path: &Path) -> Result<Vec<u8>, CredentialError> {
    std::fs::read(path).map_err(|cause| CredentialError::Unreadable { path: path.to_owned(), cause })
}
