//! Filters as conditions on `events_visible e` (semantics.md 7): equality, ranges for prefixes, LIKE for the rest.

use shared::filter::{ACCESS_TYPE, EventFilter, Pattern};
use shared::scope::Scope;
use shared::timestamp::Timestamp;

use super::search;
use super::statement::Statement;
use crate::sql_types::Micros;

/// Conditions joined by `and`; never empty.
#[derive(Default)]
pub(super) struct Conditions(Vec<String>);

impl Conditions {
    pub(super) fn add(&mut self, condition: String) {
        self.0.push(condition);
    }

    pub(super) fn to_sql(&self) -> String {
        if self.0.is_empty() { "true".to_owned() } else { self.0.join(" and ") }
    }
}

/// The conditions of a scope and a filter.
pub(super) fn conditions(statement: &mut Statement, scope: &Scope, filter: &EventFilter) -> Conditions {
    let mut all = Conditions::default();
    if let Some(organization) = scope.organization() {
        one_of(statement, &mut all, "organization_id", &[organization.to_owned()]);
    }
    between(statement, &mut all, "\"timestamp\"", filter.from, filter.to);
    between(statement, &mut all, "recorded_at", filter.recorded_from, filter.recorded_to);
    patterns(statement, &mut all, "event_type", &filter.event_type);
    patterns(statement, &mut all, "aggregate_type", &filter.aggregate_type);
    if filter.without_accesses {
        all.add(format!("e.aggregate_type <> '{ACCESS_TYPE}'"));
    }
    one_of(statement, &mut all, "aggregate_id", &filter.aggregate_id);
    one_of(statement, &mut all, "organization_id", &filter.organization_id);
    one_of(statement, &mut all, "source", &filter.source);
    one_of(statement, &mut all, "action", &filter.action);
    for (column, values) in [
        ("user_id", &filter.user_id),
        ("correlation_id", &filter.correlation_id),
        ("causation_id", &filter.causation_id),
    ] {
        if !values.is_empty() {
            // The index is partial, and a generic plan cannot see that a parameter is not ''.
            all.add(format!("e.{column} <> ''"));
        }
        one_of(statement, &mut all, column, values);
    }
    if let Some(query) = &filter.payload {
        search::contains(statement, &mut all, query);
    }
    if let Some(query) = &filter.text {
        search::mentions(statement, &mut all, query);
    }
    all
}

/// A half-open range of times.
pub(super) fn between(
    statement: &mut Statement,
    all: &mut Conditions,
    column: &str,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) {
    for (operator, time) in [(">=", from), ("<", to)] {
        if let Some(time) = time {
            all.add(format!("e.{column} {operator} {}", statement.bind(Micros(time))));
        }
    }
}

/// One value is an equality, which keeps the order of an index; several are `any`.
pub(super) fn one_of(statement: &mut Statement, all: &mut Conditions, column: &str, values: &[String]) {
    if values.is_empty() {
        return;
    }
    let possible: Vec<String> = values.iter().filter(|value| storable(value)).cloned().collect();
    match <[String; 1]>::try_from(possible) {
        Ok([value]) => all.add(format!("e.{column} = {}", statement.bind(value))),
        Err(possible) if possible.is_empty() => all.add("false".to_owned()),
        Err(possible) => all.add(format!("e.{column} = any({})", statement.bind(possible))),
    }
}

pub(super) fn patterns(statement: &mut Statement, all: &mut Conditions, column: &str, patterns: &[Pattern]) {
    if patterns.is_empty() {
        return;
    }
    let exact: Vec<String> = patterns
        .iter()
        .filter_map(|pattern| if let Pattern::Exact(text) = pattern { Some(text.clone()) } else { None })
        .collect();
    if exact.len() == patterns.len() {
        return one_of(statement, all, column, &exact);
    }
    let mut any = Vec::new();
    let exact: Vec<String> = exact.into_iter().filter(|text| storable(text)).collect();
    if !exact.is_empty() {
        any.push(format!("e.{column} = any({})", statement.bind(exact)));
    }
    for pattern in patterns {
        match pattern {
            Pattern::Exact(_) => {}
            Pattern::Prefix(text) | Pattern::Glob(text) if !storable(text) => {}
            Pattern::Prefix(prefix) => any.push(range(statement, column, prefix)),
            Pattern::Glob(text) => any.push(format!("e.{column} like {}", statement.bind(like(text)))),
        }
    }
    all.add(if any.is_empty() { "false".to_owned() } else { format!("({})", any.join(" or ")) });
}

/// `prefix*` as a range, which an index can serve: "C" orders by code point.
fn range(statement: &mut Statement, column: &str, prefix: &str) -> String {
    let from = statement.bind(prefix.to_owned());
    match successor(prefix) {
        Some(end) => format!("(e.{column} >= {from} and e.{column} < {})", statement.bind(end)),
        None => format!("e.{column} >= {from}"),
    }
}

/// The least text above every text with this prefix; `None` = there is none.
fn successor(prefix: &str) -> Option<String> {
    let mut kept = prefix.to_owned();
    while let Some(last) = kept.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            kept.push(next);
            return Some(kept);
        }
    }
    None
}

/// `*` is `%`; LIKE's own metacharacters are taken literally.
fn like(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    for char in pattern.chars() {
        match char {
            '*' => out.push('%'),
            '%' | '_' | '\\' => {
                out.push('\\');
                out.push(char);
            }
            other => out.push(other),
        }
    }
    out
}

/// A text with U+0000 cannot be stored, so nothing equals it; sent as a parameter it would be an error.
pub(super) fn storable(text: &str) -> bool {
    !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(scope: &Scope, filter: &EventFilter) -> (String, usize) {
        let mut statement = Statement::default();
        let text = conditions(&mut statement, scope, filter).to_sql();
        (text, statement.values.len())
    }

    #[test]
    fn every_scope_of_one_organisation_is_in_the_statement() {
        let (text, values) = sql(&Scope::Organization("acme".to_owned()), &EventFilter::default());
        assert_eq!((text.as_str(), values), ("e.organization_id = $1", 1));
        assert_eq!(sql(&Scope::All, &EventFilter::default()).0, "true");
    }

    #[test]
    fn a_filter_narrows_a_scope_and_never_widens_it() {
        let filter = EventFilter { organization_id: vec!["b".to_owned()], ..EventFilter::default() };
        let (text, _) = sql(&Scope::Organization("a".to_owned()), &filter);
        assert_eq!(text, "e.organization_id = $1 and e.organization_id = $2");
    }

    #[test]
    fn one_value_is_an_equality_and_several_are_any() {
        let filter = EventFilter {
            user_id: vec!["u".to_owned()],
            source: vec!["a".to_owned(), "b".to_owned()],
            ..EventFilter::default()
        };
        assert_eq!(sql(&Scope::All, &filter).0, "e.source = any($1) and e.user_id <> '' and e.user_id = $2");
    }

    #[test]
    fn patterns_become_ranges_and_likes() {
        let filter = EventFilter {
            event_type: vec![Pattern::parse("A"), Pattern::parse("Order*"), Pattern::parse("*_x*")],
            ..EventFilter::default()
        };
        assert_eq!(
            sql(&Scope::All, &filter).0,
            "(e.event_type = any($1) or (e.event_type >= $2 and e.event_type < $3) or e.event_type like $4)"
        );
    }

    #[test]
    fn what_cannot_be_stored_matches_nothing() {
        let filter = EventFilter { source: vec!["a\0".to_owned()], ..EventFilter::default() };
        assert_eq!(sql(&Scope::All, &filter), ("false".to_owned(), 0));
        let filter = EventFilter { event_type: vec![Pattern::parse("a\0*")], ..EventFilter::default() };
        assert_eq!(sql(&Scope::All, &filter), ("false".to_owned(), 0));
    }

    #[test]
    fn a_successor_is_above_every_continuation() {
        for prefix in ["Order", "z", "a\u{d7ff}", "a\u{10ffff}", "é"] {
            let end = successor(prefix).unwrap();
            assert!(format!("{prefix}\u{10ffff}\u{10ffff}").as_bytes() < end.as_bytes(), "{prefix:?}");
            assert!(prefix.as_bytes() < end.as_bytes());
        }
        assert_eq!(successor("\u{10ffff}"), None);
        assert_eq!(successor("Order").as_deref(), Some("Ordes"));
    }

    #[test]
    fn like_takes_only_the_star_as_a_wildcard() {
        assert_eq!(like(r"a*b_%\"), r"a%b\_\%\\");
    }
}
