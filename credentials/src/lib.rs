//! What a hop needs to trust and to be trusted: secrets and certificates, from files that may change while we run.
//!
//! [`Secret`] is a value that never prints, written in place or read from a file. [`ClientTls`] and [`ServerIdentity`] are
//! the two ends of TLS by rustls, [`refusal`] says in a sentence why a handshake failed and what cures it, [`expiry`] keeps
//! the metric of when certificates end. TLS is 1.2 or newer, and nothing here ever speaks in the clear instead.

mod client;
pub mod expiry;
mod pem;
mod probe;
mod refusal;
mod secret;
mod server;

pub use client::ClientTls;
pub use pem::CredentialError;
pub use probe::{Opening, certificate_end, handshake_fault};
pub use refusal::refusal;
pub use secret::Secret;
pub use server::ServerIdentity;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The one library of cryptography, whatever the process has chosen.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
