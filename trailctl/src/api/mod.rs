//! The HTTP API as a client sees it: where it is, who asks, what went wrong.

pub mod lines;
pub mod problem;
pub mod sse;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use reqwest::{Method, Response, Url, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::{outcome, session::Session};

/// Where the API is when nothing says otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";
/// NDJSON, the unpaged form of every list.
pub const NDJSON: &str = "application/x-ndjson";
/// An Avro object container file.
pub const AVRO: &str = "application/vnd.apache.avro";
/// CSV, with a header line.
pub const CSV: &str = "text/csv";
/// Server-sent events.
pub const EVENT_STREAM: &str = "text/event-stream";
/// One document.
pub const JSON: &str = "application/json";

/// How to reach the API. A token is never an argument: other users of the machine could read it there.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "API options")]
pub struct ApiOptions {
    /// The API's URL [default: that of a local `cargo xtask up`, else http://127.0.0.1:8080]
    #[arg(long = "api", env = "AUDIT_API_URL", hide_env_values = true, value_name = "URL")]
    url: Option<String>,
    /// A file that holds the bearer token; without it the variable AUDIT_TOKEN, then the local stack's token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A client of one API, as one caller.
pub struct ApiClient {
    http: reqwest::Client,
    base: Url,
    token: SecretString,
}

impl ApiClient {
    /// Finds the API and the token; nothing is sent yet.
    pub fn new(options: &ApiOptions, session: &Session) -> anyhow::Result<Self> {
        let stack = if options.url.is_none() { session.local_stack() } else { None };
        let from_stack = stack.as_ref().and_then(|stack| stack.api.clone());
        let url =
            options.url.clone().or_else(|| from_stack.clone()).unwrap_or_else(|| DEFAULT_URL.to_owned());
        let base = Url::parse(&url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| outcome::usage(format!("--api: {url:?} is not an http or https URL")))?;
        let local_token = stack.filter(|_| from_stack.is_some()).and_then(|stack| stack.tokens?.global_admin);
        let token = token(options, local_token)?;
        // Compression costs more than it saves when nothing but this machine lies between.
        let far = !matches!(base.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
        let http = reqwest::Client::builder()
            .user_agent(concat!("trailctl/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .gzip(far)
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Self { http, base, token })
    }

    /// The API's address, for messages.
    pub fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Sends a GET and answers only a success; a problem document becomes an error that says what to do.
    ///
    /// `silence` is how long the body may stay silent before the connection counts as dead.
    pub async fn get(&self, request: Request<'_>) -> Result<Response, problem::ApiError> {
        let mut builder = self
            .http
            .get(self.address(request.path, request.query)?)
            .header(header::ACCEPT, request.accept)
            .bearer_auth(self.token.expose_secret());
        if let Some(id) = request.last_event_id {
            builder = builder.header("Last-Event-ID", id);
        }
        if let Some(timeout) = request.timeout {
            builder = builder.timeout(timeout);
        }
        let response = builder.send().await.map_err(|error| problem::ApiError::Unreachable {
            url: self.url().to_owned(),
            source: error.without_url(),
        })?;
        if response.status().is_success() { Ok(response) } else { Err(problem::read(response).await) }
    }

    /// Sends a POST without a body; the answer as text.
    pub async fn post_text(&self, path: &[&str]) -> Result<String, problem::ApiError> {
        self.send(Method::POST, path, None).await
    }

    /// Sends a request, with a JSON body when there is one; the answer as text.
    pub async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<String, problem::ApiError> {
        let unreachable = |error: reqwest::Error| problem::ApiError::Unreachable {
            url: self.url().to_owned(),
            source: error.without_url(),
        };
        let mut request = self.http.request(method, self.address(path, &[])?).header(header::ACCEPT, JSON);
        if let Some(body) = body {
            request = request.json(body);
        }
        let request = request.bearer_auth(self.token.expose_secret()).timeout(Duration::from_mins(1));
        let response = request.send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(problem::read(response).await);
        }
        response.text().await.map_err(unreachable)
    }

    /// One document as text.
    pub async fn get_text(
        &self,
        path: &[&str],
        query: &[(&'static str, String)],
    ) -> Result<String, problem::ApiError> {
        let timeout = Some(Duration::from_mins(1));
        let response = self.get(Request { path, query, accept: JSON, last_event_id: None, timeout }).await?;
        response.text().await.map_err(|error| problem::ApiError::Unreachable {
            url: self.url().to_owned(),
            source: error.without_url(),
        })
    }

    /// Ids may hold anything, so each segment is encoded by itself.
    fn address(&self, path: &[&str], query: &[(&'static str, String)]) -> Result<Url, problem::ApiError> {
        if let Some(&segment) = path.iter().find(|segment| matches!(**segment, "." | "..")) {
            return Err(problem::ApiError::NotAPath(segment.to_owned()));
        }
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

/// One GET.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The path, segment by segment, not encoded.
    pub path: &'a [&'a str],
    /// The query.
    pub query: &'a [(&'static str, String)],
    /// The media type wanted.
    pub accept: &'static str,
    /// Where a stream resumes.
    pub last_event_id: Option<&'a str>,
    /// How long the whole answer may take; `None` for a stream.
    pub timeout: Option<Duration>,
}

fn token(options: &ApiOptions, local: Option<String>) -> anyhow::Result<SecretString> {
    if let Some(path) = &options.token_file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| outcome::usage(format!("--token-file {}: {error}", path.display())))?;
        return Ok(SecretString::from(text.trim()));
    }
    std::env::var("AUDIT_TOKEN")
        .ok()
        .filter(|token| !token.trim().is_empty())
        .or(local)
        .map(|token| SecretString::from(token.trim()))
        .ok_or_else(|| {
            outcome::usage(
                "no token: put one into the variable AUDIT_TOKEN or a file named by --token-file \
                 (`trailctl token --role audit:admin` makes one)",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_segments_are_encoded_one_by_one() {
        let client = ApiClient {
            http: reqwest::Client::new(),
            base: Url::parse("http://127.0.0.1:1/base/").expect("a URL"),
            token: SecretString::from("t"),
        };
        let query = [("eventType", "a b&c*".to_owned())];
        let path = ["v1", "aggregates", "A B", "arn:aws:iam::1:user/x?y#z%"];
        let url = client.address(&path, &query).expect("a path");
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:1/base/v1/aggregates/A%20B/arn:aws:iam::1:user%2Fx%3Fy%23z%25?eventType=a+b%26c*"
        );
        assert!(client.address(&["v1", ".."], &[]).is_err());
    }
}
