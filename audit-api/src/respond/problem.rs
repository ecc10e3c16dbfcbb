//! `application/problem+json` (RFC 9457), from the closed list of `shared::problem`.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use shared::{
    cursor::CursorError,
    problem::{Problem as Members, ProblemError, ProblemType},
};
use store::StoreError;
use utoipa::ToSchema;

use crate::auth::{AuthError, Forbidden};

/// A refusal or a failure, as the caller gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    members: Box<Members>,
    /// Seconds after which another try makes sense.
    retry_after: Option<u64>,
    challenge: Option<&'static str>,
}

/// The members of a problem (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct ProblemDocument {
    /// `urn:audit-trail:problem:<slug>`
    #[schema(example = "urn:audit-trail:problem:query-too-broad")]
    r#type: String,
    /// The same sentence for every problem of this type.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened this time, with the remedy.
    detail: String,
    /// The path of the request.
    #[schema(required = false)]
    instance: Option<String>,
    /// The parts of the request that are wrong.
    #[schema(required = false)]
    errors: Option<Vec<ProblemPart>>,
}

/// One part of a request that is wrong.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub(super) struct ProblemPart {
    /// The query parameter, path parameter or header.
    #[schema(required = false)]
    parameter: Option<String>,
    /// A JSON Pointer into the body.
    #[schema(required = false)]
    pointer: Option<String>,
    /// What is wrong and what would be right.
    detail: String,
}

/// How long a caller should wait before another try, in seconds.
const RETRY_AFTER: u64 = 1;

impl Problem {
    /// A problem of this type.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self::of(Members::new(kind, detail))
    }

    fn of(members: Members) -> Self {
        let passes = matches!(
            members.kind,
            ProblemType::Unavailable | ProblemType::AuditUnavailable | ProblemType::TooManyRequests
        );
        Self { members: Box::new(members), retry_after: passes.then_some(RETRY_AFTER), challenge: None }
    }

    /// The request as a whole is wrong.
    pub fn request(detail: impl Into<String>) -> Self {
        Self::new(ProblemType::InvalidRequest, detail)
    }

    /// One parameter is wrong; `detail` goes on after its name.
    pub fn parameter(name: &str, detail: &str) -> Self {
        Self::of(named(ProblemType::InvalidRequest, name, detail))
    }

    /// One header is wrong; `detail` goes on after its name.
    pub fn header(name: &str, detail: &str) -> Self {
        Self::parameter(name, detail)
    }

    /// The cursor is none of ours.
    pub fn invalid_cursor() -> Self {
        Self::of(named(
            ProblemType::InvalidCursor,
            "cursor",
            "is not a cursor: send page.nextCursor as it came",
        ))
    }

    /// The cursor belongs to another request.
    pub fn cursor_mismatch() -> Self {
        let detail = "belongs to another request: repeat the filter, sort and order that it came from, or leave it out";
        Self::of(named(ProblemType::CursorMismatch, "cursor", detail))
    }

    /// The query would read too much; the detail names the remedy.
    pub fn query_too_broad(detail: impl Into<String>) -> Self {
        Self::new(ProblemType::QueryTooBroad, detail)
    }

    /// No representation that the caller accepts.
    pub fn not_acceptable(detail: impl Into<String>) -> Self {
        Self::new(ProblemType::NotAcceptable, detail)
    }

    /// Nothing there, or nothing that the caller may see: the two look the same.
    pub fn not_found(what: &str) -> Self {
        Self::new(ProblemType::NotFound, format!("no {what} that you may see"))
    }

    /// Several parts of the body are wrong: a JSON Pointer into it, and what is wrong there.
    pub fn in_body(
        kind: ProblemType,
        detail: impl Into<String>,
        parts: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut members = Members::new(kind, detail);
        let part = |(pointer, detail)| ProblemError { parameter: None, pointer: Some(pointer), detail };
        members.errors = parts.into_iter().map(part).collect();
        Self::of(members)
    }

    /// The same, with the seconds after which another try makes sense.
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Something that this depends on is away.
    pub fn unavailable(detail: &str) -> Self {
        Self::new(ProblemType::Unavailable, detail)
    }

    /// Somebody would write, and this API was not given what that needs.
    pub fn only_reads() -> Self {
        Self::unavailable("this API only reads: it has no kafka.bootstrap_servers or no registry.url")
    }

    /// The access cannot be recorded, so nothing is answered (semantics.md 12).
    pub fn access_unrecorded() -> Self {
        let detail = "no answer is given without its record, which Kafka does not take now: try again (what was written may be there already)";
        Self::new(ProblemType::AuditUnavailable, detail)
    }

    /// A defect here; the log has the cause under the request's id.
    pub fn internal() -> Self {
        Self::new(
            ProblemType::Internal,
            "a defect here: the log names the cause under this answer's X-Request-Id",
        )
    }

    /// The type.
    pub fn kind(&self) -> ProblemType {
        self.members.kind
    }

    /// What happened this time.
    pub fn detail(&self) -> &str {
        &self.members.detail
    }
}

fn named(kind: ProblemType, name: &str, detail: &str) -> Members {
    let mut members = Members::new(kind, format!("{name} {detail}"));
    members.errors =
        vec![ProblemError { parameter: Some(name.to_owned()), pointer: None, detail: detail.to_owned() }];
    members
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let body = serde_json::to_vec(&*self.members).expect("a problem is plain text and numbers");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.members.kind.status()).expect("the closed list holds valid statuses");
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response.extensions_mut().insert(self.members.kind);
        response
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        if error == AuthError::KeysUnavailable {
            return Self::unavailable("the public keys that check tokens cannot be fetched now");
        }
        // RFC 6750, 3.1: without credentials there is no error code. The body is the same for every refusal.
        let challenge = match error {
            AuthError::Missing => "Bearer realm=\"audit-api\"",
            _ => "Bearer realm=\"audit-api\", error=\"invalid_token\"",
        };
        let detail =
            "send one header `Authorization: Bearer <token>` with a token that is valid here and now";
        Self { challenge: Some(challenge), ..Self::new(ProblemType::Unauthorized, detail) }
    }
}

impl From<Forbidden> for Problem {
    fn from(error: Forbidden) -> Self {
        Self::new(ProblemType::Forbidden, error.to_string())
    }
}

impl From<CursorError> for Problem {
    fn from(error: CursorError) -> Self {
        match error {
            CursorError::Malformed => Self::invalid_cursor(),
            CursorError::Mismatch => Self::cursor_mismatch(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Timeout => Self::query_too_broad(
                "the query took longer than it may: add filters that have an index (an aggregate, userId, correlationId, eventType), or a shorter range of from and to",
            ),
            StoreError::Unavailable(_) | StoreError::Conflict(_) | StoreError::UnknownSchema { .. } => {
                tracing::warn!(%error, "the database cannot answer");
                Self::unavailable("the database cannot answer now")
            }
            StoreError::Corrupt { .. } | StoreError::Refused(_) | StoreError::Database(_) => {
                tracing::error!(%error, "a read failed");
                Self::internal()
            }
        }
    }
}
