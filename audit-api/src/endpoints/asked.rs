//! What every handler under `/v1` gets: who asks and what for, and which server answers.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Uri, request::Parts},
};

use crate::{auth::Caller, replica::FromStandby, request::Parameters, respond::Problem, state::Api};

/// A request of a known caller.
pub struct Asked {
    /// Who asks.
    pub caller: Caller,
    /// The headers.
    pub headers: HeaderMap,
    /// The address.
    pub uri: Uri,
    /// The query parameters, none taken yet.
    pub parameters: Parameters,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(caller) = parts.extensions.get::<Caller>().cloned() else {
            // A route outside the authentication layer: a defect of the router, refused rather than served.
            tracing::error!("a route under /v1 has no authentication");
            return Err(Problem::internal());
        };
        let parameters = Parameters::read(parts.uri.query())?;
        Ok(Self { caller, headers: parts.headers.clone(), uri: parts.uri.clone(), parameters })
    }
}

/// The API as it serves this request: reading from a standby where [`replica`](crate::replica) has sent it there, else from
/// the primary. For what only reads events; whatever must know what was done a moment ago takes the state itself.
pub struct Serving(pub Arc<Api>);

impl FromRequestParts<Arc<Api>> for Serving {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Infallible> {
        let standby = parts.extensions.get::<FromStandby>().map(|FromStandby(api)| Arc::clone(api));
        Ok(Self(standby.unwrap_or_else(|| Arc::clone(api))))
    }
}
