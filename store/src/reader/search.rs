//! Search in payloads (semantics.md 7, 9): what contains what as `jsonb @>` says, protected values left out, and no row so
//! odd that it ends the search (`audit.searchable`, in the migrations).

use shared::filter::EventFilter;
use shared::payload_query::PayloadQuery;
use shared::text_query::TextQuery;
use shared::timestamp::Timestamp;

use super::conditions::Conditions;
use super::page::Bounds;
use super::statement::Statement;
use crate::indexes::{Lookup, UsableIndexes};
use crate::sql_types::{Jsonb, Micros};

/// Payloads that contain this, looked at one by one: what other conditions leave.
///
/// Most are told apart by their text, a tenth of what reading them as JSON takes: one without a backslash says each of its
/// strings literally, so it must hold the question's. The call keeps an index over payloads out of plans that have their
/// order from another.
pub(super) fn contains(statement: &mut Statement, all: &mut Conditions, query: &PayloadQuery) {
    let words: Vec<String> = query
        .words()
        .iter()
        .map(|word| format!("strpos(e.payload::text, {}) > 0", statement.bind(word.clone())))
        .collect();
    if !words.is_empty() {
        all.add(format!(r"({} or strpos(e.payload::text, '\') > 0)", words.join(" and ")));
    }
    let wanted = statement.bind(Jsonb(query.text().to_owned()));
    all.add(format!("jsonb_contains(audit.searchable(e.payload), {wanted})"));
}

/// Payloads that mention these words in the fields. The fields are written into the statement, because that makes it the
/// expression of their index; they hold nothing that would need quotes.
pub(super) fn mentions(statement: &mut Statement, all: &mut Conditions, query: &TextQuery) {
    let words = statement.bind(query.words().to_owned());
    all.add(format!(
        "audit.words(e.payload, '{}') @@ (select websearch_to_tsquery('simple', {words}))",
        query.fields()
    ));
}

/// Whether an index over payloads leads to what is looked for.
pub(super) fn has_index(filter: &EventFilter, indexes: UsableIndexes) -> bool {
    contains_by_index(filter, indexes) || (filter.text.is_some() && indexes.has(Lookup::Text))
}

fn contains_by_index(filter: &EventFilter, indexes: UsableIndexes) -> bool {
    indexes.has(Lookup::Payload) && filter.payload.as_ref().is_some_and(PayloadQuery::has_scalar)
}

/// The same database as if it had no index over payloads.
pub(super) fn without_index(indexes: UsableIndexes) -> UsableIndexes {
    indexes.without(Lookup::Payload).without(Lookup::Text)
}

/// A filter without what is asked otherwise where an index over payloads leads, and that.
pub(super) struct LookedUp {
    payload: Option<PayloadQuery>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// Takes out of the filter what an index over payloads answers, and bounds of time that would be looked up beside it.
pub(super) fn by_index(
    filter: &EventFilter,
    indexes: UsableIndexes,
    bounds: Bounds,
) -> (EventFilter, LookedUp) {
    let mut rest = filter.clone();
    let payload = if contains_by_index(filter, indexes) { rest.payload.take() } else { None };
    let is_wide = bounds == Bounds::Wide && has_index(filter, indexes);
    let (from, to) = if is_wide { (rest.from.take(), rest.to.take()) } else { (None, None) };
    (rest, LookedUp { payload, from, to })
}

impl LookedUp {
    pub(super) fn add(self, statement: &mut Statement, all: &mut Conditions) {
        if let Some(query) = self.payload {
            let wanted = statement.bind(Jsonb(query.text().to_owned()));
            all.add(format!("audit.searchable(e.payload) @> {wanted}"));
        }
        for (operator, time) in [(">=", self.from), ("<", self.to)] {
            if let Some(time) = time {
                all.add(prunes(operator, &statement.bind(Micros(time))));
            }
        }
    }
}

/// A bound of time that leaves partitions out and is no condition of an index: `all` is none. The planner takes a range
/// it does not know for a two-hundredth of a partition, and would read the index over all of it.
pub(super) fn prunes(operator: &str, time: &str) -> String {
    format!(r#"e."timestamp" {operator} all(array[{time}::timestamptz])"#)
}
