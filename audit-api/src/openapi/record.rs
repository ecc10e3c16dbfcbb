//! What became of a Kafka record.

use utoipa::ToSchema;

use super::event::EventDocument;

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
