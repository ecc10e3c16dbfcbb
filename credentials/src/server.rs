//! The end of TLS that is connected to: a certificate and its key, taken again from their files without a restart.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::{
    expiry::{self, Holder},
    pem::{self, CredentialError},
    provider,
};

/// What a listener shows. Open connections keep what they began with.
#[derive(Debug)]
pub struct ServerIdentity {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
    /// The two files as they were taken: only what has changed is read as keys again.
    taken: Mutex<(Vec<u8>, Vec<u8>)>,
}

impl ServerIdentity {
    /// Reads both files; the certificate's holds the chain, its own first.
    pub fn load(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Arc<Self>, CredentialError> {
        let (certificate, key) = (certificate.into(), key.into());
        let taken = (pem::text(&certificate)?, pem::text(&key)?);
        let current = ArcSwap::from_pointee(certified(&certificate, &key)?);
        Ok(Arc::new(Self { certificate, key, current, taken: Mutex::new(taken) }))
    }

    /// Takes what stands in the files now; whether it is another certificate. On an error the one before stays in use.
    pub fn reload(&self) -> Result<bool, CredentialError> {
        let found = (pem::text(&self.certificate)?, pem::text(&self.key)?);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if *taken == found {
            return Ok(false);
        }
        self.current.store(Arc::new(certified(&self.certificate, &self.key)?));
        *taken = found;
        Ok(true)
    }

    /// Sets the metric of when it ends.
    pub fn record_end(&self, hop: &str) {
        expiry::record_first(hop, Holder::Own, &self.current.load().cert);
    }

    /// The settings of a listener that shows it: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    pub fn config(self: &Arc<Self>) -> ServerConfig {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("aws-lc-rs has the cipher suites of TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}

impl ResolvesServerCert for ServerIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn certified(certificate: &Path, key: &Path) -> Result<CertifiedKey, CredentialError> {
    let (chain, private) = (pem::certificates(certificate)?, pem::private_key(key)?);
    CertifiedKey::from_der(chain, private, &provider()).map_err(|error| CredentialError::Mismatch {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        detail: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as Issued, generate_simple_self_signed};

    use super::*;

    fn issue() -> (String, String) {
        let Issued { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn a_changed_certificate_is_taken_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        let put = |pair: &(String, String)| {
            std::fs::write(&certificate, &pair.0).unwrap();
            std::fs::write(&key, &pair.1).unwrap();
        };
        let (first, second) = (issue(), issue());
        put(&first);
        let identity = ServerIdentity::load(&certificate, &key).unwrap();
        let shown = || identity.current.load().cert.clone();
        let before = shown();
        assert!(!identity.reload().unwrap(), "nothing has changed");
        // Half of a rotation: the new certificate beside the old key.
        put(&(second.0.clone(), first.1.clone()));
        let refused = identity.reload().unwrap_err().to_string();
        assert!(refused.contains("does not fit the certificate"), "{refused}");
        assert_eq!(shown(), before);
        put(&second);
        assert!(identity.reload().unwrap());
        assert_ne!(shown(), before);
        std::fs::write(&key, "nonsense").unwrap();
        assert!(identity.reload().unwrap_err().to_string().contains("holds no private key"));
    }
}
