//! When certificates end: what each server shows that the configuration names, and the files that we trust and show.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::{Path, PathBuf},
};

use credentials::{ClientTls, CredentialError, Opening, Secret, certificate_end, expiry, refusal};
use futures::future::join_all;
use secrecy::ExposeSecret;
use service::config::{AuditConfig, DatabaseSettings};
use shared::timestamp::Timestamp;
use store::DatabaseUrl;

use super::Check;

const SECONDS_A_DAY: i64 = 86_400;
/// As the alert AuditCertificateExpiry; whatever renews certificates by itself has long done so.
const DAYS_WORTH_A_WORD: i64 = 14;

/// A server that the configuration names, and how it is spoken to.
struct Hop {
    opening: Opening,
    /// `None` = in the clear.
    tls: Option<ClientTls>,
    /// The setting that says whom we trust there.
    authorities: &'static str,
}

/// What the configuration names.
#[derive(Default)]
struct Named {
    /// The servers, each once, by hop and `host:port`.
    hops: BTreeMap<(&'static str, String), Hop>,
    /// Certificates that we trust or show.
    files: BTreeSet<PathBuf>,
}

impl Named {
    /// Of two ways to one server the one that is encrypted says more.
    fn server(&mut self, name: &'static str, address: String, hop: Hop) {
        let tls = hop.tls.iter();
        self.files.extend(tls.flat_map(ClientTls::certificate_files).map(Path::to_owned));
        let known = self.hops.entry((name, address)).or_insert(Hop { tls: None, ..hop });
        known.tls = known.tls.take().or(hop.tls);
    }
}

/// Shakes hands with every server, and reads every file; `is_kafka_there` = it has answered.
pub async fn check(config: &AuditConfig, is_kafka_there: bool, now: Timestamp) -> Vec<Check> {
    let mut named = Named::default();
    databases(&config.database, &mut named);
    by_url(config, &mut named);
    let mut checks: Vec<Check> = brokers(config, is_kafka_there, &mut named).await.into_iter().collect();
    named.files.extend(config.api.tls_certificate_file.clone());
    let looks = named.hops.into_iter().map(|((name, address), hop)| async move {
        // The handshake blocks.
        let looking = tokio::task::spawn_blocking(move || peer(name, &address, &hop, now));
        looking.await.unwrap_or_else(|error| {
            Check::skip("certificates", format!("the handshake with {name} broke off: {error}"), "try again")
        })
    });
    checks.extend(join_all(looks).await);
    checks.extend(named.files.iter().map(|path| file(path, expiry::end_of_file(path), now)));
    checks
}

/// Every role's server; that a URL cannot be read is said by the check of its role.
fn databases(settings: &DatabaseSettings, named: &mut Named) {
    let urls = [
        &settings.ingestor_url,
        &settings.api_url,
        &settings.replica_url,
        &settings.projector_url,
        &settings.migrator_url,
        &settings.retention_url,
        &settings.operator_url,
    ];
    for url in urls.into_iter().flatten() {
        let Ok((addresses, tls)) = DatabaseUrl::from(url).hop() else { continue };
        for address in addresses {
            let authorities = "sslrootcert in the database URL";
            let hop = Hop { opening: Opening::PostgreSql, tls: tls.clone(), authorities };
            named.server("postgresql", address, hop);
        }
    }
}

/// What is named by a URL whose scheme says whether it is encrypted.
fn by_url(config: &AuditConfig, named: &mut Named) {
    let rabbitmq = config.rabbitmq.url.as_ref().map(Secret::latest);
    let urls = [
        ("registry", config.registry.url.as_deref(), &config.registry.ca_file, "registry.ca_file"),
        (
            "rabbitmq",
            rabbitmq.as_ref().map(ExposeSecret::expose_secret),
            &config.rabbitmq.ca_file.as_ref().map(PathBuf::from),
            "rabbitmq.ca_file",
        ),
        ("jwks", config.auth.jwks_url.as_deref(), &config.auth.jwks_ca_file, "auth.jwks_ca_file"),
        (
            "otlp",
            config.telemetry.otlp_endpoint.as_deref(),
            &config.telemetry.otlp_ca_file,
            "telemetry.otlp_ca_file",
        ),
    ];
    for (name, url, authority, authorities) in urls {
        let Some(url) = url.and_then(|url| reqwest::Url::parse(url).ok()) else { continue };
        // The keys may be a file of this machine.
        let Some(host) = url.host_str() else { continue };
        let is_encrypted = ["https", "amqps"].contains(&url.scheme());
        let usual = if is_encrypted { 5671 } else { 5672 };
        let address = format!("{host}:{}", url.port_or_known_default().unwrap_or(usual));
        let tls = is_encrypted.then(|| ClientTls::new(name).trusting(authority.as_deref()));
        named.server(name, address, Hop { opening: Opening::Direct, tls, authorities });
    }
}

/// Kafka's: the ones that the configuration names, and those that these tell of. A cluster that has not answered is not asked
/// again, which takes long.
async fn brokers(config: &AuditConfig, answers: bool, named: &mut Named) -> Option<Check> {
    let bootstrap = config.kafka.bootstrap_servers().ok()?;
    let tls = bus::broker_tls(&config.kafka).ok()?;
    let told = if answers { bus::topics::brokers(&config.kafka).await.ok() } else { None };
    let skipped = told.is_none().then(|| {
        Check::skip(
            "certificates of kafka",
            "only kafka.bootstrap_servers are looked at: which brokers there are is not known",
            "put the line about kafka right first",
        )
    });
    let addresses: BTreeSet<String> = bootstrap
        .split(',')
        .map(|address| address.trim().to_owned())
        .chain(told.into_iter().flatten())
        .collect();
    let authorities = bus::faults::AUTHORITIES;
    for address in addresses {
        named.server("kafka", address, Hop { opening: Opening::Direct, tls: tls.clone(), authorities });
    }
    skipped
}

fn peer(name: &str, address: &str, hop: &Hop, now: Timestamp) -> Check {
    let check = format!("certificate of {name} {address}");
    let shown = match &hop.tls {
        Some(tls) => certificate_end(address, hop.opening, tls),
        None => Ok(None),
    };
    match shown {
        Ok(Some(ends)) => end(check, ends, now),
        Ok(None) if is_this_machine(address) => Check::ok(check, "none: in the clear, on this machine"),
        Ok(None) => Check::warn(
            check,
            "none: it is spoken to in the clear, over a network",
            "docs/operating.md, TLS on every hop",
        ),
        Err(error) => match refusal(&error, hop.authorities) {
            Some(sentence) => {
                Check::fail(check, sentence, "docs/operating.md, TLS on every hop, says what is checked")
            }
            None => Check::skip(
                check,
                format!("not seen, since there is no connection: {error}"),
                "is the server running, and is its address right?",
            ),
        },
    }
}

fn file(path: &Path, ends: Result<Option<i64>, CredentialError>, now: Timestamp) -> Check {
    let name = format!("certificate file {}", path.display());
    match ends {
        Ok(Some(ends)) => end(name, ends, now),
        Ok(None) => Check::skip(
            name,
            "its end cannot be read",
            "is it an X.509 certificate? `openssl x509 -in … -enddate` shows it",
        ),
        Err(error) => {
            Check::fail(name, error.to_string(), "put the file in its place, readable for this user")
        }
    }
}

/// `ends` in seconds since 1970.
fn end(name: String, ends: i64, now: Timestamp) -> Check {
    let left = ends - now.as_micros() / 1_000_000;
    let day = Timestamp::from_micros(ends.saturating_mul(1_000_000)).to_string();
    let day = day.get(..10).unwrap_or(&day);
    let days = left / SECONDS_A_DAY;
    let remedy = "renew it: docs/runbooks/AuditCertificateExpiry.md";
    match left {
        ..=0 => Check::fail(name, format!("ended on {day}"), remedy),
        _ if days < DAYS_WORTH_A_WORD => Check::warn(name, format!("ends in {days} days, on {day}"), remedy),
        _ => Check::ok(name, format!("ends in {days} days, on {day}")),
    }
}

fn is_this_machine(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn certificates_are_said_two_weeks_before_they_end() {
        let now = Timestamp::from_micros(1_763_683_200_000_000);
        let after = |days: i64| end("c".to_owned(), now.as_micros() / 1_000_000 + days * SECONDS_A_DAY, now);
        assert_eq!(after(14), Check::ok("c", "ends in 14 days, on 2025-12-05"));
        assert_eq!(
            (after(13).level, after(13).detail.as_str()),
            (Level::Warn, "ends in 13 days, on 2025-12-04")
        );
        assert_eq!((after(-1).level, after(-1).detail.as_str()), (Level::Fail, "ended on 2025-11-20"));
    }

    #[test]
    fn in_the_clear_is_well_on_this_machine_alone() {
        let hop = || Hop { opening: Opening::Direct, tls: None, authorities: "a" };
        let level = |address: &str| peer("kafka", address, &hop(), Timestamp::from_micros(0)).level;
        for here in ["localhost:9092", "127.0.0.1:9092", "[::1]:9092"] {
            assert_eq!(level(here), Level::Ok);
        }
        assert_eq!(level("kafka.example.org:9092"), Level::Warn);
    }
}
