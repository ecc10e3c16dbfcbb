//! What caused what.

use utoipa::ToSchema;

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
