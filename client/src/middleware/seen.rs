//! What is seen of a request, and the event that it becomes.

use std::{net::IpAddr, time::Duration};

use http::{HeaderMap, Request, StatusCode, header};
use serde::Serialize;
use shared::{envelope::MAX_NAME_CHARACTERS, refusal::Refusal, timestamp::Timestamp};

use super::{Identity, PeerAddress, Rules};
use crate::{AuditEvent, Mint, trace::TraceHeaders};

const EVENT_TYPE: &str = "HttpRequest";
/// Limits of metadata values in bytes (semantics.md 1).
const MAX_VALUE: usize = 2048;
const MAX_INDEXED: usize = 1024;
const MAX_ORGANIZATION: usize = 255;

/// A request before its handler has it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    started: Timestamp,
    method: String,
    path: String,
    route: Option<String>,
    address: Option<IpAddr>,
    user_agent: Option<String>,
    correlation: Option<String>,
    identity: Identity,
    trace: TraceHeaders,
}

/// How a request ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Ending {
    /// The response's status; none = there was no response.
    pub(super) status: Option<StatusCode>,
    /// Who it was, when only the response says so.
    pub(super) identity: Option<Identity>,
    /// From the request to the head of the response.
    pub(super) took: Duration,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    success: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    aborted: bool,
    started_at: Timestamp,
    duration_ms: f64,
    service: &'a str,
}

impl Seen {
    /// Looks at a request; `None` when it is not to be recorded.
    pub(super) fn of<B>(request: &Request<B>, rules: &Rules, now: Timestamp) -> Option<Self> {
        if (rules.except)(request.method(), request.uri().path()) {
            return None;
        }
        let headers = request.headers();
        let trace = TraceHeaders::current()
            .or(|| TraceHeaders::of_caller(text(headers, "traceparent"), text(headers, "tracestate")));
        let correlation = text(headers, "x-correlation-id").or_else(|| text(headers, "x-request-id"));
        Some(Self {
            started: now,
            method: request.method().as_str().to_owned(),
            path: request.uri().path().to_owned(),
            route: route(request),
            address: peer(request).map(|peer| rules.proxies.client(peer, headers)),
            user_agent: text(headers, header::USER_AGENT.as_str()).map(str::to_owned),
            correlation: correlation.or_else(|| trace.trace_id()).map(str::to_owned),
            identity: request.extensions().get::<Identity>().cloned().unwrap_or_default(),
            trace,
        })
    }

    /// About how many bytes its event will have.
    pub(super) fn bytes(&self) -> usize {
        let optional = [&self.route, &self.user_agent, &self.correlation, &self.identity.user];
        let texts: usize = optional.into_iter().flatten().map(String::len).sum();
        1024 + 2 * (self.method.len() + self.path.len() + texts)
    }

    /// The trace that the request belongs to.
    pub(super) fn trace(&self) -> TraceHeaders {
        self.trace.clone()
    }

    /// The event. Whatever a caller sends, it breaks no rule: too long is cut, what cannot be kept is left out; or
    /// callers could choose not to be recorded.
    pub(super) fn event(&self, ending: &Ending, rules: &Rules, mint: &Mint) -> Result<AuditEvent, Refusal> {
        let given = ending.identity.as_ref();
        let user = given.and_then(|identity| identity.user.as_ref()).or(self.identity.user.as_ref());
        let organization = given
            .and_then(|identity| identity.organization.as_ref())
            .or(self.identity.organization.as_ref())
            .or(rules.organization.as_ref());
        let success = ending.status.is_some_and(|status| status.as_u16() < 400);
        let payload = Payload {
            method: &self.method,
            path: &self.path,
            route: self.route.as_deref(),
            status: ending.status.map(|status| status.as_u16()),
            success,
            aborted: ending.status.is_none(),
            started_at: self.started,
            duration_ms: ending.took.as_secs_f64() * 1000.0,
            service: &rules.service,
        };
        let (kind, id) = match user.filter(|user| is_name(user)) {
            Some(user) => ("User", user.as_str()),
            None => ("Service", rules.service.as_str()),
        };
        let action = format!("{} {}", self.method, self.route.as_ref().unwrap_or(&self.path));
        let mut event = AuditEvent::named(EVENT_TYPE)
            .of(kind, id)
            .at(self.started)
            .payload(&payload)
            .source(&rules.service)
            .metadata("action", fit(&action, MAX_INDEXED))
            .metadata("outcome", if success { "success" } else { "failure" });
        // An organisation is never cut: it would be another one.
        if let Some(organization) = organization.filter(|organization| is_organization(organization)) {
            event = event.organization(organization);
        }
        let optional = [
            ("userId", user.map(|user| fit(user, MAX_INDEXED))),
            ("ipAddress", self.address.map(|address| address.to_string())),
            ("userAgent", self.user_agent.as_deref().map(|agent| fit(agent, MAX_VALUE))),
            ("correlationId", self.correlation.as_deref().map(|id| fit(id, MAX_INDEXED))),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                event = event.metadata(key, value);
            }
        }
        event.build(mint)
    }
}

/// A service's name as an aggregate's id: cut, without control characters, never empty.
pub(super) fn name(text: &str) -> String {
    let name: String = text.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARACTERS).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= MAX_NAME_CHARACTERS && !text.chars().any(char::is_control)
}

fn is_organization(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ORGANIZATION && !text.contains('\0')
}

/// A metadata value of at most so many bytes.
fn fit(text: &str, bytes: usize) -> String {
    let mut fitted = text.replace('\0', "\u{FFFD}");
    fitted.truncate(fitted.floor_char_boundary(bytes));
    fitted
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
}

#[cfg(feature = "axum")]
fn route<B>(request: &Request<B>) -> Option<String> {
    let matched = request.extensions().get::<axum::extract::MatchedPath>()?;
    Some(matched.as_str().to_owned())
}

#[cfg(not(feature = "axum"))]
fn route<B>(_request: &Request<B>) -> Option<String> {
    None
}

fn peer<B>(request: &Request<B>) -> Option<IpAddr> {
    #[cfg(feature = "axum")]
    if let Some(info) = request.extensions().get::<axum::extract::ConnectInfo<std::net::SocketAddr>>() {
        return Some(info.0.ip());
    }
    request.extensions().get::<PeerAddress>().map(|peer| peer.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use shared::clock::ManualClock;
    use uuid::Uuid;

    use super::*;
    use crate::middleware::TrustedProxies;

    fn noon() -> Timestamp {
        Timestamp::parse("2026-11-21T12:00:00Z").expect("a time")
    }

    fn mint() -> Mint {
        Mint::new(ManualClock::at(noon()), || Uuid::from_u128(7))
    }

    fn rules() -> Rules {
        Rules {
            service: "shop".to_owned(),
            organization: Some("demo".to_owned()),
            proxies: TrustedProxies::none(),
            except: |_, path| path == "/health",
        }
    }

    fn event<B>(request: &Request<B>, ending: &Ending) -> AuditEvent {
        let seen = Seen::of(request, &rules(), noon()).expect("recorded");
        seen.event(ending, &rules(), &mint()).expect("valid")
    }

    fn json_of(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn everything_that_was_asked_for_is_in_the_event() {
        let request = Request::builder()
            .method("PUT")
            .uri("/orders/4711?token=secret")
            .header("user-agent", "curl/8")
            .header("x-request-id", "r-1")
            .extension(Identity { user: Some("ana".to_owned()), organization: None })
            .extension(PeerAddress("203.0.113.9".parse().expect("an address")))
            .body(())
            .expect("a request");
        let took = Duration::from_micros(1500);
        let event = event(&request, &Ending { status: Some(StatusCode::NOT_FOUND), identity: None, took });
        assert_eq!(
            (event.event_type(), event.aggregate_type(), event.aggregate_id()),
            ("HttpRequest", "User", "ana")
        );
        assert_eq!((event.timestamp(), event.version()), (noon(), 0));
        assert_eq!(
            json_of(event.payload()),
            json!({"method": "PUT", "path": "/orders/4711", "status": 404, "success": false,
                "startedAt": "2026-11-21T12:00:00.000000Z", "durationMs": 1.5, "service": "shop"})
        );
        assert_eq!(
            json!(event.metadata()),
            json!({"action": "PUT /orders/4711", "outcome": "failure", "userId": "ana", "organizationId": "demo",
                "source": "shop", "ipAddress": "203.0.113.9", "userAgent": "curl/8", "correlationId": "r-1"})
        );
    }

    #[test]
    fn success_is_a_status_below_400() {
        let request = Request::get("/").body(()).expect("a request");
        for (status, success) in [(200, true), (304, true), (399, true), (400, false), (503, false)] {
            let status = StatusCode::from_u16(status).ok();
            let event = event(&request, &Ending { status, ..Ending::default() });
            assert_eq!(json_of(event.payload())["success"], success, "{status:?}");
        }
        let aborted = json_of(event(&request, &Ending::default()).payload());
        assert_eq!((&aborted["aborted"], &aborted["success"]), (&json!(true), &json!(false)));
    }

    #[test]
    fn the_responses_identity_wins_and_without_any_the_service_is_the_aggregate() {
        let request = Request::get("/").body(()).expect("a request");
        let anonymous = event(&request, &Ending::default());
        assert_eq!((anonymous.aggregate_type(), anonymous.aggregate_id()), ("Service", "shop"));
        let identity = Identity { user: Some("bob".to_owned()), organization: Some("acme".to_owned()) };
        let known = event(&request, &Ending { identity: Some(identity), ..Ending::default() });
        assert_eq!((known.aggregate_type(), known.aggregate_id()), ("User", "bob"));
        assert_eq!(known.metadata()["organizationId"], "acme");
    }

    #[test]
    fn exceptions_are_not_recorded_and_a_callers_trace_is_passed_on() {
        let probe = Request::get("/health").body(()).expect("a request");
        assert!(Seen::of(&probe, &rules(), noon()).is_none());
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let request = Request::get("/").header("traceparent", parent).body(()).expect("a request");
        let seen = Seen::of(&request, &rules(), noon()).expect("recorded");
        assert_eq!(seen.trace().into_headers()[0].1.as_deref(), Some(parent.as_bytes()));
        assert_eq!(seen.correlation.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    }

    proptest! {
        /// Nobody gets around being recorded by what he sends.
        #[test]
        fn any_request_becomes_an_event(
            method in "[A-Z!#$%&'*+.^_`|~-]{1,1200}",
            path in "/[ -~&&[^?# <>`{}\"\\\\^]]{0,3000}",
            agent in proptest::option::of(prop::collection::vec(any::<u8>(), 0..5000)),
            request_id in proptest::option::of("[ -~]{1,3000}"),
            user in proptest::option::of(any::<String>().prop_map(|text| text.repeat(20))),
            organization in proptest::option::of(any::<String>().prop_map(|text| text.repeat(9))),
            status in proptest::option::of(100..1000_u16),
        ) {
            let mut request = Request::builder().method(method.as_str()).uri(&path);
            if let Some(value) = agent.and_then(|bytes| http::HeaderValue::from_bytes(&bytes).ok()) {
                request = request.header("user-agent", value);
            }
            if let Some(id) = request_id {
                request = request.header("x-request-id", id);
            }
            let request = request.extension(Identity { user, organization }).body(());
            prop_assume!(request.is_ok());
            let request = request.expect("assumed");
            let ending = Ending {
                status: status.and_then(|status| StatusCode::from_u16(status).ok()),
                ..Ending::default()
            };
            let seen = Seen::of(&request, &rules(), noon()).expect("recorded");
            let event = seen.event(&ending, &rules(), &mint());
            prop_assert!(event.is_ok(), "{:?}", event);
        }
    }
}
