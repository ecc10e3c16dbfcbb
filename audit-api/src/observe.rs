//! What every request leaves behind: an id, a span, a log line, a duration. Never a query string and never a token:
//! both hold the names of people.

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use opentelemetry::{propagation::Extractor, trace::TraceContextExt as _};
use shared::problem::ProblemType;
use tokio::time::Instant;
use tracing::{Instrument as _, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;

use crate::respond::page::Rows;

/// The header of request ids.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request id that is taken from a caller.
const LONGEST_ID: usize = 128;
/// The route of what matches none.
const NO_ROUTE: &str = "(none)";

/// The request's id, for what is inside.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// The outermost layer.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = method_name(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let span = span(&request, method, &route);
    let id = request_id(request.headers(), &span);
    let text = id.to_str().unwrap_or_default();
    span.record("request_id", text);
    request.extensions_mut().insert(RequestId(text.to_owned()));
    let mut response = next.run(request).instrument(span.clone()).await;
    let seconds = started.elapsed().as_secs_f64();
    let status = response.status();
    response.headers_mut().insert(REQUEST_ID, id);
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));

    let problem = response.extensions().get::<ProblemType>().map(|kind| kind.slug());
    let rows = response.extensions().get::<Rows>().map(|rows| rows.0);
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let labels =
        [("method", method.to_owned()), ("route", route.clone()), ("status", status.as_u16().to_string())];
    metrics::histogram!("http_server_request_duration_seconds", &labels).record(seconds);
    if is_noise(&route) {
        return response;
    }
    span.in_scope(|| {
        tracing::info!(method, route, status = status.as_u16(), seconds, rows, problem, "request");
    });
    response
}

/// Probes and scrapes would fill the log.
fn is_noise(route: &str) -> bool {
    route.starts_with("/health") || route == "/metrics"
}

/// A span by the semantic conventions, a child of the caller's `traceparent`. `url.path` is left out: an aggregate's
/// id may be a person's.
fn span(request: &Request, method: &'static str, route: &str) -> Span {
    let span = tracing::info_span!(
        "http",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        request_id = field::Empty,
    );
    let parent = opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.extract(&Headers(request.headers()))
    });
    // An error only says that no trace layer is installed.
    let _ = span.set_parent(parent);
    span
}

/// The caller's id when it is valid, else the trace's id, else a new one.
fn request_id(headers: &HeaderMap, span: &Span) -> HeaderValue {
    if let Some(given) = headers.get(REQUEST_ID).filter(|given| is_valid(given.as_bytes())) {
        return given.clone();
    }
    let context = span.context();
    let context = context.span().span_context().clone();
    let id = if context.is_valid() {
        context.trace_id().to_string()
    } else {
        trace_id_of(headers).unwrap_or_else(new_id)
    };
    HeaderValue::try_from(id).expect("hexadecimal digits")
}

fn is_valid(id: &[u8]) -> bool {
    (1..=LONGEST_ID).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// The trace id of the caller's `traceparent`, for when no trace layer is installed.
fn trace_id_of(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("traceparent")?.to_str().ok()?.split('-').nth(1)?;
    let valid = id.len() == 32
        && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && id.bytes().any(|byte| byte != b'0');
    valid.then(|| id.to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the one place that mints request ids")]
fn new_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The method as a label: callers can make up any number of methods.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_request_ids_are_taken() {
        for good in ["a", "A-1_2.3", &"x".repeat(128)] {
            assert!(is_valid(good.as_bytes()), "{good}");
        }
        for bad in ["", "a b", "a\"b", "ä", &"x".repeat(129), "a;b", "a/b"] {
            assert!(!is_valid(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn without_an_id_the_trace_names_the_request() {
        let mut headers = HeaderMap::new();
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        headers.insert(
            "traceparent",
            HeaderValue::try_from(format!("00-{trace}-00f067aa0ba902b7-01")).expect("a header"),
        );
        assert_eq!(request_id(&headers, &Span::none()), trace);
        headers.insert(REQUEST_ID, HeaderValue::from_static("mine"));
        assert_eq!(request_id(&headers, &Span::none()), "mine");
        headers.insert(REQUEST_ID, HeaderValue::from_static("not mine"));
        assert_eq!(request_id(&headers, &Span::none()), trace);
        assert_eq!(request_id(&HeaderMap::new(), &Span::none()).len(), 32);
    }
}
