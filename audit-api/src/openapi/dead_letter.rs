//! Dead letters, and their being sent again.

use utoipa::ToSchema;

use super::event::PageInfoDocument;

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
