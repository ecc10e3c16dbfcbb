//! The place of access recording in the request path (semantics.md 12).
//!
//! Later work records here, before the first byte of the answer, one `AuditAccess` event for each authorised or
//! refused request, and one more when a stream closes. Until then the same places count and log, so that the path
//! of a request is already the final one: authentication outside, the handler inside.

use axum::{Extension, extract::Request, middleware::Next, response::Response};
use tokio::time::Instant;

use crate::{auth::Caller, respond::Stop};

/// The layer around every handler under `/v1`; the caller is known, the answer not yet.
pub async fn record(Extension(caller): Extension<Caller>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let outcome = match response.status().as_u16() {
        200..=399 => "granted",
        401 | 403 => "refused",
        _ => "failed",
    };
    metrics::counter!("audit_api_accesses_total", "outcome" => outcome).increment(1);
    // The subject is personal data: it belongs in the trail, which has rules for it, and not in the log.
    tracing::debug!(outcome, has_organization = caller.organization.is_some(), "access");
    response
}

/// The open stream: recorded at open, and at close with its rows.
pub struct StreamAccess {
    opened: Instant,
    closed: bool,
}

impl StreamAccess {
    /// A stream begins.
    pub fn opened() -> Self {
        metrics::gauge!("audit_api_streams_active").increment(1.0);
        Self { opened: Instant::now(), closed: false }
    }

    /// It has ended, early when there is a reason.
    pub fn closed(mut self, rows: u64, stop: Option<&Stop>) {
        self.closed = true;
        let ended = stop.map_or("complete", Stop::name);
        metrics::counter!("audit_api_streams_total", "ended" => ended).increment(1);
        metrics::counter!("audit_api_stream_rows_total").increment(rows);
        let seconds = self.opened.elapsed().as_secs_f64();
        if let Some(Stop::Store(error)) = stop {
            tracing::warn!(rows, seconds, ended, %error, "stream closed");
        } else {
            tracing::info!(rows, seconds, ended, "stream closed");
        }
    }
}

impl Drop for StreamAccess {
    fn drop(&mut self) {
        metrics::gauge!("audit_api_streams_active").decrement(1.0);
        if !self.closed {
            tracing::error!("a stream's writer ended without saying how");
        }
    }
}
