//! The address of a database, with its password and how it is encrypted: a secret.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use credentials::{ClientTls, Secret};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio_postgres::config::{Host, SslMode};

use crate::error::StoreError;

/// The hop's name in metrics.
const HOP: &str = "postgresql";

/// A connection URL (`postgres://role:password@host:port/database?sslmode=…`), or a `key=value` string as PostgreSQL's own
/// tools take. `Debug` and errors never show it. One from a file is read again for each connection.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(Secret);

/// A URL taken apart: what tokio-postgres understands, and what TLS needs, of which it knows only the half.
pub(crate) struct Address {
    pub(crate) config: tokio_postgres::Config,
    /// `None` = in the clear.
    pub(crate) tls: Option<ClientTls>,
}

impl DatabaseUrl {
    /// Takes a URL, or a `key=value` string, as PostgreSQL's own tools do.
    pub fn new(url: impl Into<String>) -> Self {
        Self(Secret::from(url.into()))
    }

    /// The parsed form. Errors name the rule, not the text, which may hold a password.
    pub(crate) fn address(&self) -> Result<Address, StoreError> {
        let text = self.0.latest();
        let (rest, tls) = split(text.expose_secret())
            .map_err(|detail| StoreError::Refused(format!("the database URL: {detail}")))?;
        let mut config = tokio_postgres::Config::from_str(&rest).map_err(|_| {
            StoreError::Refused("the database URL cannot be read; it has the form postgres://role:password@host:port/database".to_owned())
        })?;
        config.ssl_mode(match tls.mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        });
        Ok(Address { config, tls: tls.client() })
    }

    /// Where it leads, as `host:port` each (none = a socket of this machine), and by which TLS; `None` = in the clear.
    pub fn hop(&self) -> Result<(Vec<String>, Option<ClientTls>), StoreError> {
        let Address { config, tls } = self.address()?;
        let port = |at: usize| config.get_ports().get(at).or(config.get_ports().first()).unwrap_or(&5432);
        let hosts = config.get_hosts().iter().enumerate();
        let addresses = hosts.filter_map(|(at, host)| match host {
            Host::Tcp(host) => Some(format!("{host}:{}", port(at))),
            Host::Unix(_) => None,
        });
        Ok((addresses.collect(), tls))
    }

    /// The password that it holds: what `trailctl migrate --bootstrap` gives the role of this URL.
    pub fn password(&self) -> Option<SecretString> {
        let config = self.address().ok()?.config;
        std::str::from_utf8(config.get_password()?).ok().map(SecretString::from)
    }

    /// The text itself, for handing it to another program.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<&Secret> for DatabaseUrl {
    fn from(url: &Secret) -> Self {
        Self(url.clone())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(redacted)")
    }
}

/// `sslmode`. Whoever has asked for TLS gets a checked certificate: `require` is no weaker than `verify-full` here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    Disable,
    /// In the clear when the server offers no TLS, as libpq does without a word; for a server on this machine.
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// What a URL says about TLS, by libpq's names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tls {
    mode: Mode,
    root: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Tls {
    fn take(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "sslmode" => {
                self.mode = match value.as_str() {
                    "disable" => Mode::Disable,
                    "prefer" => Mode::Prefer,
                    "require" => Mode::Require,
                    "verify-ca" => Mode::VerifyCa,
                    "verify-full" => Mode::VerifyFull,
                    _ => {
                        return Err(
                            "sslmode is disable, prefer, require, verify-ca or verify-full".to_owned()
                        );
                    }
                }
            }
            // libpq's word for the system's authorities, which are the default here.
            "sslrootcert" => {
                self.root = Some(PathBuf::from(value)).filter(|path| path.as_os_str() != "system");
            }
            "sslcert" => self.certificate = Some(PathBuf::from(value)),
            _ => self.key = Some(PathBuf::from(value)),
        }
        Ok(())
    }

    fn checked(self) -> Result<Self, String> {
        match (&self.certificate, &self.key) {
            (Some(_), None) => Err("sslcert needs sslkey beside it".to_owned()),
            (None, Some(_)) => Err("sslkey needs sslcert beside it".to_owned()),
            _ => Ok(self),
        }
    }

    fn client(self) -> Option<ClientTls> {
        if self.mode == Mode::Disable {
            return None;
        }
        let mut client = ClientTls::new(HOP).trusting(self.root);
        if let Some((certificate, key)) = self.certificate.zip(self.key) {
            client = client.showing(certificate, key);
        }
        Some(if self.mode == Mode::VerifyCa { client.for_any_name() } else { client })
    }
}

/// The parameters that are ours to read.
const OURS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

/// Takes our parameters out of the text; a parameter that is not ours stays where it was.
fn split(text: &str) -> Result<(String, Tls), String> {
    let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
    if is_url { split_url(text) } else { split_words(text) }
}

fn split_url(text: &str) -> Result<(String, Tls), String> {
    let Some((address, query)) = text.split_once('?') else { return Ok((text.to_owned(), Tls::default())) };
    let (mut tls, mut kept) = (Tls::default(), Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((name, value)) if OURS.contains(&name) => {
                let value =
                    percent_decode_str(value).decode_utf8().map_err(|_| format!("{name} is not UTF-8"))?;
                tls.take(name, value.into_owned())?;
            }
            _ => kept.push(pair),
        }
    }
    let rest = if kept.is_empty() { address.to_owned() } else { format!("{address}?{}", kept.join("&")) };
    Ok((rest, tls.checked()?))
}

/// `key=value` words: ours must stand without spaces around `=` and without quotes.
fn split_words(text: &str) -> Result<(String, Tls), String> {
    let (mut tls, mut kept) = (Tls::default(), Vec::new());
    for word in text.split(' ') {
        match word.split_once('=') {
            Some((name, value)) if OURS.contains(&name) => tls.take(name, value.to_owned())?,
            _ => kept.push(word),
        }
    }
    Ok((kept.join(" "), tls.checked()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tls_needs_is_taken_out_and_the_rest_stays() {
        let (rest, tls) = split(
            "postgres://r:p%3F@h:5432/audit?application_name=x&sslmode=verify-full&sslrootcert=%2Fetc%2Fca.crt&connect_timeout=3",
        )
        .unwrap();
        assert_eq!(rest, "postgres://r:p%3F@h:5432/audit?application_name=x&connect_timeout=3");
        assert_eq!((tls.mode, tls.root), (Mode::VerifyFull, Some(PathBuf::from("/etc/ca.crt"))));
        let (rest, tls) =
            split("host=h user=r sslmode=verify-ca sslcert=/c sslkey=/k password='a b=c'").unwrap();
        assert_eq!(rest, "host=h user=r password='a b=c'");
        assert_eq!((tls.mode, tls.key), (Mode::VerifyCa, Some(PathBuf::from("/k"))));
        assert_eq!(split("postgres://h/d").unwrap().1, Tls::default());
        assert_eq!(split("postgres://h/d?sslrootcert=system").unwrap().1.root, None);
    }

    #[test]
    fn a_mode_that_is_none_and_half_a_client_certificate_are_refused_without_the_password() {
        for url in ["postgres://r:hunter2@h/d?sslmode=full", "postgres://r:hunter2@h/d?sslcert=/c"] {
            let refused = DatabaseUrl::new(url).address().err().expect("it is refused").to_string();
            assert!(refused.contains("ssl") && !refused.contains("hunter2"), "{refused}");
        }
    }
}
