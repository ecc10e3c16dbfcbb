//! When the certificates end that the configuration names: read again from time to time, because they are renewed.

use std::{path::PathBuf, sync::Arc, time::Duration};

use credentials::expiry::{self, Holder};
use secrecy::ExposeSecret as _;

use crate::config::AuditConfig;

/// Time between two looks.
const LOOK: Duration = Duration::from_mins(1);

/// Keeps the metric; runs until it is dropped.
pub(crate) async fn watch(config: Arc<AuditConfig>) {
    expiry::describe();
    let files = files(&config);
    if files.is_empty() {
        return;
    }
    let mut said: Vec<String> = Vec::new();
    loop {
        let failed =
            files.iter().filter_map(|(hop, holder, file)| expiry::watch_file(hop, *holder, file).err());
        let failed: Vec<String> = failed.map(|error| error.to_string()).collect();
        for error in failed.iter().filter(|error| !said.contains(error)) {
            tracing::warn!(error, "a certificate's end is not known");
        }
        said = failed;
        tokio::time::sleep(LOOK).await;
    }
}

/// Every file of certificates that the configuration names, with its hop. The API's own and PostgreSQL's are noted where they
/// are used.
fn files(config: &AuditConfig) -> Vec<(&'static str, Holder, PathBuf)> {
    let property =
        |name: &str| config.kafka.properties.get(name).map(|path| PathBuf::from(path.expose_secret()));
    let named = [
        ("kafka", Holder::Authority, property("ssl.ca.location")),
        ("kafka", Holder::Own, property("ssl.certificate.location")),
        ("registry", Holder::Authority, config.registry.ca_file.clone()),
        ("rabbitmq", Holder::Authority, config.rabbitmq.ca_file.clone().map(PathBuf::from)),
        ("jwks", Holder::Authority, config.auth.jwks_ca_file.clone()),
        ("otlp", Holder::Authority, config.telemetry.otlp_ca_file.clone()),
    ];
    named.into_iter().filter_map(|(hop, holder, file)| Some((hop, holder, file?))).collect()
}
