//! What a request may be at all, before anybody reads it: host, sizes, how many at once, how long.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Version, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use shared::problem::ProblemType;
use tokio::sync::Semaphore;

use crate::respond::Problem;

/// The longest path and query, in bytes.
const LONGEST_URI: usize = 16 * 1024;
/// The most that all headers may take, names and values, in bytes.
const LARGEST_HEADERS: usize = 48 * 1024;

/// The bounds of requests.
#[derive(Clone)]
pub struct Limits {
    concurrent: Arc<Semaphore>,
    max_body_bytes: u64,
    timeout: std::time::Duration,
}

impl Limits {
    /// Takes the bounds from the configuration.
    pub fn new(settings: &service::config::ApiSettings) -> Self {
        Self {
            concurrent: Arc::new(Semaphore::new(settings.max_concurrent_requests)),
            max_body_bytes: settings.max_body_bytes as u64,
            timeout: settings.request_timeout,
        }
    }
}

/// The layer that refuses what is over a bound.
pub async fn check(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    if let Err(problem) = admissible(&request, limits.max_body_bytes) {
        return problem.into_response();
    }
    let Ok(_permit) = limits.concurrent.try_acquire() else {
        metrics::counter!("audit_api_requests_shed_total").increment(1);
        return Problem::unavailable("too many requests at once: try again").into_response();
    };
    match tokio::time::timeout(limits.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::unavailable("the answer took too long: try again, or ask for less").into_response()
        }
    }
}

fn admissible(request: &Request, max_body_bytes: u64) -> Result<(), Problem> {
    let headers = request.headers();
    check_host(headers, request.version())?;
    if request.uri().path_and_query().is_some_and(|path| path.as_str().len() > LONGEST_URI) {
        let detail = format!("path and query are longer than {LONGEST_URI} bytes: give fewer filters");
        return Err(Problem::new(ProblemType::UriTooLong, detail));
    }
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > LARGEST_HEADERS {
        let detail = format!("the headers are larger than {LARGEST_HEADERS} bytes together");
        return Err(Problem::new(ProblemType::RequestHeaderFieldsTooLarge, detail));
    }
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > max_body_bytes) {
        let detail = format!("the body is larger than {max_body_bytes} bytes");
        return Err(Problem::new(ProblemType::PayloadTooLarge, detail));
    }
    Ok(())
}

/// RFC 9112, 3.2: exactly one `Host` in HTTP/1.1; hyper and axum leave that to us. HTTP/2 has `:authority` instead.
fn check_host(headers: &HeaderMap, version: Version) -> Result<(), Problem> {
    let hosts: Vec<_> = headers.get_all(header::HOST).iter().collect();
    let acceptable = match hosts.as_slice() {
        [] => version != Version::HTTP_11,
        [one] => one.to_str().is_ok_and(|host| {
            let allowed = |byte: u8| {
                byte.is_ascii_graphic()
                    && !matches!(byte, b'/' | b'@' | b',' | b'?' | b'#' | b'\\' | b'"' | b'<' | b'>')
            };
            host.bytes().all(allowed)
        }),
        _ => false,
    };
    if acceptable {
        Ok(())
    } else {
        Err(Problem::header("Host", "is missing, doubled or malformed: send it once, as host or host:port"))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn hosts(values: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::HOST, HeaderValue::from_static(value));
        }
        check_host(&headers, Version::HTTP_11).is_ok()
    }

    #[test]
    fn exactly_one_host() {
        assert!(hosts(&["localhost:8080"]) && hosts(&["[::1]:80"]) && hosts(&["audit.example"]));
        assert!(
            !hosts(&[]) && !hosts(&["a", "a"]) && !hosts(&["a/b"]) && !hosts(&["a, b"]) && !hosts(&["u@a"])
        );
        assert!(check_host(&HeaderMap::new(), Version::HTTP_2).is_ok());
    }
}
