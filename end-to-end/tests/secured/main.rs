//! Every hop by TLS, on servers of its own with certificates made here: what is good is used, and what is not is refused with
//! the hop, the reason and the remedy, at the start and later on.

mod https;
mod kafka;
mod postgres;
mod rabbitmq;

use std::{path::Path, time::Duration};

use test_support::{DaemonConfig, trailctl};

/// How long anything on this busy machine may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// The name of the metric with these labels, as `/metrics` has it.
pub(crate) fn end_of(hop: &str, certificate: &str) -> String {
    format!("audit_certificate_expiry_timestamp_seconds{{hop=\"{hop}\",certificate=\"{certificate}\"}}")
}

/// A path as a TOML string.
pub(crate) fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

/// Runs `trailctl`; whether it succeeded, and all that it said.
pub(crate) async fn ran(config: &DaemonConfig, arguments: &[&str]) -> (bool, String) {
    let output = trailctl(config, arguments).await;
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// As [`ran`], for what must succeed.
pub(crate) async fn done(config: &DaemonConfig, arguments: &[&str]) -> String {
    let (succeeded, said) = ran(config, arguments).await;
    assert!(succeeded, "trailctl {arguments:?}:\n{said}");
    said
}
