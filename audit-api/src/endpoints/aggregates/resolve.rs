//! Which aggregate a path means: type and id name one per organisation (semantics.md 2).

use shared::{problem::ProblemType, scope::Scope};
use store::AggregateKey;

use crate::{
    measure,
    request::{Parameters, filter, path},
    respond::Problem,
    state::Api,
};

/// What a path and `organizationId` say.
pub(super) struct Named {
    aggregate_type: String,
    aggregate_id: String,
    organization: Option<String>,
}

impl Named {
    /// Takes the path's parts and the parameter.
    pub(super) fn read((kind, id): (String, String), parameters: &mut Parameters) -> Result<Self, Problem> {
        let mut organizations = parameters.many_or_empty("organizationId");
        if organizations.len() > 1 {
            return Err(Problem::parameter(
                "organizationId",
                "is given more than once: an aggregate has one",
            ));
        }
        Ok(Self {
            aggregate_type: path::id("type", kind)?,
            aggregate_id: path::id("id", id)?,
            organization: organizations.pop(),
        })
    }

    /// The one aggregate that the caller can mean: 404 when there is none, 409 when there are several.
    pub(super) async fn resolve(self, api: &Api, scope: &Scope) -> Result<AggregateKey, Problem> {
        let Self { aggregate_type, aggregate_id, organization } = self;
        let within = match &organization {
            None => scope.clone(),
            Some(organization) => {
                filter::within(scope, std::slice::from_ref(organization))?;
                // "No organisation" is nobody's scope; whoever may name it sees all.
                if organization.is_empty() { Scope::All } else { Scope::Organization(organization.clone()) }
            }
        };
        let search = api.reader.organizations_of(&within, &aggregate_type, &aggregate_id);
        let mut found = measure::query("organizations", search).await?;
        if let Some(named) = organization {
            // The least two are answered, and '' is the least of all.
            found.retain(|organization| *organization == named);
        }
        match (found.pop(), found.is_empty()) {
            (None, _) => Err(Problem::not_found("aggregate of this type and id")),
            (Some(organization_id), true) => {
                Ok(AggregateKey { organization_id, aggregate_type, aggregate_id })
            }
            (Some(_), false) => Err(Problem::new(
                ProblemType::AmbiguousAggregate,
                "several organisations have an aggregate of this type and id: give organizationId",
            )),
        }
    }
}
