//! What every handler under `/v1` gets: who asks, and what for.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Uri, request::Parts},
};

use crate::{auth::Caller, request::Parameters, respond::Problem};

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
