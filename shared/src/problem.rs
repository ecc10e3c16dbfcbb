//! Errors of the HTTP API: `application/problem+json` (RFC 9457) from one closed list.

use serde::Serialize;
use serde::ser::SerializeStruct;

/// The closed list of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProblemType {
    /// A parameter or the body breaks a rule.
    InvalidRequest,
    /// The cursor is none of ours.
    InvalidCursor,
    /// The cursor belongs to another filter or order.
    CursorMismatch,
    /// No token, or a bad one.
    Unauthorized,
    /// The token's role or scope does not allow it.
    Forbidden,
    /// Nothing there, or nothing that the caller may see.
    NotFound,
    /// The path exists, with other methods.
    MethodNotAllowed,
    /// No representation that the caller accepts.
    NotAcceptable,
    /// The request took too long to arrive.
    RequestTimeout,
    /// Aggregates of several organisations have this type and id.
    AmbiguousAggregate,
    /// A request with the same `Idempotency-Key` is still worked on.
    RequestInProgress,
    /// An event of this id, with other content, is stored already.
    EventIdConflict,
    /// The job is in a state in which this cannot be done.
    JobState,
    /// The body is over the limit.
    PayloadTooLarge,
    /// The request's address is over the limit.
    UriTooLong,
    /// The body's content type is not read here.
    UnsupportedMediaType,
    /// The aggregate has more events, or more state, than is folded (semantics.md 10).
    AggregateTooLarge,
    /// The query would read too much; the detail names the remedy.
    QueryTooBroad,
    /// Events in the body break rules; none was taken.
    InvalidEvents,
    /// The `Idempotency-Key` was used with another body.
    IdempotencyKeyReused,
    /// The original record was too large to be kept, so it cannot be sent again.
    RecordNotKept,
    /// The caller's rate limit.
    TooManyRequests,
    /// The request's headers are over the limit.
    RequestHeaderFieldsTooLarge,
    /// A defect here.
    Internal,
    /// Not built yet; the detail says what works instead.
    NotImplemented,
    /// The access could not be recorded in the trail, so no data are given.
    AuditUnavailable,
    /// A part this depends on is away; try again.
    Unavailable,
}

impl ProblemType {
    /// Every problem, by status.
    pub const ALL: [Self; 27] = [
        Self::InvalidRequest,
        Self::InvalidCursor,
        Self::CursorMismatch,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::RequestTimeout,
        Self::AmbiguousAggregate,
        Self::RequestInProgress,
        Self::EventIdConflict,
        Self::JobState,
        Self::PayloadTooLarge,
        Self::UriTooLong,
        Self::UnsupportedMediaType,
        Self::AggregateTooLarge,
        Self::QueryTooBroad,
        Self::InvalidEvents,
        Self::IdempotencyKeyReused,
        Self::RecordNotKept,
        Self::TooManyRequests,
        Self::RequestHeaderFieldsTooLarge,
        Self::Internal,
        Self::NotImplemented,
        Self::AuditUnavailable,
        Self::Unavailable,
    ];

    fn row(self) -> (&'static str, &'static str, u16) {
        match self {
            Self::InvalidRequest => ("invalid-request", "The request is invalid", 400),
            Self::InvalidCursor => ("invalid-cursor", "The cursor is invalid", 400),
            Self::CursorMismatch => ("cursor-mismatch", "The cursor belongs to another request", 400),
            Self::Unauthorized => ("unauthorized", "A valid token is needed", 401),
            Self::Forbidden => ("forbidden", "Not allowed", 403),
            Self::NotFound => ("not-found", "Not found", 404),
            Self::MethodNotAllowed => ("method-not-allowed", "Method not allowed", 405),
            Self::NotAcceptable => ("not-acceptable", "No acceptable representation", 406),
            Self::RequestTimeout => ("request-timeout", "The request took too long", 408),
            Self::AmbiguousAggregate => {
                ("ambiguous-aggregate", "Several organisations have this aggregate", 409)
            }
            Self::RequestInProgress => ("request-in-progress", "The same request is still worked on", 409),
            Self::EventIdConflict => ("event-id-conflict", "Another event has this id", 409),
            Self::JobState => ("job-state", "The job's state does not allow this", 409),
            Self::PayloadTooLarge => ("payload-too-large", "The body is too large", 413),
            Self::UriTooLong => ("uri-too-long", "The address is too long", 414),
            Self::UnsupportedMediaType => ("unsupported-media-type", "Unsupported media type", 415),
            Self::AggregateTooLarge => ("aggregate-too-large", "The aggregate is too large", 422),
            Self::QueryTooBroad => ("query-too-broad", "The query is too broad", 422),
            Self::InvalidEvents => ("invalid-events", "Events break rules; none was taken", 422),
            Self::IdempotencyKeyReused => {
                ("idempotency-key-reused", "The Idempotency-Key belongs to another body", 422)
            }
            Self::RecordNotKept => ("record-not-kept", "The original record was not kept", 422),
            Self::TooManyRequests => ("too-many-requests", "Too many requests", 429),
            Self::RequestHeaderFieldsTooLarge => {
                ("request-header-fields-too-large", "The request's headers are too large", 431)
            }
            Self::Internal => ("internal", "Internal error", 500),
            Self::NotImplemented => ("not-implemented", "Not available yet", 501),
            Self::AuditUnavailable => ("audit-unavailable", "The access cannot be recorded now", 503),
            Self::Unavailable => ("unavailable", "Temporarily unavailable", 503),
        }
    }

    /// The short name; the end of the type's URI.
    pub fn slug(self) -> &'static str {
        self.row().0
    }

    /// The same sentence for every problem of this type.
    pub fn title(self) -> &'static str {
        self.row().1
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        self.row().2
    }

    /// The type's URI: `urn:audit-trail:problem:<slug>`.
    pub fn uri(self) -> String {
        format!("urn:audit-trail:problem:{}", self.slug())
    }
}

/// One part of a request that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemError {
    /// The query parameter, path parameter or header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// A JSON Pointer into the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What is wrong and what would be right.
    pub detail: String,
}

/// A problem; serialised as the members of RFC 9457, the empty ones left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which of the closed list.
    pub kind: ProblemType,
    /// What happened this time, with the remedy.
    pub detail: String,
    /// The path of the request.
    pub instance: Option<String>,
    /// The parts that are wrong, when there are several or one can be named.
    pub errors: Vec<ProblemError>,
}

impl Problem {
    /// A problem without instance and parts.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), instance: None, errors: Vec::new() }
    }

    /// An invalid request, with the parameter at fault.
    pub fn invalid_parameter(parameter: impl Into<String>, detail: impl Into<String>) -> Self {
        let (parameter, detail) = (parameter.into(), detail.into());
        Self {
            kind: ProblemType::InvalidRequest,
            detail: format!("{parameter}: {detail}"),
            instance: None,
            errors: vec![ProblemError { parameter: Some(parameter), pointer: None, detail }],
        }
    }
}

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("Problem", 6)?;
        members.serialize_field("type", &self.kind.uri())?;
        members.serialize_field("title", self.kind.title())?;
        members.serialize_field("status", &self.kind.status())?;
        members.serialize_field("detail", &self.detail)?;
        if let Some(instance) = &self.instance {
            members.serialize_field("instance", instance)?;
        }
        if !self.errors.is_empty() {
            members.serialize_field("errors", &self.errors)?;
        }
        members.end()
    }
}
