//! Who looked: every request that is answered or refused leaves one record, which Kafka has acknowledged before the first
//! byte of the answer leaves (semantics.md 12). A stream leaves two: when it is opened, and when it ends, with its rows.
//!
//! [`record`] is the layer around every operation that gives or takes data, [`Recorder`] the way to Kafka, [`Notes`] what
//! only the inside of a request knows. A record that cannot be made is an answer that is not given: 503.

mod asked;
mod notes;
mod operations;
mod recorder;
mod strangers;
mod stream;
mod unanswered;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

pub use asked::Asked;
pub use notes::Notes;
pub use operations::Operations;
pub use recorder::{Recorder, Unrecorded};
pub use stream::{Ending, StreamAccess};

use unanswered::Unanswered;

/// What the layer works with.
pub struct Place {
    /// The way to Kafka; `None` = recording is switched off.
    pub recorder: Option<Recorder>,
    /// The names of the operations.
    pub operations: Operations,
}

/// The layer around authentication and every handler.
pub async fn record(State(place): State<Arc<Place>>, request: Request, next: Next) -> Response {
    let notes = Notes::default();
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(notes.clone());
    let Some(recorder) = &place.recorder else {
        let response = next.run(Request::from_parts(parts, body)).await;
        count(&response, &notes);
        return response;
    };
    let asked = Asked::read(&mut parts, &place.operations).await;
    let unanswered = Unanswered::new(recorder.clone(), asked, notes.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    count(&response, &notes);
    match unanswered.answered(&mut response).await {
        Ok(()) => response,
        Err(problem) => problem.into_response(),
    }
}

/// Counts the requests of known callers.
fn count(response: &Response, notes: &Notes) {
    if notes.accessor().is_none() {
        return;
    }
    let outcome = match response.status().as_u16() {
        200..=399 => "granted",
        401 | 403 => "refused",
        _ => "failed",
    };
    metrics::counter!("audit_api_accesses_total", "outcome" => outcome).increment(1);
}
