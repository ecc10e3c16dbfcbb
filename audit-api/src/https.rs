//! HTTPS on the API's own listener, with a certificate that is taken anew when its files change.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use credentials::ServerIdentity;
use service::{
    Shutdown,
    config::{ApiSettings, ConfigError},
    http::{self, Limits},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// Time between two looks at the files; SIGHUP is a look at once.
const LOOK: Duration = Duration::from_secs(10);

/// The certificate of the configuration; `None` = the API speaks in the clear, behind what ends TLS for it.
pub fn identity(settings: &ApiSettings) -> Result<Option<Arc<ServerIdentity>>, ConfigError> {
    let Some((certificate, key)) = settings.tls_certificate_file.as_ref().zip(settings.tls_key_file.as_ref())
    else {
        return Ok(None);
    };
    let loaded = ServerIdentity::load(certificate, key);
    loaded.map(Some).map_err(|error| ConfigError::key("api.tls_certificate_file", error.to_string()))
}

/// Serves until a stop is requested, over TLS when there is a certificate.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    identity: Option<Arc<ServerIdentity>>,
    shutdown: Shutdown,
) -> io::Result<()> {
    let Some(identity) = identity else { return http::serve(listener, router, limits, shutdown).await };
    let tls = Arc::new(identity.config());
    let looking = tokio::spawn(keep_fresh(identity));
    let served = http::serve_tls(listener, router, limits, tls, shutdown).await;
    looking.abort();
    served
}

/// Takes a changed certificate for the connections to come; a broken one is said, and the one before stays in use.
async fn keep_fresh(identity: Arc<ServerIdentity>) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut said = String::new();
    loop {
        match identity.reload() {
            Ok(changed) => {
                said.clear();
                if changed {
                    tracing::info!("the API's certificate was taken anew");
                }
                identity.record_end("api");
            }
            Err(error) => {
                let error = error.to_string();
                if error != said {
                    tracing::warn!(
                        error,
                        "the API's certificate cannot be taken anew; the one before stays in use"
                    );
                    said = error;
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = hangup.recv() => {}
        }
    }
}
