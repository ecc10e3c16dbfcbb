//! What went wrong between us and the API (RFC 9457 problem documents).

use reqwest::{Response, StatusCode};
use serde::Deserialize;

use crate::outcome::UsageError;

/// A request that got no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No answer at all.
    #[error("cannot reach the API at {url}: {}", credentials::refusal(source, "the variable SSL_CERT_FILE").unwrap_or_else(|| "is it running? (`cargo xtask status`; --api names another)".to_owned()))]
    Unreachable {
        /// The API's address.
        url: String,
        /// What the connection said.
        source: reqwest::Error,
    },
    /// The API refused.
    #[error("the API answered {status}: {message}{}", request_id.as_deref().map(|id| format!(" (request {id})")).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// Title, detail and single errors of the problem document.
        message: String,
        /// The slug at the end of the problem's type.
        kind: String,
        /// The id under which the server logged it.
        request_id: Option<String>,
    },
    /// An id that no URL path can hold.
    #[error("{0:?} cannot stand in a URL's path: use `trailctl events --aggregate-type … --aggregate-id …`")]
    NotAPath(String),
}

impl ApiError {
    /// Whether another try may go better: no answer, or the server's own trouble.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => {
                status.is_server_error()
                    || matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
            Self::NotAPath(_) => false,
        }
    }

    /// The error for [`crate::outcome::report`]: what the caller can put right by another call is a usage error.
    pub fn into_anyhow(self) -> anyhow::Error {
        match &self {
            Self::Refused { status, .. }
                if matches!(*status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY) =>
            {
                anyhow::Error::new(UsageError(self.to_string()))
            }
            Self::NotAPath(_) => anyhow::Error::new(UsageError(self.to_string())),
            _ => anyhow::Error::new(self),
        }
    }
}

/// The members of a problem document that people need.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    r#type: String,
    title: String,
    detail: Option<String>,
    errors: Vec<serde_json::Value>,
}

/// Reads at most this much of a refusal, in bytes.
const LARGEST: usize = 64 * 1024;

/// Makes the error of an answer that is not a success.
pub async fn read(mut response: Response) -> ApiError {
    let status = response.status();
    let request_id =
        response.headers().get("x-request-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            break;
        }
    }
    let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
    let kind = problem.r#type.rsplit(['/', '#', ':']).next().unwrap_or_default().to_owned();
    ApiError::Refused { status, message: describe(&problem, status), kind, request_id }
}

fn describe(problem: &Problem, status: StatusCode) -> String {
    let mut text = if problem.title.is_empty() {
        status.canonical_reason().unwrap_or("no reason given").to_owned()
    } else {
        problem.title.clone()
    };
    if let Some(detail) = &problem.detail {
        text.push_str(": ");
        text.push_str(detail);
    }
    for error in problem.errors.iter().take(10) {
        text.push_str("; ");
        text.push_str(&error.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: StatusCode) -> ApiError {
        ApiError::Refused { status, message: String::new(), kind: String::new(), request_id: None }
    }

    #[test]
    fn what_another_call_puts_right_is_usage() {
        let usage = |error: ApiError| error.into_anyhow().is::<UsageError>();
        assert!(usage(refused(StatusCode::UNPROCESSABLE_ENTITY)));
        assert!(usage(ApiError::NotAPath(".".to_owned())));
        assert!(!usage(refused(StatusCode::FORBIDDEN)));
        assert!(!usage(refused(StatusCode::SERVICE_UNAVAILABLE)));
    }

    #[test]
    fn only_passing_trouble_is_tried_again() {
        assert!(refused(StatusCode::SERVICE_UNAVAILABLE).is_passing());
        assert!(!refused(StatusCode::UNAUTHORIZED).is_passing());
    }
}
