//! `[telemetry]`: logs, traces, metrics and health.

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

use super::ConfigError;

/// What is told, and where.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    /// The form of the log lines.
    pub log_format: LogFormat,
    /// Which log lines, in the syntax of `RUST_LOG`, which wins when it is set.
    pub log_filter: String,
    /// Where traces go (OTLP over HTTP, protobuf), such as `http://collector:4318`; `OTEL_EXPORTER_OTLP_ENDPOINT` too.
    pub otlp_endpoint: Option<String>,
    /// A PEM file with the authorities that an https:// endpoint is checked against, in place of the system's.
    pub otlp_ca_file: Option<PathBuf>,
    /// The share of traces that are recorded when the caller has not decided, 0 to 1.
    pub trace_ratio: f64,
    /// Where `/metrics`, `/health/live` and `/health/ready` are served.
    pub listen: SocketAddr,
    /// `service.version` of the traces.
    pub service_version: String,
}

/// The form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For reading by eye.
    Text,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Json,
            log_filter: "info".to_owned(),
            otlp_endpoint: None,
            otlp_ca_file: None,
            trace_ratio: 1.0,
            listen: SocketAddr::from(([0, 0, 0, 0], 9464)),
            service_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl TelemetrySettings {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if let Some(url) = &self.otlp_endpoint
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return Err(ConfigError::key(
                "telemetry.otlp_endpoint",
                "give a URL that starts with http:// or https://",
            ));
        }
        if !(0.0..=1.0).contains(&self.trace_ratio) {
            return Err(ConfigError::key("telemetry.trace_ratio", "give a number from 0 to 1"));
        }
        tracing_subscriber::EnvFilter::try_new(&self.log_filter)
            .map(|_| ())
            .map_err(|error| ConfigError::key("telemetry.log_filter", format!("cannot be read: {error}")))
    }
}
