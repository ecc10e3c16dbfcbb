//! What a list may ask for without a bound (semantics.md 7): nothing that would read the whole store.

use shared::{
    filter::{EventFilter, Pattern},
    payload_query::PayloadQuery,
    scope::Scope,
    text_query::{TextFields, TextQuery},
    timestamp::Timestamp,
};
use store::indexes::{Lookup, UsableIndexes};

use crate::respond::Problem;

/// The longest range of event time that counts as a bound: 31 days, in microseconds.
const LONGEST_RANGE: i64 = 31 * 24 * 3600 * 1_000_000;

/// Refuses with `query-too-broad`, naming the remedy.
///
/// A scope of one organisation is no filter: its events are listed whatever indexes there are, in short pages when need
/// be, and naming that organisation as well changes nothing.
pub fn check(filter: &EventFilter, scope: &Scope, indexes: UsableIndexes) -> Result<(), Problem> {
    if is_short(filter.from, filter.to) {
        return Ok(());
    }
    let glob = [("eventType", &filter.event_type), ("aggregateType", &filter.aggregate_type)]
        .into_iter()
        .find(|(_, patterns)| patterns.iter().any(|pattern| matches!(pattern, Pattern::Glob(_))));
    if let Some((name, _)) = glob {
        return Err(too_broad(
            name,
            "uses * elsewhere than at the end",
            "give from and to, at most 31 days apart",
        ));
    }
    if is_narrow(filter, indexes) {
        return Ok(());
    }
    let without_index = [
        ("source", !filter.source.is_empty()),
        ("action", !filter.action.is_empty()),
        ("recordedFrom", filter.recorded_from.is_some()),
        ("recordedTo", filter.recorded_to.is_some()),
    ];
    if let Some((name, _)) = without_index.into_iter().find(|(_, given)| *given) {
        return Err(too_broad(name, "has no index of its own", &remedy(indexes)));
    }
    if filter.payload.is_some() {
        return Err(payload_too_broad(indexes));
    }
    match absent(filter, scope, indexes) {
        Some(name) => Err(too_broad(
            name,
            "has no index in this database",
            &format!("{}; an operator can build the index: `trailctl index --set standard`", remedy(indexes)),
        )),
        None => Ok(()),
    }
}

/// The question for words, `q`, to the index that this database has for it; refused where it has none.
pub fn text(words: String, fields: Option<TextFields>) -> Result<TextQuery, Problem> {
    let Some(fields) = fields else {
        let remedy = "an operator can build one over the fields that he chooses: `trailctl index create fulltext --field /description`";
        return Err(too_broad("q", "has no index in this database", remedy));
    };
    TextQuery::new(words, fields).map_err(|error| Problem::parameter("q", &error.to_string()))
}

/// Refuses a question that is answered along one index alone, where this database does not have it.
pub fn needs(lookup: Lookup, what: &str, indexes: UsableIndexes) -> Result<(), Problem> {
    if indexes.has(lookup) {
        return Ok(());
    }
    Err(too_broad(
        what,
        "has no index in this database",
        "an operator can build it: `trailctl index --set standard`",
    ))
}

fn payload_too_broad(indexes: UsableIndexes) -> Problem {
    let remedy = remedy(indexes);
    if indexes.has(Lookup::Payload) {
        return too_broad("payload", "names no value, so no index leads to it", &remedy);
    }
    let remedy = format!("{remedy}; an operator can build an index: `trailctl index create payload`");
    too_broad("payload", "has no index in this database", &remedy)
}

fn too_broad(name: &str, why: &str, remedy: &str) -> Problem {
    Problem::query_too_broad(format!("{name} {why}: {remedy}"))
}

/// What would make the query narrow, as far as this database has the indexes for it.
fn remedy(indexes: UsableIndexes) -> String {
    let mut narrowing = vec!["aggregateType and aggregateId"];
    for (lookup, name) in
        [(Lookup::User, "userId"), (Lookup::Correlation, "correlationId"), (Lookup::Causation, "causationId")]
    {
        if indexes.has(lookup) {
            narrowing.push(name);
        }
    }
    let last = narrowing.pop().unwrap_or_default();
    let list =
        if narrowing.is_empty() { last.to_owned() } else { format!("{} or {last}", narrowing.join(", ")) };
    format!("add {list}, or give from and to, at most 31 days apart")
}

/// Whether the range counts as a bound.
pub fn is_short(from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
    match (from, to) {
        (Some(from), Some(to)) => to.as_micros() - from.as_micros() <= LONGEST_RANGE,
        _ => false,
    }
}

/// Whether an index leads to few events.
fn is_narrow(filter: &EventFilter, indexes: UsableIndexes) -> bool {
    let exact = |patterns: &[Pattern]| {
        !patterns.is_empty() && patterns.iter().all(|pattern| matches!(pattern, Pattern::Exact(_)))
    };
    let aggregate = !filter.aggregate_id.is_empty() && exact(&filter.aggregate_type);
    aggregate
        || (!filter.user_id.is_empty() && indexes.has(Lookup::User))
        || (!filter.correlation_id.is_empty() && indexes.has(Lookup::Correlation))
        || (!filter.causation_id.is_empty() && indexes.has(Lookup::Causation))
        || (filter.payload.as_ref().is_some_and(PayloadQuery::has_scalar) && indexes.has(Lookup::Payload))
        || filter.text.is_some()
}

/// The first filter whose index this database does not have.
fn absent(filter: &EventFilter, scope: &Scope, indexes: UsableIndexes) -> Option<&'static str> {
    let of_another = scope.organization().is_none() && !filter.organization_id.is_empty();
    [
        ("eventType", !filter.event_type.is_empty(), Lookup::EventType),
        ("userId", !filter.user_id.is_empty(), Lookup::User),
        ("organizationId", of_another, Lookup::Organization),
        ("correlationId", !filter.correlation_id.is_empty(), Lookup::Correlation),
        ("causationId", !filter.causation_id.is_empty(), Lookup::Causation),
    ]
    .into_iter()
    .find(|(_, given, lookup)| *given && !indexes.has(*lookup))
    .map(|(name, ..)| name)
}

#[cfg(test)]
mod tests {
    use shared::scope::Scope;
    use store::indexes::{Lookup, UsableIndexes};

    use crate::{
        request::{Parameters, filter},
        respond::Problem,
    };

    const ALL: UsableIndexes = UsableIndexes::ALL;
    const NONE: UsableIndexes = UsableIndexes::NONE;

    fn check(query: &str, scope: &Scope, indexes: UsableIndexes) -> Result<(), Problem> {
        let mut parameters = Parameters::read(Some(query)).expect("readable");
        super::check(&filter::read(&mut parameters).expect("a filter"), scope, indexes)
    }

    fn refused(query: &str) -> bool {
        check(query, &Scope::All, ALL).is_err()
    }

    fn days(end: &str) -> String {
        format!("from=2025-01-01T00:00:00Z&to=2025-{end}T00:00:00Z")
    }

    #[test]
    fn filters_without_an_index_need_a_bound() {
        for query in [
            "source=a",
            "action=a",
            "recordedFrom=2025-01-01T00:00:00Z",
            "recordedTo=2025-01-01T00:00:00Z",
            "eventType=*x",
            "aggregateType=a*b",
            "payload={}",
            "payload={\"a\":1}",
        ] {
            assert!(refused(query), "{query}");
            assert!(refused(&format!("{query}&{}", days("02-02"))), "{query} over 32 days");
            assert!(!refused(&format!("{query}&{}", days("02-01"))), "{query} over 31 days");
        }
        for bound in ["userId=u", "correlationId=c", "causationId=c", "aggregateType=A&aggregateId=1"] {
            assert!(!refused(&format!("source=a&{bound}")), "{bound}");
        }
        assert!(refused("source=a&aggregateId=1"));
        assert!(refused("source=a&organizationId=o"));
    }

    #[test]
    fn payloads_need_a_bound_or_their_index_and_a_value() {
        let with = ALL.with(Lookup::Payload);
        for (query, indexes, remedy) in [
            ("payload={\"a\":1}", ALL, Some("`trailctl index create payload`")),
            ("payload={\"a\":1}", with, None),
            ("payload={\"a\":{}}", with, Some("names no value")),
            ("payload={\"a\":{}}&userId=u", ALL, None),
        ] {
            match (check(query, &Scope::All, indexes), remedy) {
                (Ok(()), None) => {}
                (Err(problem), Some(remedy)) => {
                    assert!(problem.detail().starts_with("payload "), "{}", problem.detail());
                    assert!(problem.detail().contains(remedy), "{}", problem.detail());
                    assert!(problem.detail().contains("add aggregateType and aggregateId"));
                }
                (other, _) => panic!("{query}: {other:?}"),
            }
        }
    }

    #[test]
    fn indexed_filters_need_none() {
        for query in
            ["", "eventType=a", "eventType=a*", "userId=u", "organizationId=o", "from=1948-01-01T00:00:00Z"]
        {
            assert!(!refused(query), "{query}");
        }
    }

    #[test]
    fn a_filter_whose_index_is_absent_needs_a_bound_too() {
        for (query, lookup) in [
            ("eventType=a", Lookup::EventType),
            ("eventType=a*", Lookup::EventType),
            ("userId=u", Lookup::User),
            ("organizationId=o", Lookup::Organization),
            ("organizationId=", Lookup::Organization),
            ("correlationId=c", Lookup::Correlation),
            ("causationId=c", Lookup::Causation),
        ] {
            let problem = check(query, &Scope::All, NONE).expect_err(query);
            let name = query.split('=').next().expect("a name");
            assert!(problem.detail().starts_with(&format!("{name} has no index in")), "{}", problem.detail());
            assert!(problem.detail().contains("trailctl index --set standard"), "{}", problem.detail());
            assert!(check(query, &Scope::All, NONE.with(lookup)).is_ok(), "{query}");
            for bound in [days("02-01"), "aggregateType=A&aggregateId=1".to_owned()] {
                assert!(check(&format!("{query}&{bound}"), &Scope::All, NONE).is_ok(), "{query}&{bound}");
            }
            assert!(check(&format!("{query}&{}", days("02-02")), &Scope::All, NONE).is_err(), "{query}");
        }
        // Another index narrows as well; the remedy names only what this database has.
        assert!(check("userId=u&correlationId=c", &Scope::All, NONE.with(Lookup::Correlation)).is_ok());
        let problem = check("source=a", &Scope::All, NONE.with(Lookup::User)).expect_err("too broad");
        assert!(
            problem.detail().contains("add aggregateType and aggregateId or userId, or give"),
            "{}",
            problem.detail()
        );
        assert!(check("", &Scope::All, NONE).is_ok());
    }

    #[test]
    fn an_organisation_lists_its_own_events_without_an_index() {
        let own = Scope::Organization("o".to_owned());
        for query in ["", "organizationId=o", "from=1948-01-01T00:00:00Z"] {
            assert!(check(query, &own, NONE).is_ok(), "{query}");
        }
        for query in ["userId=u", "eventType=a&organizationId=o", "source=a"] {
            assert!(check(query, &own, NONE).is_err(), "{query}");
        }
    }
}
