//! Lists in time order (semantics.md 7): a page reads what it shows, whatever the table holds.

use shared::filter::{EventFilter, Order, PageKey, Pattern};
use shared::position::Position;
use shared::scope::Scope;

use super::conditions::{Conditions, conditions};
use super::search;
use super::session::Sorting;
use super::statement::{Statement, limit_step};
use super::types::PageRequest;
use crate::indexes::{Lookup, UsableIndexes};
use crate::row::COLUMNS;
use crate::sql_types::Micros;

/// Values of one filter that are each looked up on their own, in the order of their index, and merged. Above, they are
/// one condition and the planner decides.
const MOST_BRANCHES: usize = 16;

/// What bounds of time are for, beside an index over payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bounds {
    /// They are looked up too, and leave few of what the index leads to.
    Narrow,
    /// They tell partitions, and which of what the index leads to is meant.
    Wide,
}

/// A page's statement, and how it may be planned. `limit` is of rows, one more than the page shows.
pub(super) fn time_page(
    request: &PageRequest,
    limit: u32,
    indexes: UsableIndexes,
    bounds: Bounds,
) -> (Statement, Sorting) {
    skipping_page(request, limit, 0, indexes, bounds)
}

/// The same behind so many events. They are walked past, so the number must be bounded by who asks.
pub(super) fn skipping_page(
    request: &PageRequest,
    limit: u32,
    skip: u32,
    indexes: UsableIndexes,
    bounds: Bounds,
) -> (Statement, Sorting) {
    let PageRequest { filter, scope, order, after, .. } = request;
    let order_by = match order {
        Order::Descending => r#"order by e."timestamp" desc, e.log_id desc, e."offset" desc"#,
        Order::Ascending => r#"order by e."timestamp", e.log_id, e."offset""#,
    };
    let limit = limit_step(limit);
    let up_to = limit.saturating_add(skip);
    let skip = if skip > 0 { format!(" offset {skip}") } else { String::new() };
    let mut statement = Statement::default();
    if is_selective(filter, indexes) {
        // OFFSET 0 keeps LIMIT and ORDER BY out of the plan of the look-up: an index on the order would be walked to
        // its end for a handful of rows. The sort above is of those few, and keeps only `limit` of them.
        let (rest, looked_up) = search::by_index(filter, indexes, bounds);
        let mut inner = conditions(&mut statement, scope, &rest);
        looked_up.add(&mut statement, &mut inner);
        let is_pruning = bounds == Bounds::Wide && search::has_index(filter, indexes);
        add_after(&mut statement, &mut inner, *order, *after, is_pruning);
        let inner = inner.to_sql();
        let sql = format!(
            "select {COLUMNS} from (select * from audit.events_visible e where {inner} offset 0) e {order_by} limit {limit}{skip}"
        );
        statement.push(&sql);
        return (statement, Sorting::AsPlanned);
    }
    let branches = branches(filter, indexes);
    let selects: Vec<String> = branches
        .iter()
        .map(|branch| {
            let inner = page_conditions(&mut statement, scope, branch, *order, *after).to_sql();
            format!("select {COLUMNS} from audit.events_visible e where {inner} {order_by} limit {up_to}")
        })
        .collect();
    if let [select] = &selects[..] {
        statement.push(&format!("{select}{skip}"));
    } else {
        let union =
            selects.iter().map(|select| format!("({select})")).collect::<Vec<_>>().join(" union all ");
        statement.push(&format!("select {COLUMNS} from ({union}) e {order_by} limit {limit}{skip}"));
    }
    let ordered = is_ordered_by_index(&branches[0], indexes);
    (statement, if ordered { Sorting::Avoided } else { Sorting::AsPlanned })
}

fn page_conditions(
    statement: &mut Statement,
    scope: &Scope,
    filter: &EventFilter,
    order: Order,
    after: Option<PageKey>,
) -> Conditions {
    let mut all = conditions(statement, scope, filter);
    add_after(statement, &mut all, order, after, false);
    all
}

/// Behind the page before; where it is only pruning, so that no index can be asked for it.
fn add_after(
    statement: &mut Statement,
    all: &mut Conditions,
    order: Order,
    after: Option<PageKey>,
    is_pruning: bool,
) {
    let Some(PageKey::Time(time, Position { log_id, offset })) = after else { return };
    let (strict, loose) = if order == Order::Descending { ("<", "<=") } else { (">", ">=") };
    let time = statement.bind(Micros(time));
    let (log_id, offset) = (statement.bind(log_id), statement.bind(offset));
    if is_pruning {
        all.add(search::prunes(loose, &time));
        all.add(format!(
            r#"(e."timestamp" <> {time} or (e.log_id, e."offset") {strict} ({log_id}, {offset}))"#
        ));
    } else {
        // The second says nothing new, but only it prunes partitions.
        all.add(format!(r#"(e."timestamp", e.log_id, e."offset") {strict} ({time}, {log_id}, {offset})"#));
        all.add(format!(r#"e."timestamp" {loose} {time}"#));
    }
}

/// A filter that leaves a handful of rows by an index of its own, which has no time in it.
pub(super) fn is_selective(filter: &EventFilter, indexes: UsableIndexes) -> bool {
    let aggregate = !filter.aggregate_id.is_empty()
        && !filter.aggregate_type.is_empty()
        && filter.aggregate_type.iter().all(|pattern| matches!(pattern, Pattern::Exact(_)));
    aggregate
        || (!filter.correlation_id.is_empty() && indexes.has(Lookup::Correlation))
        || (!filter.causation_id.is_empty() && indexes.has(Lookup::Causation))
        || search::has_index(filter, indexes)
}

/// The filter once per value of its first repeated indexed field: each is an equality, so each has an index's order.
fn branches(filter: &EventFilter, indexes: UsableIndexes) -> Vec<EventFilter> {
    let few = |count: usize, lookup| (2..=MOST_BRANCHES).contains(&count) && indexes.has(lookup);
    let exact = filter.event_type.iter().all(|pattern| matches!(pattern, Pattern::Exact(_)));
    if few(filter.user_id.len(), Lookup::User) {
        unique(&filter.user_id).map(|user| EventFilter { user_id: vec![user], ..filter.clone() }).collect()
    } else if few(filter.event_type.len(), Lookup::EventType) && exact {
        unique(&filter.event_type)
            .map(|event_type| EventFilter { event_type: vec![event_type], ..filter.clone() })
            .collect()
    } else if few(filter.organization_id.len(), Lookup::Organization) {
        unique(&filter.organization_id)
            .map(|own| EventFilter { organization_id: vec![own], ..filter.clone() })
            .collect()
    } else {
        vec![filter.clone()]
    }
}

/// Each value once: a repeated one would give its rows twice.
fn unique<T: Clone + PartialEq>(values: &[T]) -> impl Iterator<Item = T> {
    values
        .iter()
        .enumerate()
        .filter(|(nth, value)| !values[..*nth].contains(value))
        .map(|(_, value)| value.clone())
}

/// Whether an index gives the page's order for this filter, so that a sort can only be a mistake of the planner. Without
/// an index of its own a filter is looked for along the index of time, which has the order.
fn is_ordered_by_index(filter: &EventFilter, indexes: UsableIndexes) -> bool {
    let single = |patterns: &[Pattern]| patterns.is_empty() || matches!(patterns, [Pattern::Exact(_)]);
    (single(&filter.event_type) || !indexes.has(Lookup::EventType))
        && (filter.user_id.len() <= 1 || !indexes.has(Lookup::User))
        && (filter.organization_id.len() <= 1 || !indexes.has(Lookup::Organization))
}

/// How many events match, at most `cap` of them.
pub(super) fn count(
    filter: &EventFilter,
    scope: &Scope,
    cap: Option<u32>,
    indexes: UsableIndexes,
) -> Statement {
    let mut statement = Statement::default();
    let (filter, looked_up) = search::by_index(filter, indexes, Bounds::Wide);
    let mut all = conditions(&mut statement, scope, &filter);
    looked_up.add(&mut statement, &mut all);
    let all = all.to_sql();
    let limit = cap.map(|cap| format!(" limit {cap}")).unwrap_or_default();
    statement.push(&format!(
        "select count(*) from (select from audit.events_visible e where {all}{limit}) counted"
    ));
    statement
}

/// How many events match, by action, and the newest of them.
pub(super) fn by_action(filter: &EventFilter, scope: &Scope) -> Statement {
    let mut statement = Statement::default();
    let all = conditions(&mut statement, scope, filter).to_sql();
    statement.push(&format!(
        r#"select e.action, count(*), max(e."timestamp") from audit.events_visible e where {all} group by e.action order by e.action"#
    ));
    statement
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_users(users: &[&str]) -> EventFilter {
        EventFilter { user_id: users.iter().map(ToString::to_string).collect(), ..EventFilter::default() }
    }

    const ALL: UsableIndexes = UsableIndexes::ALL;
    const NONE: UsableIndexes = UsableIndexes::NONE;

    #[test]
    fn repeated_values_become_branches_without_repetition() {
        assert_eq!(branches(&with_users(&["a", "b", "a"]), ALL), [with_users(&["a"]), with_users(&["b"])]);
        assert_eq!(branches(&with_users(&["a"]), ALL), [with_users(&["a"])]);
        let many: Vec<String> = (0..17).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(branches(&with_users(&many), ALL), [with_users(&many)]);
        // Without the index each branch would walk through everything.
        assert_eq!(branches(&with_users(&["a", "b"]), NONE), [with_users(&["a", "b"])]);
        assert!(is_ordered_by_index(&with_users(&["a", "b"]), NONE));
        assert!(!is_ordered_by_index(&with_users(&["a", "b"]), ALL));
    }

    #[test]
    fn an_aggregate_or_a_correlation_is_selective() {
        let mut filter = EventFilter { aggregate_id: vec!["o".to_owned()], ..EventFilter::default() };
        assert!(!is_selective(&filter, ALL));
        filter.aggregate_type = vec![Pattern::parse("Ord*")];
        assert!(!is_selective(&filter, ALL));
        filter.aggregate_type = vec![Pattern::parse("Order")];
        assert!(is_selective(&filter, NONE));
        let caused = EventFilter { causation_id: vec!["c".to_owned()], ..EventFilter::default() };
        assert!(is_selective(&caused, ALL) && !is_selective(&caused, NONE));
    }
}
