//! Events counted by what they are.

use utoipa::ToSchema;

use super::event::AsOfDocument;

/// Events counted by what they are, over time.
#[derive(ToSchema)]
#[schema(as = Statistics, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
pub struct StatisticsDocument {
    /// The groups that are told apart, the one with the most events first; without `groupBy` the only one.
    data: Vec<StatisticsGroupDocument>,
    /// By what.
    #[schema(example = json!(["eventType"]))]
    group_by: Vec<String>,
    /// The length of the buckets.
    #[schema(required = true, example = "day")]
    interval: Option<String>,
    /// Everything that the filters select.
    total: TallyDocument,
    /// How many groups there are, told apart or not.
    group_count: i64,
    /// Whether there are more groups than `data` has.
    truncated: bool,
    /// All groups that `data` does not have, together; only when `truncated`.
    #[schema(required = false, nullable = false)]
    rest: Option<TallyDocument>,
    as_of: AsOfDocument,
}

/// The events of one group, counted.
#[derive(ToSchema)]
#[schema(as = StatisticsGroup, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct StatisticsGroupDocument {
    /// What they have in common, by the names of `groupBy`; an empty text = none.
    #[schema(example = json!({"eventType": "LOGIN_FAILED"}))]
    group: std::collections::HashMap<String, String>,
    event_count: i64,
    /// Those whose outcome is `failure`.
    failure_count: i64,
    /// The share of failures among all of them, from 0 to 1; null when there are none.
    #[schema(required = true)]
    failure_rate: Option<f64>,
    /// With `interval`: every bucket of the range, the empty ones too. The first and the last may be cut by `from` and `to`.
    #[schema(required = false, nullable = false)]
    buckets: Option<Vec<BucketDocument>>,
}

/// Events counted together.
#[derive(ToSchema)]
#[schema(as = Tally, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct TallyDocument {
    event_count: i64,
    /// Those whose outcome is `failure`.
    failure_count: i64,
    /// The share of failures among all of them, from 0 to 1; null when there are none.
    #[schema(required = true)]
    failure_rate: Option<f64>,
    /// With `interval`, of groups: every bucket of the range, the empty ones too.
    #[schema(required = false, nullable = false)]
    buckets: Option<Vec<BucketDocument>>,
}

/// The events of a group in one bucket.
#[derive(ToSchema)]
#[schema(as = Bucket, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct BucketDocument {
    /// Where it starts (UTC).
    #[schema(format = DateTime)]
    start: String,
    event_count: i64,
    failure_count: i64,
    /// As of the group.
    #[schema(required = true)]
    failure_rate: Option<f64>,
}
