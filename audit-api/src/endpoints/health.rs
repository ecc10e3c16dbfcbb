//! The documentation of what `service::health` serves.

/// Whether the process lives
#[utoipa::path(get, path = "/health/live", operation_id = "live", tag = "Operation", security(()),
    responses((status = 200, description = "It lives.", body = Object, content_type = "application/json")))]
#[expect(dead_code, reason = "served by service::health; here it is only documented")]
pub(crate) fn live() {}

/// Whether it can answer
///
/// Names the conditions that are not met.
#[utoipa::path(get, path = "/health/ready", operation_id = "ready", tag = "Operation", security(()),
    responses(
        (status = 200, description = "It can.", body = Object, content_type = "application/json"),
        (status = 503, description = "It cannot, and why.", body = Object, content_type = "application/json")
    ))]
#[expect(dead_code, reason = "served by service::health; here it is only documented")]
pub(crate) fn ready() {}

/// Metrics in Prometheus' text format
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "Operation", security(()),
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")))]
#[expect(dead_code, reason = "served by service::health; here it is only documented")]
pub(crate) fn metrics() {}
