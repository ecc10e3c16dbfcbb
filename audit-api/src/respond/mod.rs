//! From rows to answers: a page, a stream of lines, a stream of events, a problem.

mod frames;
pub mod ndjson;
pub mod page;
mod problem;
pub mod sse;
mod stream;

pub use frames::{Frames, Gone};
pub use problem::{Problem, ProblemDocument};
pub use stream::{Out, REPLAY_LIMITS, Stop, Streaming, TAIL_LIMITS, Writer};

use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
};

/// An answer with data: no cache may keep it (semantics.md 12).
pub fn data(media_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}
