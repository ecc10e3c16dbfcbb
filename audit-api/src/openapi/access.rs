//! Records of who looked.

use utoipa::ToSchema;

use super::{AsOfDocument, PageInfoDocument};

/// What came of a request: `answered`; `refused` (4xx); `failed` (5xx); `abandoned`: the client went away first, or the time
/// was over; `opened` and `closed`: a stream; `suppressed`: so many requests without a good token that they have no record
/// each.
#[derive(ToSchema)]
#[schema(as = AccessOutcome, rename_all = "lowercase")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
pub(crate) enum AccessOutcomeWord {
    Answered,
    Refused,
    Failed,
    Abandoned,
    Opened,
    Closed,
    Suppressed,
}

/// How an accessor showed who it is.
#[derive(ToSchema)]
#[schema(as = AccessorKind, rename_all = "lowercase")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
enum AccessorKindWord {
    Token,
    Link,
    Anonymous,
}

/// Who asked.
#[derive(ToSchema)]
#[schema(as = Accessor, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct AccessorDocument {
    kind: AccessorKindWord,
    /// The token's subject, the link's name, or `anonymous`.
    id: String,
    /// The organisation that the token names.
    #[schema(required = false, nullable = false)]
    organization_id: Option<String>,
    #[schema(required = false, nullable = false, example = json!(["audit:org-admin"]))]
    roles: Option<Vec<String>>,
}

/// A parameter of path, query or body.
#[derive(ToSchema)]
#[schema(as = AskedParameter)]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct AskedParameterDocument {
    name: String,
    /// Not there: it is a secret, or no parameter of the operation.
    #[schema(required = false, nullable = false)]
    value: Option<String>,
}

/// An aggregate that a request named.
#[derive(ToSchema)]
#[schema(as = AskedAggregate, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct AskedAggregateDocument {
    #[schema(required = false, nullable = false)]
    aggregate_type: Option<String>,
    aggregate_id: String,
}

/// One request, as it was recorded.
#[derive(ToSchema)]
#[schema(as = Access, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct AccessDocument {
    /// The event that records it.
    event_id: uuid::Uuid,
    #[schema(example = "7:42")]
    position: String,
    #[schema(format = DateTime)]
    accessed_at: String,
    /// The organisation of a token that sees one only; else empty.
    organization_id: String,
    #[schema(required = false, nullable = false)]
    ip_address: Option<String>,
    /// Its id in this document.
    #[schema(example = "listEvents")]
    operation: String,
    method: String,
    /// The route, as a template.
    #[schema(example = "/v1/events")]
    path: String,
    accessor: AccessorDocument,
    #[schema(required = false, nullable = false)]
    parameters: Option<Vec<AskedParameterDocument>>,
    /// The users that the parameters name.
    #[schema(required = false, nullable = false)]
    subjects: Option<Vec<String>>,
    #[schema(required = false, nullable = false)]
    aggregates: Option<Vec<AskedAggregateDocument>>,
    outcome: AccessOutcomeWord,
    #[schema(required = false, nullable = false)]
    status: Option<u16>,
    /// The problem's type, without its prefix.
    #[schema(required = false, nullable = false)]
    problem: Option<String>,
    /// How many rows the answer held; of a stream, at its end.
    #[schema(required = false, nullable = false)]
    rows: Option<u64>,
    /// How a stream ended: `complete`, `client`, `expired`, `shutdown`, `store`, or `unknown`.
    #[schema(required = false, nullable = false)]
    ended: Option<String>,
    /// For how many requests a `suppressed` record stands.
    #[schema(required = false, nullable = false)]
    suppressed: Option<u64>,
    /// The request's `X-Request-Id`.
    #[schema(required = false, nullable = false)]
    request_id: Option<String>,
}

/// A page of accesses.
#[derive(ToSchema)]
#[schema(as = AccessPage, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct AccessPageDocument {
    data: Vec<AccessDocument>,
    page: PageInfoDocument,
    as_of: AsOfDocument,
}
