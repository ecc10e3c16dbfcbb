//! What a request asked for, read off its head before anybody has judged it: it may be anything.

use axum::{
    extract::{FromRequestParts as _, MatchedPath, RawPathParams},
    http::{HeaderMap, Method, header, request::Parts},
};
use percent_encoding::percent_decode_str;
use service::http::Peer;
use shared::access::{AskedParameter, MOST_PARAMETERS, storable};

use super::{Operations, operations::Operation};
use crate::observe::RequestId;

/// The longest `User-Agent` that is kept, in bytes.
const LONGEST_AGENT: usize = 512;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The operation's id, or method and path for what has none.
    pub operation: String,
    /// The method.
    pub method: Method,
    /// The route, as a template.
    pub path: String,
    /// The parameters of path and query.
    pub parameters: Vec<AskedParameter>,
    /// The request's id.
    pub request_id: String,
    /// The peer's address.
    pub ip_address: Option<String>,
    /// What the peer says it is.
    pub user_agent: Option<String>,
}

impl Asked {
    /// Reads the head.
    pub async fn read(parts: &mut Parts, operations: &Operations) -> Self {
        let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
        let operation = operations.at(&parts.method, &route);
        let mut parameters = path_parameters(parts).await;
        parameters.extend(query_parameters(parts.uri.query().unwrap_or_default(), operation));
        parameters.truncate(MOST_PARAMETERS);
        Self {
            operation: operation
                .map_or_else(|| format!("{} {route}", parts.method), |known| known.id.clone()),
            method: parts.method.clone(),
            path: route,
            parameters,
            request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
            ip_address: parts.extensions.get::<Peer>().map(|peer| peer.0.ip().to_string()),
            user_agent: user_agent(&parts.headers),
        }
    }
}

async fn path_parameters(parts: &mut Parts) -> Vec<AskedParameter> {
    let parameter =
        |name: &str, value: &str| AskedParameter { name: storable(name), value: Some(storable(value)) };
    match RawPathParams::from_request_parts(parts, &()).await {
        Ok(found) => found.iter().map(|(name, value)| parameter(name, value)).collect(),
        // Not UTF-8: refused inside, and recorded as near as text can be.
        Err(_) => vec![parameter("path", &lossy(parts.uri.path()))],
    }
}

fn query_parameters<'a>(
    query: &'a str,
    operation: Option<&'a Operation>,
) -> impl Iterator<Item = AskedParameter> + 'a {
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).take(MOST_PARAMETERS);
    pairs.map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = storable(&lossy(name));
        let shown = operation.is_some_and(|operation| operation.shows(&name));
        AskedParameter { value: shown.then(|| storable(&lossy(value))), name }
    })
}

/// As [`crate::request::Parameters`] decodes, but never refusing.
fn lossy(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(LONGEST_AGENT).collect())
}
