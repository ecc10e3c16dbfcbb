//! What each operation of the OpenAPI document gives, and what each of its parameters says: what is not here fails the test.

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// Nothing of any organisation, without a token.
    Open,
    /// A file, by a link that is signed.
    Link,
    /// Rows: what does not exist for the caller gives none.
    List,
    /// Something that the path names: 404 where it does not exist for the caller.
    One,
    /// Rules and counts of the product itself, for everybody who reads.
    Numbers,
    /// What became of a Kafka record.
    Record,
    /// Dead letters, whose organisation nobody knows.
    Letters,
    /// One of them.
    Letter,
    /// That a dead letter is sent again.
    Redrive,
    /// That events are stored.
    Submit,
    /// That a security event is settled.
    Settle,
    /// That a list is written to a file.
    Export,
    /// Replay jobs.
    Jobs,
    /// One of them.
    Job,
    /// That stored events are sent to a topic.
    Replay,
    /// That a replay job stops, goes on, or ends.
    Steer,
}

/// Every operation.
const OPERATIONS: &[(&str, Asks)] = &[
    ("GET /health/live", Asks::Open),
    ("GET /health/ready", Asks::Open),
    ("GET /metrics", Asks::Open),
    ("GET /audit/exports/{name}", Asks::Link),
    ("GET /v1/events", Asks::List),
    ("POST /v1/events", Asks::Submit),
    ("GET /v1/events/{eventId}", Asks::One),
    ("GET /v1/events/{eventId}/causation", Asks::One),
    ("GET /v1/correlations/{correlationId}/causation", Asks::One),
    ("GET /v1/event-types", Asks::List),
    ("GET /v1/stats", Asks::List),
    ("GET /v1/accesses", Asks::List),
    ("GET /v1/aggregates", Asks::List),
    ("GET /v1/aggregates/{type}/{id}", Asks::One),
    ("GET /v1/aggregates/{type}/{id}/diff", Asks::One),
    ("GET /v1/aggregates/{type}/{id}/events", Asks::One),
    ("GET /v1/aggregates/{type}/{id}/replay", Asks::One),
    ("GET /v1/replay", Asks::List),
    ("GET /v1/stream", Asks::List),
    ("GET /v1/replays", Asks::Jobs),
    ("POST /v1/replays", Asks::Replay),
    ("GET /v1/replays/{id}", Asks::Job),
    ("DELETE /v1/replays/{id}", Asks::Steer),
    ("POST /v1/replays/{id}/pause", Asks::Steer),
    ("POST /v1/replays/{id}/resume", Asks::Steer),
    ("GET /v1/ledger/records/{topic}/{partition}/{offset}", Asks::Record),
    ("GET /v1/dead-letters", Asks::Letters),
    ("GET /v1/dead-letters/{id}", Asks::Letter),
    ("POST /v1/dead-letters/{id}/redrive", Asks::Redrive),
    ("GET /logs", Asks::List),
    ("GET /audit/logs", Asks::List),
    ("GET /audit/logs/{id}", Asks::One),
    ("GET /audit/reports/{userId}", Asks::List),
    ("GET /audit/security-events", Asks::List),
    ("POST /audit/export", Asks::Export),
    ("GET /api/audit", Asks::List),
    ("POST /api/audit", Asks::Submit),
    ("GET /api/audit/entity/{type}/{id}", Asks::List),
    ("GET /api/audit/user/{userId}", Asks::List),
    ("GET /api/audit/search", Asks::List),
    ("GET /api/audit/security", Asks::List),
    ("POST /api/audit/security", Asks::Submit),
    ("GET /api/audit/security/unresolved", Asks::List),
    ("PUT /api/audit/security/{id}/resolve", Asks::Settle),
    ("POST /api/audit/data-access", Asks::Submit),
    ("GET /api/audit/data-access/user/{userId}", Asks::List),
    ("GET /api/audit/data-access/accessor/{userId}", Asks::List),
    ("GET /api/audit/compliance/gdpr", Asks::List),
    ("GET /api/audit/compliance/retention", Asks::Numbers),
];

/// What a parameter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// A name of the fixture, written as `{}` here.
    Name(&'static str),
    /// Whose data.
    Organization,
    /// The id of an event.
    Event,
    /// A place in a list that somebody got.
    Cursor,
    /// A place in recorded order that somebody got.
    Position,
    /// One of these words, each of which shows something else.
    Words(&'static [&'static str]),
    /// Nothing that could name a row of somebody's.
    Nothing,
}

/// Every parameter, wherever it is.
const PARAMETERS: &[(&str, Says)] = &[
    ("organizationId", Says::Organization),
    ("organization_id", Says::Organization),
    ("eventId", Says::Event),
    ("subject", Says::Name("{}")),
    ("aggregateId", Says::Name("{}")),
    ("resourceId", Says::Name("{}")),
    ("resource_id", Says::Name("{}")),
    ("entityId", Says::Name("{}")),
    ("userId", Says::Name("{}")),
    ("user_id", Says::Name("{}")),
    ("source", Says::Name("{}")),
    ("serviceName", Says::Name("{}")),
    ("action", Says::Name("{}")),
    ("correlationId", Says::Name("{}")),
    ("traceId", Says::Name("{}")),
    ("causationId", Says::Name("{}")),
    ("eventType", Says::Name("Type-{}")),
    ("event_type", Says::Name("Type-{}")),
    ("aggregateType", Says::Name("Kind-{}")),
    ("resourceType", Says::Name("Kind-{}")),
    ("resource_type", Says::Name("Kind-{}")),
    ("entityType", Says::Name("Kind-{}")),
    ("payload", Says::Name(r#"{"subject":"{}"}"#)),
    ("q", Says::Name("{}")),
    ("cursor", Says::Cursor),
    ("after", Says::Position),
    ("Last-Event-ID", Says::Position),
    ("from", Says::Nothing),
    ("to", Says::Nothing),
    ("fromAt", Says::Nothing),
    ("toAt", Says::Nothing),
    ("at", Says::Nothing),
    ("recordedFrom", Says::Nothing),
    ("recordedTo", Says::Nothing),
    ("startDate", Says::Nothing),
    ("endDate", Says::Nothing),
    ("start_date", Says::Nothing),
    ("end_date", Says::Nothing),
    ("fromVersion", Says::Nothing),
    ("toVersion", Says::Nothing),
    ("version", Says::Nothing),
    ("limit", Says::Nothing),
    ("page", Says::Nothing),
    ("order", Says::Nothing),
    ("sort", Says::Nothing),
    ("count", Says::Nothing),
    // An operation of this API, and what came of it.
    ("operation", Says::Nothing),
    ("outcome", Says::Nothing),
    ("raw", Says::Nothing),
    ("blame", Says::Nothing),
    ("follow", Says::Nothing),
    ("integrity", Says::Nothing),
    ("severity", Says::Nothing),
    ("interval", Says::Nothing),
    ("groupBy", Says::Nothing),
    ("top", Says::Nothing),
    ("outcome", Says::Nothing),
    ("topic", Says::Nothing),
    ("interval", Says::Nothing),
    (
        "groupBy",
        Says::Words(&[
            "eventType",
            "aggregateType",
            "userId",
            "organizationId",
            "source",
            "action",
            "outcome",
        ]),
    ),
    ("top", Says::Nothing),
    ("outcome", Says::Nothing),
    ("state", Says::Nothing),
    ("reason", Says::Nothing),
    ("cluster", Says::Nothing),
    ("incarnation", Says::Nothing),
    // How long to wait, and by what a repeat is known: the key counts for its caller alone.
    ("Prefer", Says::Nothing),
    ("Idempotency-Key", Says::Nothing),
];

/// What this operation gives.
pub(super) fn asks(method: &str, path: &str) -> Asks {
    let name = format!("{} {path}", method.to_uppercase());
    let known = OPERATIONS.iter().find(|(known, _)| *known == name);
    known
        .unwrap_or_else(|| {
            panic!(
                "{name} is new: say in OPERATIONS of audit-api/tests/it/matrix/operations.rs what it gives (rows = List, \
                 one thing of a path = One, see Asks), and let look_alikes.rs store what it could show"
            )
        })
        .1
}

/// What this parameter says.
pub(super) fn says(operation: &str, parameter: &str) -> Says {
    // Words that mean something else in one place.
    match (operation, parameter) {
        ("/api/audit/security" | "/api/audit/security/unresolved", "type") => return Says::Name("Type-{}"),
        (
            "/api/audit" | "/api/audit/search" | "/api/audit/entity/{type}/{id}" | "/api/audit/user/{userId}",
            "eventType",
        ) => {
            return Says::Name("Type-{}");
        }
        _ => {}
    }
    let known = PARAMETERS.iter().find(|(known, _)| *known == parameter);
    known
        .unwrap_or_else(|| {
            panic!(
                "{operation}: the parameter {parameter} is new: say in PARAMETERS of \
                 audit-api/tests/it/matrix/operations.rs whether it could name what is another organisation's, and how"
            )
        })
        .1
}
