//! A statement being built: its text and the values of its parameters.

use postgres_types::ToSql;

/// A value of a parameter.
pub(super) type Value = Box<dyn ToSql + Send + Sync>;

/// SQL with its parameters; values never go into the text.
#[derive(Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Statement {
    pub(super) fn new(sql: &str) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new() }
    }

    /// A parameter for this value: its `$n`.
    pub(super) fn bind(&mut self, value: impl ToSql + Send + Sync + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    pub(super) fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }
}

/// The steps that a row limit is rounded up to. LIMIT is in the text, because a generic plan knows nothing of a
/// parameter and takes a tenth of the table for it; a few steps keep the number of prepared statements small.
const LIMITS: [u32; 8] = [1, 2, 11, 51, 101, 201, 501, 1001];

/// The smallest step that is not below `rows`, for LIMIT.
pub(super) fn limit_step(rows: u32) -> u32 {
    LIMITS.into_iter().find(|step| *step >= rows).unwrap_or(rows)
}
