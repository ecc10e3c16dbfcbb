//! The Prometheus recorder: what `metrics::counter!` and its like write to, and `/metrics` renders.

mod process;

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of every `*_seconds` histogram: OpenTelemetry's for HTTP and database calls, from 1 ms to 60 s.
const SECONDS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Upper bounds of every `*_records` histogram.
const RECORDS: [f64; 9] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0];

/// Upper bounds of every `*_bytes` histogram.
const BYTES: [f64; 8] = [256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0];

/// The process's metrics.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// The buckets are constants, so this says that a recorder was installed before.
#[derive(Debug, thiserror::Error)]
#[error("the metrics recorder cannot be installed: {0}")]
pub struct MetricsError(#[from] BuildError);

impl Metrics {
    /// Makes the recorder that the `metrics` macros of this process write to; once per process.
    pub fn install() -> Result<Self, MetricsError> {
        let handle = builder()?.install_recorder()?;
        process::describe();
        Ok(Self { handle })
    }

    /// A recorder of its own, which no macro writes to: for tests of what serves it.
    pub fn detached() -> Result<Self, MetricsError> {
        Ok(Self { handle: builder()?.build_recorder().handle() })
    }

    /// The text of `/metrics`.
    pub fn render(&self) -> String {
        process::record();
        self.handle.render()
    }

    /// Keeps the histograms' memory bounded; runs until it is dropped.
    pub async fn upkeep(self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(5));
        loop {
            ticks.tick().await;
            self.handle.run_upkeep();
        }
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_records".to_owned()), &RECORDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_become_histograms_with_buckets_and_not_summaries() {
        let recorder = builder().expect("constant buckets").build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            metrics::histogram!("audit_query_duration_seconds").record(0.03);
        });
        let text = handle.render();
        assert!(text.contains("# TYPE audit_query_duration_seconds histogram"), "{text}");
        assert!(text.contains("audit_query_duration_seconds_bucket{le=\"0.025\"} 0"), "{text}");
        assert!(text.contains("audit_query_duration_seconds_bucket{le=\"0.05\"} 1"), "{text}");
    }
}
