//! Certificates of a test's own: an authority, and what it issues, good and bad.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use shared::clock::{Clock as _, SystemClock};
use tempfile::TempDir;

use crate::unique;

/// An authority that nobody trusts but whom the test gives [`Authority::file`]; its files go with this value.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key, PKCS #8.
    pub key: PathBuf,
}

/// When good certificates of a test end: 2040-01-01, in seconds since 1970.
pub const GOOD_UNTIL: f64 = 2_208_988_800.0;

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for certificates");
        let key = KeyPair::generate().expect("a key pair");
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(DnType::CommonName, unique("authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(2041, 1, 1);
        let certificate = params.self_signed(&key).expect("a certificate of its own");
        fs::write(folder.path().join("ca.crt"), certificate.pem()).expect("the authority is written");
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// The file of its certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// The folder that everything it issues is in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A certificate for these names and addresses; `file` is what its files are called.
    pub fn issue(&self, file: &str, names: &[&str]) -> Issued {
        self.issue_until(file, names, Duration::from_secs_f64(GOOD_UNTIL))
    }

    /// One that ends this long from now.
    pub fn issue_for(&self, file: &str, names: &[&str], time: Duration) -> Issued {
        let now = u64::try_from(SystemClock.now().as_micros()).expect("it is after 1970");
        self.issue_until(file, names, Duration::from_micros(now) + time)
    }

    /// One that ended five years ago and more.
    pub fn issue_expired(&self, file: &str, names: &[&str]) -> Issued {
        self.issue_until(file, names, Duration::from_hours(51 * 365 * 24))
    }

    /// `end` is the time since 1970.
    fn issue_until(&self, file: &str, names: &[&str], end: Duration) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names and addresses");
        params.distinguished_name.push(DnType::CommonName, file);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(1970, 1, 1) + end;
        let key = KeyPair::generate().expect("a key pair");
        let certificate = params.signed_by(&key, &self.issuer).expect("the authority signs");
        let place = |ending: &str| self.folder.path().join(format!("{file}.{ending}"));
        let issued = Issued { certificate: place("crt"), key: place("key") };
        fs::write(&issued.certificate, certificate.pem()).expect("the certificate is written");
        fs::write(&issued.key, key.serialize_pem()).expect("the key is written");
        issued
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Issued {
    /// Puts these files in the place of those, as a renewal does.
    pub fn replace(&self, old: &Self) {
        fs::copy(&self.certificate, &old.certificate).expect("the certificate is replaced");
        fs::copy(&self.key, &old.key).expect("the key is replaced");
    }
}
