//! Reading from a standby (DECISIONS.md, "What reads where"): one request, one server.
//!
//! A read goes to the standby while it is not too far behind, and to the primary when the standby does not know what is
//! asked for. Everything that a request reads, and every chunk of a stream, comes from the server that it began with, so a
//! head is never taken from one and the rows below it from the other.

mod watch;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::{
    body::Body,
    extract::{Request, State},
    http::{Method, Response, StatusCode},
    middleware::Next,
    response::IntoResponse as _,
};
use service::Shutdown;
use shared::position::Position;
use store::Reader;

use crate::{respond::Problem, state::Api};

pub use watch::Watch;

/// The header by which a caller asks for an answer that knows this position, such as that of an event that he has just
/// written.
pub const AT_LEAST: &str = "audit-at-least";

/// The standby that reads go to, when there is one that can be used.
#[derive(Default)]
pub struct Replica {
    /// The API that reads from it. Its request to stop is its own: it ends the streams when the standby is given up.
    used: ArcSwapOption<Api>,
}

/// Marks a request that a standby answers: the API that reads from it.
#[derive(Clone)]
pub struct FromStandby(pub Arc<Api>);

impl Replica {
    /// Whether reads go to a standby now.
    pub fn is_used(&self) -> bool {
        self.used.load().is_some()
    }

    /// Reads go to this standby from now on.
    fn take(&self, api: &Api, reader: Reader) {
        self.used.store(Some(Arc::new(api.reading_from(reader, Shutdown::new()))));
    }

    /// Reads go to the primary from now on; tails end, and resume there.
    fn leave(&self) {
        if let Some(api) = self.used.swap(None) {
            api.shutdown.request();
        }
    }
}

/// Why a read was or was not answered by the standby, for the metric.
fn count(outcome: &'static str) {
    metrics::counter!("audit_replica_requests_total", "outcome" => outcome).increment(1);
}

/// The layer that sends reads to the standby; inside of authentication and access recording, so that both happen once.
pub async fn prefer(State(replica): State<Arc<Replica>>, request: Request, next: Next) -> Response<Body> {
    let wanted = match wanted(&request) {
        Ok(wanted) => wanted,
        Err(problem) => return problem.into_response(),
    };
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return next.run(request).await;
    }
    let Some(api) = replica.used.load_full() else {
        count("away");
        return next.run(request).await;
    };
    if let Some(position) = wanted
        && !matches!(api.reader.locate(position).await, Ok(Some(_)))
    {
        count("behind");
        return next.run(request).await;
    }
    let (mut request, again) = twice(request);
    request.extensions_mut().insert(FromStandby(api));
    let answer = next.clone().run(request).await;
    // An event, an id of a stream, an aggregate that it does not know may be too new for it; a statement that ran into
    // what it had to apply, or a server that has gone, says nothing of the primary.
    let unsure = [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::SERVICE_UNAVAILABLE];
    if unsure.contains(&answer.status()) {
        count("asked-again");
        return next.run(again).await;
    }
    count("answered");
    answer
}

/// The position that the answer must know.
fn wanted(request: &Request) -> Result<Option<Position>, Problem> {
    let Some(value) = request.headers().get(AT_LEAST) else { return Ok(None) };
    let position = value.to_str().ok().and_then(|text| text.parse().ok());
    position.map(Some).ok_or_else(|| {
        Problem::header(
            "Audit-At-Least",
            "is not a position: send the `position` of an event, such as `1:42`",
        )
    })
}

/// A request of a method without a body, twice.
fn twice(request: Request) -> (Request, Request) {
    let (parts, _) = request.into_parts();
    (Request::from_parts(parts.clone(), Body::empty()), Request::from_parts(parts, Body::empty()))
}
