//! The names by which each document's addresses take what the canonical filters take.

use shared::{
    filter::{EventFilter, Pattern, leaves_accesses_out},
    problem::ProblemType,
};

use crate::{request::Parameters, respond::Problem};

/// One document's parameters.
pub(super) struct Names {
    pub(super) user: &'static str,
    pub(super) event_type: &'static str,
    pub(super) resource_type: &'static str,
    pub(super) resource_id: &'static str,
    pub(super) organization: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

/// Document 000 writes its fields in snake case (A30).
pub(super) const OF_000: Names = Names {
    user: "user_id",
    event_type: "event_type",
    resource_type: "resource_type",
    resource_id: "resource_id",
    organization: "organization_id",
    from: "start_date",
    to: "end_date",
};

/// Document 001 (B09).
pub(super) const OF_001: Names = Names {
    user: "userId",
    event_type: "eventType",
    resource_type: "resourceType",
    resource_id: "resourceId",
    organization: "organizationId",
    from: "startDate",
    to: "endDate",
};

/// Document 004 names what its addresses filter by, not how (E19): its entities' members, and 001's dates.
pub(super) const OF_004: Names = Names { resource_type: "entityType", resource_id: "entityId", ..OF_001 };

impl Names {
    /// The filter that the parameters make; `*` works in the types as everywhere (semantics.md 7).
    pub(super) fn filter(&self, parameters: &mut Parameters) -> Result<EventFilter, Problem> {
        let (from, to) = parameters.range(self.from, self.to)?;
        let patterns = |values: Vec<String>| values.iter().map(|text| Pattern::parse(text)).collect();
        let aggregate_type: Vec<Pattern> = patterns(parameters.many(self.resource_type)?);
        let event_type: Vec<Pattern> = patterns(parameters.many(self.event_type)?);
        Ok(EventFilter {
            from,
            to,
            without_accesses: leaves_accesses_out(&event_type, &aggregate_type),
            event_type,
            aggregate_type,
            aggregate_id: parameters.many(self.resource_id)?,
            user_id: parameters.many(self.user)?,
            organization_id: parameters.many_or_empty(self.organization),
            ..EventFilter::default()
        })
    }

    /// A remedy names the parameters that this address has.
    pub(super) fn told<T>(&self, answer: Result<T, Problem>) -> Result<T, Problem> {
        answer.map_err(|problem| {
            if problem.kind() != ProblemType::QueryTooBroad {
                return problem;
            }
            let detail = problem
                .detail()
                .replace(
                    "aggregateType and aggregateId",
                    &format!("{} and {}", self.resource_type, self.resource_id),
                )
                .replace("from and to", &format!("{} and {}", self.from, self.to))
                .replace("aggregateType", self.resource_type)
                .replace("organizationId", self.organization)
                .replace("eventType", self.event_type)
                .replace("userId", self.user);
            Problem::query_too_broad(detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_speaks_the_addresss_language() {
        let broad = || {
            Err::<(), _>(Problem::query_too_broad(
                "action has no index of its own: add aggregateType and aggregateId or userId, or give from and to, at most 31 days apart",
            ))
        };
        let detail = |names: &Names| names.told(broad()).expect_err("broad").detail().to_owned();
        assert_eq!(
            detail(&OF_000),
            "action has no index of its own: add resource_type and resource_id or user_id, or give start_date and end_date, at most 31 days apart"
        );
        assert!(detail(&OF_004).contains("entityType and entityId or userId, or give startDate and endDate"));
        let other = OF_000.told(Err::<(), _>(Problem::not_found("userId"))).expect_err("not found");
        assert_eq!(other.kind(), ProblemType::NotFound);
    }
}
