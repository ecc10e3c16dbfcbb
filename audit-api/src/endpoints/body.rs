//! Small JSON bodies, in and out.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, Response, header},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{Serialize, de::DeserializeOwned};
use shared::problem::ProblemType;

use crate::respond::{Problem, data, page::Rows};

/// Reads a JSON body of at most so many bytes, within this time.
pub(super) async fn receive(
    headers: &HeaderMap,
    body: Body,
    most: usize,
    time: Duration,
) -> Result<Bytes, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(ProblemType::UnsupportedMediaType, "send Content-Type: application/json"));
    }
    let reading = Limited::new(body, most).collect();
    match tokio::time::timeout(time, reading).await {
        Ok(Ok(read)) => Ok(read.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("the body is larger than {most} bytes");
            Err(Problem::new(ProblemType::PayloadTooLarge, detail))
        }
        Ok(Err(_)) => Err(Problem::request("the body broke off")),
        Err(_) => {
            Err(Problem::new(ProblemType::RequestTimeout, "the body took too long to arrive: send it again"))
        }
    }
}

/// The body as what the address takes; serde's words name the member, and hold nothing of its value but a short word.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let words: String = error.to_string().chars().take(200).collect();
        Problem::request(format!("the body cannot be read: {words}"))
    })
}

/// One member is wrong.
pub(super) fn wrong(pointer: &str, detail: &str) -> Problem {
    Problem::request(format!("{pointer} {detail}"))
}

/// An answer of one document that shows so many things.
pub(super) fn json(body: &impl Serialize, rows: usize) -> Response<Body> {
    let body = serde_json::to_vec(body).expect("answers are plain data with texts as keys");
    let mut response = data("application/json", body);
    response.extensions_mut().insert(Rows(rows as u64));
    response
}
