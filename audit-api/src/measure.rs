//! How long the store takes to answer.

use tokio::time::Instant;

/// Waits for a query and records its duration under a name from a short list.
pub async fn query<T>(name: &'static str, asked: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let answer = asked.await;
    metrics::histogram!("audit_query_duration_seconds", "query" => name)
        .record(started.elapsed().as_secs_f64());
    answer
}
