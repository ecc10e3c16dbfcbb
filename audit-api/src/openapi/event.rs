//! Events, pages of them, and how they are added.

use utoipa::ToSchema;

/// Events as an Avro object container file (codec `deflate`), which holds its own schema: the canonical envelope with
/// `recordedAt` and `position`. Its last block has no events; a file without that was cut off.
#[derive(ToSchema)]
#[schema(as = Container, value_type = String, format = Binary)]
#[expect(dead_code, reason = "the schema of the OpenAPI document")]
pub struct ContainerDocument(Vec<u8>);

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
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
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
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
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
