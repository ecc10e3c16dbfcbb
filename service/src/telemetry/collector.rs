//! The way to the collector of traces: HTTPS by rustls, and a log line that says why traces do not arrive.

use std::{
    error::Error,
    path::Path,
    pin::Pin,
    sync::{Mutex, PoisonError},
};

use axum::{
    body::Bytes,
    http::{Request, Response},
};
use credentials::{ClientTls, refusal};
use opentelemetry_http::{HttpClient, HttpError};

use super::TelemetryError;
use crate::config::ConfigError;

/// Posts what the exporter makes; blocks, because the exporter has a thread of its own.
#[derive(Debug)]
pub(super) struct Collector {
    client: reqwest::blocking::Client,
    /// What was said last: the same reason is not said again for each batch.
    said: Mutex<String>,
}

impl Collector {
    /// Trusts the authorities of this file, or the system's. Called outside of any runtime.
    pub(super) fn new(authorities: Option<&Path>) -> Result<Self, TelemetryError> {
        let tls = ClientTls::new("otlp").trusting(authorities).config();
        let tls = tls.map_err(|error| ConfigError::key("telemetry.otlp_ca_file", error.to_string()))?;
        let client = reqwest::blocking::Client::builder().tls_backend_preconfigured(tls).build();
        let client = client.map_err(|error| {
            ConfigError::key("telemetry.otlp_endpoint", format!("no HTTP client: {error}"))
        })?;
        Ok(Self { client, said: Mutex::default() })
    }

    /// The exporter itself only says "network error".
    fn say(&self, error: &(dyn Error + 'static)) {
        let reason = refusal(error, "telemetry.otlp_ca_file").unwrap_or_else(|| error.to_string());
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != reason {
            tracing::warn!(reason, "traces_not_sent");
            *said = reason;
        }
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Sending<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let sent = self.client.send_bytes(request).await;
            sent.inspect_err(|error| self.say(&**error))
        })
    }
}
