//! `[api]`: the HTTP API.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{ConfigError, ingestor::within, lists};

/// Where the API listens and what it allows.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiSettings {
    /// Address and port.
    pub listen: SocketAddr,
    /// A PEM file with the certificate that the API shows, and its chain; with it the API speaks HTTPS alone.
    pub tls_certificate_file: Option<PathBuf>,
    /// The certificate's private key, PEM.
    pub tls_key_file: Option<PathBuf>,
    /// Connections open at once; more wait in the listen queue.
    pub max_connections: usize,
    /// Requests worked on at once; more are answered 503 with `Retry-After`.
    pub max_concurrent_requests: usize,
    /// Streams (SSE, NDJSON) open at once; more are answered 503.
    pub max_streams: usize,
    /// Database connections.
    pub pool_size: usize,
    /// A standby (`database.replica_url`) that is further behind is not read from.
    #[serde(with = "humantime_serde")]
    pub replica_max_lag: Duration,
    /// How long a TLS handshake, and then a request's head, may take.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// How long a request's body may take to arrive.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    /// How long an answer that is not a stream may take.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// A larger request body is answered 413.
    pub max_body_bytes: usize,
    /// Time between the heartbeats of an SSE stream (semantics.md 6).
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    /// Time between two looks at the head while a tail waits.
    #[serde(with = "humantime_serde")]
    pub tail_poll: Duration,
    /// A stream whose client takes nothing for so long is closed.
    #[serde(with = "humantime_serde")]
    pub slow_client_timeout: Duration,
    /// How long a graceful stop may take.
    #[serde(with = "humantime_serde")]
    pub shutdown_deadline: Duration,
    /// Event types that mark an aggregate as deleted; `*` = any run of characters (semantics.md 10).
    #[serde(deserialize_with = "lists::strings")]
    pub deletion_types: Vec<String>,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8080)),
            tls_certificate_file: None,
            tls_key_file: None,
            max_connections: 4096,
            max_concurrent_requests: 256,
            max_streams: 1024,
            pool_size: 16,
            replica_max_lag: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(30),
            max_body_bytes: 8 * 1024 * 1024,
            heartbeat: Duration::from_secs(15),
            tail_poll: Duration::from_millis(100),
            slow_client_timeout: Duration::from_mins(1),
            shutdown_deadline: Duration::from_secs(20),
            deletion_types: vec!["*_DELETED".to_owned(), "*.Deleted".to_owned()],
        }
    }
}

impl ApiSettings {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.tls_certificate_file.is_some() != self.tls_key_file.is_some() {
            return Err(ConfigError::key(
                "api.tls_key_file",
                "goes with api.tls_certificate_file: give both, or neither",
            ));
        }
        within("api.max_connections", self.max_connections, 1, 1_000_000)?;
        within("api.max_concurrent_requests", self.max_concurrent_requests, 1, 100_000)?;
        within("api.max_streams", self.max_streams, 1, 100_000)?;
        within("api.pool_size", self.pool_size, 1, 1000)?;
        within("api.max_body_bytes", self.max_body_bytes, 1024, 256 * 1024 * 1024)?;
        let times = [
            ("replica_max_lag", self.replica_max_lag),
            ("header_timeout", self.header_timeout),
            ("body_timeout", self.body_timeout),
            ("request_timeout", self.request_timeout),
            ("heartbeat", self.heartbeat),
            ("tail_poll", self.tail_poll),
            ("slow_client_timeout", self.slow_client_timeout),
            ("shutdown_deadline", self.shutdown_deadline),
        ];
        match times.into_iter().find(|(_, time)| time.is_zero()) {
            Some((name, _)) => {
                Err(ConfigError::key(format!("api.{name}"), "is zero: give a time such as \"10s\""))
            }
            None => Ok(()),
        }
    }
}
