//! The OpenAPI 3.1 document: derived from the endpoints, completed with what holds for all of them, committed as
//! `audit-api/openapi.json` and compared by a test.

use std::sync::Arc;

use shared::problem::ProblemType;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        Content, Deprecated, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
        Type,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{endpoints, respond::ProblemDocument, state::Api};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Audit trail",
        description = "An immutable history of events: add to it, query it, replay it, follow it.\n\nErrors are `application/problem+json` (RFC 9457) with a type from a closed list. Every answer carries `X-Request-Id`. Unknown parameters are refused.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(endpoints::live, endpoints::ready, endpoints::metrics),
    components(schemas(ProblemDocument)),
    security(("bearer" = [])),
    tags(
        (name = "Events", description = "Events by id and by filter."),
        (name = "Aggregates", description = "The things that events are about, and the history of one."),
        (name = "Streams", description = "Replays and the live tail."),
        (name = "Ledger", description = "What became of each Kafka record."),
        (name = "Dead letters", description = "Records that are no events, and why."),
        (name = "Older addresses", description = "Those of the services of documents 000, 001 and 004, over the same data, each in its document's own shape. Every answer says `Deprecation` (RFC 9745) and `Link: rel=\"successor-version\"`. docs/vocabulary.md says how their words map."),
        (name = "Operation", description = "Health and metrics.")
    ),
    modifiers(&Bearer, &Problems)
)]
struct Document;

/// An event.
#[derive(ToSchema)]
#[schema(as = Event, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct EventDocument {
    /// The producer's id of the event.
    event_id: uuid::Uuid,
    /// What happened.
    #[schema(example = "OrderPlaced")]
    event_type: String,
    /// The aggregate's id.
    #[schema(example = "order-1")]
    aggregate_id: String,
    /// The aggregate's kind.
    #[schema(example = "Order")]
    aggregate_type: String,
    /// When it happened (RFC 3339, UTC, six decimals).
    #[schema(format = DateTime, example = "2025-11-20T12:00:00.123456Z")]
    timestamp: String,
    /// The producer's count per aggregate, from 1; 0 = unversioned.
    #[schema(minimum = 0)]
    version: i32,
    /// What the producer said, byte for byte less insignificant whitespace.
    #[schema(value_type = Object)]
    payload: (),
    /// Correlation, user, source, organisation and more.
    metadata: std::collections::HashMap<String, String>,
    /// When it was stored.
    #[schema(format = DateTime)]
    recorded_at: String,
    /// Its place in the store: opaque; `after` and `Last-Event-ID` take it.
    #[schema(example = "1:42")]
    position: String,
}

/// An event to add: the canonical envelope.
#[derive(ToSchema)]
#[schema(as = NewEvent, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct NewEventDocument {
    /// Yours, a UUID with hyphens; it may be left out only with an `Idempotency-Key`.
    #[schema(required = false, nullable = false)]
    event_id: Option<uuid::Uuid>,
    /// What happened.
    #[schema(example = "OrderPlaced", min_length = 1, max_length = 255)]
    event_type: String,
    /// The aggregate's id: what it happened to.
    #[schema(example = "order-1", min_length = 1, max_length = 255)]
    aggregate_id: String,
    /// The aggregate's kind.
    #[schema(example = "Order", min_length = 1, max_length = 255)]
    aggregate_type: String,
    /// When it happened (RFC 3339); at most 24 hours ahead.
    #[schema(format = DateTime, example = "2025-11-20T12:00:00.123456Z")]
    timestamp: String,
    /// Your count per aggregate, from 1; 0 = unversioned.
    #[schema(minimum = 0)]
    version: i32,
    /// What you have to say of it.
    #[schema(value_type = Object)]
    payload: (),
    /// Scalars, kept as text: `correlationId`, `causationId`, `userId`, `source`, `organizationId` and more.
    metadata: std::collections::HashMap<String, String>,
}

/// Events that were taken, in the order in which they came.
#[derive(ToSchema)]
#[schema(as = Submitted)]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct SubmittedDocument {
    data: Vec<SubmittedEventDocument>,
}

#[derive(ToSchema)]
#[schema(as = SubmittedEvent, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct SubmittedEventDocument {
    event_id: uuid::Uuid,
    /// Where it is stored, when that was waited for.
    #[schema(required = false, nullable = false, example = "1:42")]
    position: Option<String>,
}

/// A dead letter that was sent again.
#[derive(ToSchema)]
#[schema(as = Redriven, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct RedrivenDocument {
    /// The dead letter.
    #[schema(example = "1:42")]
    id: String,
    /// This redrive.
    redrive_id: uuid::Uuid,
    /// Where it stands now.
    topic: String,
    partition: i32,
    offset: i64,
}

/// One time that a dead letter was sent again.
#[derive(ToSchema)]
#[schema(as = Redrive, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct RedriveDocument {
    redrive_id: uuid::Uuid,
    #[schema(format = DateTime)]
    requested_at: String,
    /// The subject of the token.
    requested_by: String,
    outcome: RedriveOutcomeWord,
    topic: String,
    #[schema(required = false, nullable = false)]
    partition: Option<i32>,
    #[schema(required = false, nullable = false)]
    offset: Option<i64>,
}

/// `unknown`: the process ended before Kafka answered, so it may have been produced.
#[derive(ToSchema)]
#[schema(as = RedriveOutcome, rename_all = "lowercase")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
enum RedriveOutcomeWord {
    Produced,
    Failed,
    Unknown,
}

/// Where a list stands.
#[derive(ToSchema)]
#[schema(as = PageInfo, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct PageInfoDocument {
    /// The limit that held.
    limit: u32,
    /// What `cursor` takes for the next page; null = there is none.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// How many there are, when `count` was given.
    #[schema(required = false, nullable = false)]
    total: Option<u64>,
}

/// A page of events.
#[derive(ToSchema)]
#[schema(as = EventPage)]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct EventPageDocument {
    data: Vec<EventDocument>,
    page: PageInfoDocument,
}

/// Gaps and forks of a whole aggregate, at most 100 of each.
#[derive(ToSchema)]
#[schema(as = Integrity)]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct IntegrityDocument {
    /// Missing versions: first and last.
    #[schema(example = json!([[3, 5]]))]
    gaps: Vec<Vec<i32>>,
    /// Versions that several events have.
    #[schema(example = json!([7]))]
    forks: Vec<i32>,
}

/// The moment that an answer shows which is counted beside the ingest: it holds the events of every append up to one, and of
/// none beyond.
#[derive(ToSchema)]
#[schema(as = AsOf, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct AsOfDocument {
    /// The last append that is in; 0 = none yet.
    append: i64,
    /// When that append was recorded.
    #[schema(format = DateTime, required = true)]
    recorded_at: Option<String>,
    /// How many appends there are beyond it.
    behind: i64,
    /// How long the first of those has been waiting; 0 when there is none.
    age_seconds: f64,
}

/// A page of a history.
#[derive(ToSchema)]
#[schema(as = History)]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct HistoryDocument {
    data: Vec<EventDocument>,
    page: PageInfoDocument,
    /// On the first page.
    #[schema(required = false, nullable = false)]
    integrity: Option<IntegrityDocument>,
}

/// An aggregate as it was.
#[derive(ToSchema)]
#[schema(as = State, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct StateDocument {
    #[schema(example = "Order")]
    aggregate_type: String,
    #[schema(example = "order-1")]
    aggregate_id: String,
    /// Empty = none.
    organization_id: String,
    /// The version of the last event up to there; 0 = unversioned.
    #[schema(example = 4)]
    version: i32,
    /// The time of that event.
    #[schema(format = DateTime)]
    at: String,
    /// How many events there are up to there.
    event_count: u64,
    /// Whether that event is a deletion; the state is then the last before it.
    deleted: bool,
    /// What its events have made of it. A number has the digits that its producer gave it.
    #[schema(value_type = Object, example = json!({ "status": "paid", "total": "12.50" }))]
    state: (),
    /// Of the events up to there.
    integrity: IntegrityDocument,
    /// With `blame=true`: the JSON Pointer of each leaf, an array being one, and the event that set it last.
    #[schema(required = false, nullable = false)]
    blame: Option<std::collections::HashMap<String, BlameDocument>>,
}

/// Up to where events were folded.
#[derive(ToSchema)]
#[schema(as = Folded, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct FoldedDocument {
    /// The version of the last event; 0 = unversioned, or there is none.
    version: i32,
    /// The time of the last event; null = there is none.
    #[schema(format = DateTime, required = true)]
    at: Option<String>,
    /// How many events there are.
    event_count: u64,
    /// Whether the last event is a deletion; the state is then the last before it.
    deleted: bool,
}

/// The event that set a value.
#[derive(ToSchema)]
#[schema(as = Blame, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct BlameDocument {
    event_id: uuid::Uuid,
    version: i32,
    #[schema(format = DateTime)]
    timestamp: String,
    /// Who did it; null = nobody is named.
    #[schema(required = true)]
    user_id: Option<String>,
}

/// What changed between two states of an aggregate.
#[derive(ToSchema)]
#[schema(as = Diff, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct DiffDocument {
    aggregate_type: String,
    aggregate_id: String,
    /// Empty = none.
    organization_id: String,
    from: FoldedDocument,
    to: FoldedDocument,
    /// A JSON Patch (RFC 6902) that makes the older state the newer one.
    patch: Vec<PatchOperationDocument>,
    /// Each value that differs.
    changes: Vec<ChangeDocument>,
}

/// An operation of a JSON Patch.
#[derive(ToSchema)]
#[schema(as = PatchOperation, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct PatchOperationDocument {
    #[schema(inline)]
    op: PatchWord,
    /// A JSON Pointer.
    #[schema(example = "/status")]
    path: String,
    /// Absent for `remove`.
    #[schema(value_type = Value, required = false)]
    value: (),
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
enum PatchWord {
    Add,
    Remove,
    Replace,
}

/// A value that differs.
#[derive(ToSchema)]
#[schema(as = Change, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct ChangeDocument {
    /// A JSON Pointer.
    #[schema(example = "/status")]
    path: String,
    /// What was there; null = nothing.
    #[schema(value_type = Value)]
    old: (),
    /// What is there; null = nothing.
    #[schema(value_type = Value)]
    new: (),
    /// The event that set it last, or took it away; null = not known.
    #[schema(required = true)]
    event_id: Option<uuid::Uuid>,
}

/// An event in a tree of causes, without payload and metadata; null = absent.
#[derive(ToSchema)]
#[schema(as = EventNode, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct EventNodeDocument {
    /// Steps from the event that was asked for, or from the root: negative = towards its cause.
    depth: i32,
    event_id: uuid::Uuid,
    /// The event, or another thing, that caused it.
    #[schema(required = true)]
    causation_id: Option<String>,
    #[schema(required = true)]
    correlation_id: Option<String>,
    #[schema(example = "PaymentCaptured")]
    event_type: String,
    aggregate_type: String,
    aggregate_id: String,
    #[schema(required = true)]
    organization_id: Option<String>,
    #[schema(required = true)]
    user_id: Option<String>,
    #[schema(required = true)]
    source: Option<String>,
    #[schema(required = true)]
    action: Option<String>,
    #[schema(format = DateTime)]
    timestamp: String,
    version: i32,
    #[schema(format = DateTime)]
    recorded_at: String,
    #[schema(example = "1:42")]
    position: String,
}

/// What led to an event and what it caused.
#[derive(ToSchema)]
#[schema(as = Causation, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct CausationDocument {
    /// The chain of causes, the first cause first, the direct one last.
    ancestors: Vec<EventNodeDocument>,
    event: EventNodeDocument,
    /// What it caused, each node behind the one that caused it.
    descendants: Vec<EventNodeDocument>,
    /// The causation id at the top of the chain that names no event that you may see; null = there is none.
    #[schema(required = true)]
    missing_cause: Option<String>,
    truncated: TruncatedDocument,
}

/// Whether there is more than 20 steps or 1,000 events.
#[derive(ToSchema)]
#[schema(as = Truncated)]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct TruncatedDocument {
    ancestors: bool,
    descendants: bool,
}

/// The events of a correlation.
#[derive(ToSchema)]
#[schema(as = Correlation, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct CorrelationDocument {
    correlation_id: String,
    /// Each node behind the one that caused it; roots have depth 0.
    events: Vec<EventNodeDocument>,
    /// Whether there are more than 1,000.
    truncated: bool,
}

/// What became of a Kafka record.
#[derive(ToSchema)]
#[schema(as = Record, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct RecordDocument {
    cluster: String,
    topic: String,
    partition: i32,
    incarnation: i32,
    offset: i64,
    state: RecordStateWord,
    /// The kind, of what is no event.
    #[schema(required = false, nullable = false)]
    kind: Option<String>,
    /// Why it is dead-lettered.
    #[schema(required = false, nullable = false)]
    reason: Option<String>,
    /// Where in the record it is wrong.
    #[schema(required = false, nullable = false)]
    pointer: Option<String>,
    #[schema(required = false, nullable = false)]
    event_id: Option<uuid::Uuid>,
    #[schema(required = false, nullable = false)]
    event: Option<EventDocument>,
}

#[derive(ToSchema)]
#[schema(as = RecordState, rename_all = "kebab-case")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
enum RecordStateWord {
    Stored,
    Duplicate,
    DeadLettered,
    Skipped,
    NotRead,
}

/// A record that is no event.
#[derive(ToSchema)]
#[schema(as = DeadLetter, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct DeadLetterDocument {
    #[schema(example = "1:42")]
    id: String,
    cluster: String,
    topic: String,
    partition: i32,
    incarnation: i32,
    offset: i64,
    /// Where it was refused.
    stage: String,
    /// Why.
    reason: String,
    /// Where in the record, a JSON Pointer; empty = the whole.
    pointer: String,
    /// A sentence with the remedy.
    detail: String,
    #[schema(required = false, nullable = false)]
    event_id: Option<uuid::Uuid>,
    #[schema(format = DateTime)]
    recorded_at: String,
    /// When it was published to the dead-letter topic.
    #[schema(format = DateTime, required = true)]
    published_at: Option<String>,
    /// The original record, bytes as base64; only for one dead letter, and only for roles that see payloads.
    #[schema(required = false, nullable = false)]
    record: Option<OriginalRecordDocument>,
    /// The times that it was sent again, newest first; only for one dead letter.
    #[schema(required = false, nullable = false)]
    redrives: Option<Vec<RedriveDocument>>,
}

#[derive(ToSchema)]
#[schema(as = OriginalRecord, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct OriginalRecordDocument {
    #[schema(required = true)]
    key: Option<String>,
    #[schema(required = true)]
    value: Option<String>,
    headers: Vec<RecordHeaderDocument>,
    #[schema(required = true)]
    timestamp_ms: Option<i64>,
}

#[derive(ToSchema)]
#[schema(as = RecordHeader)]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct RecordHeaderDocument {
    name: String,
    #[schema(required = true)]
    value: Option<String>,
}

/// A page of dead letters.
#[derive(ToSchema)]
#[schema(as = DeadLetterPage)]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct DeadLetterPageDocument {
    data: Vec<DeadLetterDocument>,
    page: PageInfoDocument,
}

/// The document of these routes, or of all of them.
pub fn router() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Document::openapi()).merge(endpoints::v1()).merge(endpoints::signed())
}

/// The finished document.
pub fn document() -> utoipa::openapi::OpenApi {
    finish(router().into_openapi())
}

/// Completes what the routes have declared.
pub fn finish(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    Bearer.modify(&mut document);
    Problems.modify(&mut document);
    document
}

/// The document as it is served and committed.
pub fn to_json(document: &utoipa::openapi::OpenApi) -> String {
    let mut text = document.to_pretty_json().expect("the document is plain data");
    text.push('\n');
    text
}

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A JWT in the header `Authorization: Bearer <token>`; never in the address."))
            .build();
        let components = document.components.get_or_insert_with(Default::default);
        components.security_schemes.insert("bearer".to_owned(), RefOr::T(SecurityScheme::Http(scheme)));
    }
}

/// The problems that every operation may answer with.
struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        for kind in ProblemType::ALL {
            let response = components.responses.entry(component(kind.status()));
            response.or_insert_with(|| RefOr::T(problem(kind.status())));
        }
        for (path, item) in &mut document.paths.paths {
            let methods = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
            for operation in methods.into_iter().flatten() {
                complete(path, operation);
            }
        }
    }
}

fn component(status: u16) -> String {
    format!("Problem{status}")
}

fn problem(status: u16) -> Response {
    let titles: Vec<_> = ProblemType::ALL
        .into_iter()
        .filter(|kind| kind.status() == status)
        .map(|kind| format!("`{}`: {}", kind.slug(), kind.title()))
        .collect();
    let mut response = ResponseBuilder::new()
        .description(titles.join("; "))
        .header("X-Request-Id", text_header("The request's id in the log: yours when it was valid."));
    if status == 401 {
        response = response.header("WWW-Authenticate", text_header("How to authenticate (RFC 6750)."));
    }
    if matches!(status, 429 | 503) {
        response = response.header("Retry-After", text_header("Seconds after which to try again."));
    }
    response.content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem")))).build()
}

fn text_header(description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(description))
        .build()
}

fn complete(path: &str, operation: &mut Operation) {
    let mut statuses = vec![400, 413, 414, 431, 500, 503];
    let is_older = endpoints::is_older(path);
    if is_older {
        operation.deprecated = Some(Deprecated::True);
    }
    if path.starts_with("/v1/") || is_older {
        statuses.extend([401, 403, 406, 422]);
    }
    if path.contains('{') {
        statuses.push(404);
    }
    if path.starts_with("/v1/aggregates/") {
        statuses.push(409);
    }
    if operation.request_body.is_some() {
        statuses.extend([408, 409, 415]);
    }
    for status in statuses {
        let response = operation.responses.responses.entry(status.to_string());
        response.or_insert_with(|| RefOr::Ref(Ref::from_response_name(component(status))));
    }
}
