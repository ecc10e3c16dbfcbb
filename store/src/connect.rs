//! Connections: one dedicated client, its connection driven by a task of its own, TLS by `sslmode`.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use credentials::{ClientTls, CredentialError};
use tokio::task::JoinHandle;
use tokio_postgres::{CancelToken, Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::StoreError;
use crate::url::{Address, DatabaseUrl};

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What every session has. Compiling a statement over all months of events takes seconds, running it milliseconds.
const SETTINGS: &[(&str, &str)] = &[("timezone", "UTC"), ("search_path", "pg_catalog"), ("jit", "off")];

/// Opens one dedicated connection. `application_name` is what `pg_stat_activity` shows.
///
/// `sslmode=disable` speaks in the clear; `prefer` (the default) does so only when the server offers no TLS. All others
/// insist on TLS and check the server's certificate: `verify-ca` its authority alone, `require` and `verify-full` its name
/// too; against `sslrootcert`, else the system's authorities.
pub async fn connect(url: &DatabaseUrl, application_name: &str) -> Result<Client, StoreError> {
    let (client, _task) = open(&configured(url, application_name, &[])?).await?;
    Ok(client)
}

/// How a connection is made: settings and encryption.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) config: Config,
    tls: Option<MakeRustlsConnect>,
}

/// The URL's settings plus ours; `settings` become options of the session.
pub(crate) fn configured(
    url: &DatabaseUrl,
    application_name: &str,
    settings: &[(&str, &str)],
) -> Result<Prepared, StoreError> {
    let Address { mut config, tls } = url.address()?;
    config.application_name(application_name);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    config.keepalives_idle(Duration::from_secs(30));
    config.tcp_user_timeout(Duration::from_secs(30));
    let mut options = config.get_options().unwrap_or_default().to_owned();
    for (name, value) in SETTINGS.iter().chain(settings) {
        let _ = write!(options, " -c {name}={value}"); // a String takes everything
    }
    config.options(options.trim_start());
    let tls = tls.as_ref().map(connector).transpose();
    // A file that is being replaced is there again soon.
    let tls = tls.map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    Ok(Prepared { config, tls })
}

/// Connects and spawns the task that drives the connection until the client is dropped.
pub(crate) async fn open(to: &Prepared) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
    if let Some(tls) = &to.tls {
        let (client, connection) = to.config.connect(tls.clone()).await?;
        Ok((client, tokio::spawn(drive(connection))))
    } else {
        let (client, connection) = to.config.connect(NoTls).await?;
        Ok((client, tokio::spawn(drive(connection))))
    }
}

/// Asks the server to end the statement that the token's connection is at, over a connection of its own.
pub(crate) async fn cancel(token: &CancelToken) -> Result<(), tokio_postgres::Error> {
    let last =
        LAST.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|made| made.connector.clone());
    match last {
        // The token knows whether its connection is encrypted, and leaves the connector alone when not.
        Some(tls) => token.cancel_query(tls).await,
        None => token.cancel_query(NoTls).await,
    }
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

/// The connector made last: authorities and keys are few, and taking them from their files costs more than a connection.
static LAST: Mutex<Option<Made>> = Mutex::new(None);

/// A connector, and what it was made of.
struct Made {
    of: ClientTls,
    files: Vec<Vec<u8>>,
    connector: MakeRustlsConnect,
}

/// Made anew only when its files have changed.
fn connector(tls: &ClientTls) -> Result<MakeRustlsConnect, CredentialError> {
    let files = tls.files()?;
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = &*last
        && made.of == *tls
        && made.files == files
    {
        return Ok(made.connector.clone());
    }
    let connector = MakeRustlsConnect::new(tls.config()?);
    *last = Some(Made { of: tls.clone(), files, connector: connector.clone() });
    Ok(connector)
}
