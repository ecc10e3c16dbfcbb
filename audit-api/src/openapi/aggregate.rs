//! An aggregate: its history, its state, and what changed between two.

use utoipa::ToSchema;

use super::event::{EventDocument, PageInfoDocument};

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
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>, example = json!({ "status": "paid", "total": "12.50" }))]
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
