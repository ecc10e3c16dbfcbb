//! Whether the process is alive and ready, in named conditions, and the three addresses that tell it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use crate::metrics::Metrics;

/// The readiness of the process: ready when every named condition is met.
#[derive(Debug, Clone, Default)]
pub struct Health {
    unmet: Arc<Mutex<BTreeMap<&'static str, Option<String>>>>,
}

/// One condition of readiness; its holder keeps it up to date.
#[derive(Debug, Clone)]
pub struct Condition {
    health: Health,
    name: &'static str,
}

/// The answer of `/health/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// `"ready"` or `"not-ready"`.
    pub status: &'static str,
    /// The conditions that are not met, and why.
    pub unmet: BTreeMap<&'static str, String>,
}

impl Health {
    /// No conditions: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names a condition; not met (`"starting"`) until its holder says so.
    pub fn condition(&self, name: &'static str) -> Condition {
        self.lock().insert(name, Some("starting".to_owned()));
        Condition { health: self.clone(), name }
    }

    /// Whether every condition is met, and which are not.
    pub fn readiness(&self) -> Readiness {
        let unmet: BTreeMap<_, _> =
            self.lock().iter().filter_map(|(name, reason)| Some((*name, reason.clone()?))).collect();
        Readiness { status: if unmet.is_empty() { "ready" } else { "not-ready" }, unmet }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Option<String>>> {
        // A panic while it was held cannot leave the map half written.
        self.unmet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    /// The condition holds.
    pub fn met(&self) {
        self.health.lock().insert(self.name, None);
    }

    /// The condition does not hold; the reason is shown to operators.
    pub fn unmet(&self, reason: impl Into<String>) {
        self.health.lock().insert(self.name, Some(reason.into()));
    }
}

/// `/health/live`, `/health/ready` and `/metrics`.
pub fn routes(health: Health, metrics: Metrics) -> Router {
    let live = get(|| async { Json(serde_json::json!({ "status": "live" })) });
    Router::new()
        .route("/health/live", live)
        .route("/health/ready", get(ready).with_state(health))
        .route("/metrics", get(exposition).with_state(metrics))
}

async fn ready(State(health): State<Health>) -> Response {
    let readiness = health.readiness();
    let status = if readiness.unmet.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(readiness)).into_response()
}

async fn exposition(State(metrics): State<Metrics>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_every_condition_is_met() {
        let health = Health::new();
        assert_eq!(health.readiness().status, "ready");
        let (database, kafka) = (health.condition("database"), health.condition("kafka"));
        database.met();
        kafka.unmet("no partitions assigned");
        let readiness = health.readiness();
        assert_eq!(readiness.status, "not-ready");
        assert_eq!(readiness.unmet, BTreeMap::from([("kafka", "no partitions assigned".to_owned())]));
        kafka.met();
        assert_eq!(health.readiness().status, "ready");
    }

    #[test]
    fn a_condition_is_not_met_before_its_holder_says_so() {
        let health = Health::new();
        let _database = health.condition("database");
        assert_eq!(health.readiness().unmet["database"], "starting");
    }
}
