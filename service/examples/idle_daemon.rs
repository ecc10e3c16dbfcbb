//! A daemon that does nothing, in the ways that the tests of start and stop need.

use std::{process::ExitCode, time::Duration};

use service::{Context, Service};

const IDLE: Service = Service {
    name: "audit-idle",
    about: "Does nothing, for tests.",
    require: |config| config.database.ingestor_url().map(|_| ()),
    shutdown_deadline: |config| config.ingestor.shutdown_deadline,
};

fn main() -> ExitCode {
    service::run(IDLE, idle)
}

async fn idle(context: Context) -> anyhow::Result<()> {
    let database = context.health.condition("database");
    let span = tracing::info_span!("starting");
    span.in_scope(|| tracing::info!("in a span"));
    drop(span);
    if std::env::var_os("IDLE_FAILS").is_some() {
        anyhow::bail!("failed on purpose");
    }
    let drain = std::env::var("IDLE_DRAIN_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(400)).await;
    metrics::counter!("idle_ready_total").increment(1);
    database.met();
    context.shutdown.requested().await;
    tokio::time::sleep(Duration::from_millis(drain)).await;
    Ok(())
}
