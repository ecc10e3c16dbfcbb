//! What a list may ask for without a bound (semantics.md 7): nothing that would read the whole store.

use shared::filter::{EventFilter, Pattern};

use crate::respond::Problem;

/// The longest range of event time that counts as a bound: 31 days, in microseconds.
const LONGEST_RANGE: i64 = 31 * 24 * 3600 * 1_000_000;

/// Refuses with `query-too-broad`, naming the remedy.
pub fn check(filter: &EventFilter) -> Result<(), Problem> {
    if has_short_range(filter) {
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
    let without_index = [
        ("source", !filter.source.is_empty()),
        ("action", !filter.action.is_empty()),
        ("recordedFrom", filter.recorded_from.is_some()),
        ("recordedTo", filter.recorded_to.is_some()),
    ];
    match without_index.into_iter().find(|(_, given)| *given) {
        Some((name, _)) if !has_index(filter) => Err(too_broad(
            name,
            "has no index of its own",
            "add aggregateType and aggregateId, userId or correlationId, or give from and to, at most 31 days apart",
        )),
        _ => Ok(()),
    }
}

fn too_broad(name: &str, why: &str, remedy: &str) -> Problem {
    Problem::query_too_broad(format!("{name} {why}: {remedy}"))
}

fn has_short_range(filter: &EventFilter) -> bool {
    match (filter.from, filter.to) {
        (Some(from), Some(to)) => to.as_micros() - from.as_micros() <= LONGEST_RANGE,
        _ => false,
    }
}

fn has_index(filter: &EventFilter) -> bool {
    let exact = |patterns: &[Pattern]| {
        !patterns.is_empty() && patterns.iter().all(|pattern| matches!(pattern, Pattern::Exact(_)))
    };
    let aggregate = !filter.aggregate_id.is_empty() && exact(&filter.aggregate_type);
    aggregate
        || !filter.user_id.is_empty()
        || !filter.correlation_id.is_empty()
        || !filter.causation_id.is_empty()
}

#[cfg(test)]
mod tests {
    use crate::request::{Parameters, filter};

    fn refused(query: &str) -> bool {
        let mut parameters = Parameters::read(Some(query)).expect("readable");
        super::check(&filter::read(&mut parameters).expect("a filter")).is_err()
    }

    #[test]
    fn filters_without_an_index_need_a_bound() {
        let days = |n| format!("from=2025-01-01T00:00:00Z&to=2025-{n}T00:00:00Z");
        for query in [
            "source=a",
            "action=a",
            "recordedFrom=2025-01-01T00:00:00Z",
            "recordedTo=2025-01-01T00:00:00Z",
            "eventType=*x",
            "aggregateType=a*b",
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
    fn indexed_filters_need_none() {
        for query in
            ["", "eventType=a", "eventType=a*", "userId=u", "organizationId=o", "from=1948-01-01T00:00:00Z"]
        {
            assert!(!refused(query), "{query}");
        }
    }
}
