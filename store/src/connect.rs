//! Connections: one dedicated client, its connection driven by a task of its own, TLS by `sslmode`.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{CancelToken, Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::StoreError;
use crate::url::DatabaseUrl;

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens one dedicated connection. `application_name` is what `pg_stat_activity` shows.
///
/// `sslmode=disable` speaks in the clear; `prefer` (the default) and `require` check the server's certificate
/// against the system's roots, `prefer` only when the server offers TLS at all.
pub async fn connect(url: &DatabaseUrl, application_name: &str) -> Result<Client, StoreError> {
    let config = configured(url, application_name, &[])?;
    let (client, _task) = open(&config).await?;
    Ok(client)
}

/// The URL's settings plus ours; `settings` become options of the session.
pub(crate) fn configured(
    url: &DatabaseUrl,
    application_name: &str,
    settings: &[(&str, &str)],
) -> Result<Config, StoreError> {
    let mut config = url.config()?;
    config.application_name(application_name);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    config.keepalives_idle(Duration::from_secs(30));
    config.tcp_user_timeout(Duration::from_secs(30));
    let mut options = config.get_options().unwrap_or_default().to_owned();
    for (name, value) in [("timezone", "UTC"), ("search_path", "pg_catalog")].iter().chain(settings) {
        let _ = write!(options, " -c {name}={value}"); // a String takes everything
    }
    config.options(options.trim_start());
    Ok(config)
}

/// Connects and spawns the task that drives the connection until the client is dropped.
pub(crate) async fn open(config: &Config) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
    if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await?;
        Ok((client, tokio::spawn(drive(connection))))
    } else {
        let (client, connection) = config.connect(tls()).await?;
        Ok((client, tokio::spawn(drive(connection))))
    }
}

/// Asks the server to end the statement that the token's connection is at, over a connection of its own.
pub(crate) async fn cancel(token: &CancelToken) -> Result<(), tokio_postgres::Error> {
    // The token knows whether its connection is encrypted, and leaves the connector alone when not.
    token.cancel_query(tls()).await
}

async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    // The client's own calls fail with the cause; here it is only worth a word for those who look for it.
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a database connection ended");
    }
}

/// The connector with the system's roots (`SSL_CERT_FILE` overrides them). Without any root every handshake fails
/// with "unknown issuer", which is what somebody with `sslmode=require` has to know.
fn tls() -> MakeRustlsConnect {
    static CONNECTOR: OnceLock<MakeRustlsConnect> = OnceLock::new();
    CONNECTOR
        .get_or_init(|| {
            // Err = the process has chosen a provider before us, which serves as well.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            match MakeRustlsConnect::with_native_certs() {
                Ok((connector, unreadable)) => {
                    if !unreadable.is_empty() {
                        tracing::warn!(count = unreadable.len(), "some root certificates cannot be read");
                    }
                    connector
                }
                Err(_) => MakeRustlsConnect::new(
                    rustls::ClientConfig::builder()
                        .with_root_certificates(rustls::RootCertStore::empty())
                        .with_no_client_auth(),
                ),
            }
        })
        .clone()
}
