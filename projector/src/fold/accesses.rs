//! Who looked: the records of accesses, each under itself and under whom and what it named.

use std::collections::{BTreeMap, BTreeSet};

use shared::{access::Access, filter::ACCESS_TYPE};
use store::projections::{About, AccessChange};

use super::Seen;

/// The rows of an event; none when it records no access, or is one that this build cannot read.
pub(super) fn rows(seen: &Seen<'_>) -> Vec<AccessChange> {
    let facts = &seen.facts;
    if facts.aggregate_type != ACCESS_TYPE {
        return Vec::new();
    }
    let Ok(access) = serde_json::from_str::<Access>(facts.payload) else { return Vec::new() };
    let mut metadata: BTreeMap<String, String> = serde_json::from_str(facts.metadata).unwrap_or_default();
    let ip_address = metadata.remove("ipAddress");
    let mut about = BTreeSet::from([About::Itself]);
    about.extend(access.subjects.iter().map(|user| About::User(user.clone())));
    about.extend(access.aggregates.iter().map(|named| About::Aggregate {
        kind: named.aggregate_type.clone().unwrap_or_default(),
        id: named.aggregate_id.clone(),
    }));
    let row = |about| AccessChange {
        event_id: facts.event_id,
        accessed_at: facts.timestamp,
        position: seen.position,
        organization_id: facts.organization_id.to_owned(),
        about,
        accessor_id: access.accessor.id.clone(),
        operation: access.operation.clone(),
        outcome: access.outcome,
        ip_address: ip_address.clone(),
        payload: facts.payload.to_owned(),
    };
    about.into_iter().map(row).collect()
}
