//! The end of TLS that connects: whom it trusts, what it shows, and which name it insists on.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::{
    expiry::{self, Holder},
    pem::{self, CredentialError},
    provider,
};

/// How one hop is encrypted. The default trusts the system's authorities (`SSL_CERT_FILE` replaces them) and shows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTls {
    hop: &'static str,
    authorities: Option<PathBuf>,
    identity: Option<(PathBuf, PathBuf)>,
    is_any_name_good: bool,
}

impl ClientTls {
    /// For this hop, the label of its metric.
    pub const fn new(hop: &'static str) -> Self {
        Self { hop, authorities: None, identity: None, is_any_name_good: false }
    }

    /// Trusts the authorities of this PEM file, in place of the system's.
    pub fn trusting(mut self, file: Option<impl Into<PathBuf>>) -> Self {
        self.authorities = file.map(Into::into);
        self
    }

    /// Shows this certificate, whose key is in the other file, to a server that asks for one.
    pub fn showing(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identity = Some((certificate.into(), key.into()));
        self
    }

    /// Takes a certificate of a trusted authority whatever name it is for: PostgreSQL's `verify-ca`.
    pub fn for_any_name(mut self) -> Self {
        self.is_any_name_good = true;
        self
    }

    /// The files of certificates that it reads: the authorities it trusts, and the certificate that it shows.
    pub fn certificate_files(&self) -> impl Iterator<Item = &Path> {
        let shown = self.identity.iter().map(|(certificate, _)| certificate);
        self.authorities.iter().chain(shown).map(PathBuf::as_path)
    }

    /// What stands in the files now: whoever keeps a [`ClientTls::config`] sees by it whether to make another.
    pub fn files(&self) -> Result<Vec<Vec<u8>>, CredentialError> {
        let identity = self.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        self.authorities.iter().chain(identity).map(|path| pem::text(path)).collect()
    }

    /// Reads the files, as they are now.
    pub fn config(&self) -> Result<ClientConfig, CredentialError> {
        let roots = self.roots()?;
        // Only a store without roots is refused.
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().ok();
        let verifier =
            Verifier { inner, provider: provider(), hop: self.hop, is_any_name_good: self.is_any_name_good };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("aws-lc-rs has the cipher suites of TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let Some((certificate, key)) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let (chain, private) = (pem::certificates(certificate)?, pem::private_key(key)?);
        expiry::record_first(self.hop, Holder::Own, &chain);
        builder.with_client_auth_cert(chain, private).map_err(|error| CredentialError::Mismatch {
            certificate: certificate.clone(),
            key: key.clone(),
            detail: error.to_string(),
        })
    }

    fn roots(&self) -> Result<RootCertStore, CredentialError> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = &self.authorities {
            let authorities = pem::certificates(path)?;
            expiry::record_first(self.hop, Holder::Authority, &authorities);
            for certificate in authorities {
                roots
                    .add(certificate)
                    .map_err(|_| CredentialError::Malformed { path: path.clone(), wanted: "authority" })?;
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Ok(roots)
    }
}

/// rustls's own check; it only forgives the name where that is asked for, and notes when a good certificate ends.
#[derive(Debug)]
struct Verifier {
    /// `None` = nobody is trusted, as on a system without `ca-certificates`.
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    hop: &'static str,
    is_any_name_good: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let nobody = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let inner = self.inner.as_ref().ok_or(nobody)?;
        let verified = inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let verified = match verified {
            // The name is looked at last, so all else is good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.is_any_name_good => Ok(ServerCertVerified::assertion()),
            other => other,
        };
        if verified.is_ok() {
            expiry::saw_peer(self.hop, end_entity);
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
