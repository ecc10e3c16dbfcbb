//! A statement being built: its text and the values of its parameters.

use postgres_types::ToSql;
use uuid::Uuid;

use crate::sql_types::{Jsonb, Micros};

/// A value of a parameter, which can also be written out for `explain execute`.
pub(super) trait Bound: ToSql + Send + Sync {
    /// The value as a literal that takes the parameter's type.
    fn literal(&self) -> String {
        self.text().map_or_else(|| "null".to_owned(), |text| format!("'{}'", text.replace('\'', "''")))
    }

    /// The value as text; `None` = null.
    fn text(&self) -> Option<String>;
}

macro_rules! bound_as_displayed {
    ($($of:ty),*) => {
        $(impl Bound for $of {
            fn text(&self) -> Option<String> {
                Some(self.to_string())
            }
        })*
    };
}
bound_as_displayed!(String, &'static str, i32, i64, Uuid);

impl Bound for Micros {
    fn text(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

impl Bound for Jsonb {
    fn text(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

impl<T: Bound> Bound for Option<T> {
    fn text(&self) -> Option<String> {
        self.as_ref().and_then(Bound::text)
    }
}

impl<T: Bound> Bound for Vec<T> {
    fn text(&self) -> Option<String> {
        let element = |value: &T| match value.text() {
            Some(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            None => "null".to_owned(),
        };
        Some(format!("{{{}}}", self.iter().map(element).collect::<Vec<_>>().join(",")))
    }
}

/// SQL with its parameters; values never go into the text.
#[derive(Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) values: Vec<Box<dyn Bound>>,
}

impl Statement {
    pub(super) fn new(sql: &str) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new() }
    }

    /// A parameter for this value: its `$n`.
    pub(super) fn bind(&mut self, value: impl Bound + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    pub(super) fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// The values as the driver takes them.
    pub(super) fn parameters(&self) -> impl ExactSizeIterator<Item = &(dyn ToSql + Sync)> {
        self.values.iter().map(|value| {
            let value: &(dyn ToSql + Sync) = &**value;
            value
        })
    }
}

/// The steps that a row limit is rounded up to. LIMIT is in the text, because a generic plan knows nothing of a
/// parameter and takes a tenth of the table for it; a few steps keep the number of prepared statements small.
const LIMITS: [u32; 8] = [1, 2, 11, 51, 101, 201, 501, 1001];

/// The smallest step that is not below `rows`, for LIMIT.
pub(super) fn limit_step(rows: u32) -> u32 {
    LIMITS.into_iter().find(|step| *step >= rows).unwrap_or(rows)
}

/// The most rows, of `rows` at most, that can be asked for without being sent more: one more than it is a step.
pub(super) fn whole_step(rows: usize) -> usize {
    let steps = LIMITS.into_iter().rev().map(|step| step as usize - 1);
    steps.into_iter().find(|step| (1..=rows).contains(step)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_quoted() {
        assert_eq!("o'x".to_owned().literal(), "'o''x'");
        assert_eq!(None::<String>.literal(), "null");
        assert_eq!(vec![r#"a"b\"#.to_owned(), "c".to_owned()].literal(), r#"'{"a\"b\\","c"}'"#);
        assert_eq!(vec![Some(1i64), None].literal(), r#"'{"1",null}'"#);
    }

    #[test]
    fn limits_are_rounded_up_to_a_few() {
        assert_eq!([1, 3, 101, 102, 1001].map(limit_step), [1, 11, 101, 201, 1001]);
        assert_eq!([0, 1, 9, 10, 999, 5000].map(whole_step), [1, 1, 1, 10, 500, 1000]);
    }
}
