//! The API's instruments: what they are, how long the store takes to answer, how full its pool is.

use metrics::{describe_counter, describe_gauge, describe_histogram};
use tokio::time::Instant;

/// Says what each of the API's metrics is; once, after the recorder is there.
pub fn describe() {
    describe_histogram!(
        "http_server_request_duration_seconds",
        "From the request's head to the answer's head."
    );
    describe_histogram!("audit_query_duration_seconds", "How long the database took to answer a query.");
    describe_counter!("audit_api_accesses_total", "Requests of known callers, by outcome.");
    describe_counter!("audit_api_access_records_total", "Records of accesses, by outcome.");
    describe_counter!(
        "audit_api_access_records_suppressed_total",
        "Requests without a good token that have no record of their own."
    );
    describe_histogram!(
        "audit_api_access_record_duration_seconds",
        "How long an answer waited for its record."
    );
    for outcome in ["acknowledged", "failed"] {
        metrics::counter!("audit_api_access_records_total", "outcome" => outcome).absolute(0);
    }
    describe_counter!("audit_api_requests_shed_total", "Requests refused because too many were worked on.");
    describe_gauge!("audit_api_streams_active", "Open streams.");
    describe_counter!("audit_api_streams_total", "Streams that have ended, by reason.");
    describe_counter!("audit_api_stream_rows_total", "Events sent in streams.");
    describe_counter!("audit_api_submissions_total", "Requests with events, by outcome.");
    describe_counter!("audit_api_submitted_events_total", "Events in them that Kafka has, or had before.");
    describe_counter!("audit_api_redrives_total", "Dead letters sent again, by outcome.");
    describe_counter!(
        "audit_replica_requests_total",
        "Reads that a standby might answer, by what became of them."
    );
    describe_gauge!("audit_replica_used", "1 while reads go to the standby.");
    describe_gauge!(
        "audit_replica_lag_seconds",
        "Since when the first append that the standby lacks is recorded."
    );
    describe_gauge!("audit_replica_lag_appends", "Appends that the standby lacks.");
    describe_gauge!("audit_replica_lag_bytes", "Bytes of WAL that the standby has not applied.");
    describe_gauge!("audit_replay_jobs_running", "Replays to topics that this process works on.");
    describe_counter!("audit_replay_events_total", "Events that Kafka has by replays to topics.");
    describe_counter!("audit_replay_troubles_total", "Times that a replay had to wait for what was away.");
    describe_counter!(
        "audit_replay_runs_ended_total",
        "Replays that this process works on no more, by outcome."
    );
    describe_gauge!("audit_db_connections", "Connections of the pool, by state.");
    describe_gauge!("audit_db_connection_waiters", "Requests that wait for a connection.");
}

/// Tells how full the pool is.
pub fn pool(reader: &store::Reader) {
    let use_now = reader.pool_use();
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    metrics::gauge!("audit_db_connections", "state" => "idle").set(count(use_now.idle));
    metrics::gauge!("audit_db_connections", "state" => "used").set(count(use_now.used));
    metrics::gauge!("audit_db_connection_waiters").set(count(use_now.waiting));
}

/// Waits for a query and records its duration under a name from a short list.
pub async fn query<T>(name: &'static str, asked: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let answer = asked.await;
    metrics::histogram!("audit_query_duration_seconds", "query" => name)
        .record(started.elapsed().as_secs_f64());
    answer
}
