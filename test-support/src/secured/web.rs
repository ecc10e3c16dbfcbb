//! What speaks HTTPS in a test: the registry behind it, a set of keys, a collector of traces.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use credentials::ServerIdentity;
use service::{
    Shutdown,
    http::{Limits, serve_tls},
};
use tokio::net::TcpListener;

use crate::authority::Issued;

/// An HTTPS server on 127.0.0.1 and `localhost`; ends with this value.
#[derive(Debug)]
pub struct SecuredWeb {
    address: SocketAddr,
    shutdown: Shutdown,
    seen: Arc<Mutex<Vec<String>>>,
}

/// What a request is answered with.
#[derive(Clone)]
enum Answer {
    /// What another server answers, for whoever brings these credentials.
    Of { upstream: String, authorization: String },
    /// Always the same.
    Text(String),
}

type Shared = (Answer, Arc<Mutex<Vec<String>>>);

impl SecuredWeb {
    /// Stands before another HTTP server, and lets only those through who bring this `Authorization`.
    pub async fn before(issued: &Issued, upstream: &str, authorization: &str) -> Self {
        let answer = Answer::Of { upstream: upstream.to_owned(), authorization: authorization.to_owned() };
        Self::start(issued, answer).await
    }

    /// Answers every request with this text.
    pub async fn saying(issued: &Issued, text: &str) -> Self {
        Self::start(issued, Answer::Text(text.to_owned())).await
    }

    async fn start(issued: &Issued, answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let identity =
            ServerIdentity::load(&issued.certificate, &issued.key).expect("what was issued can be used");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new().fallback(handle).with_state((answer, Arc::clone(&seen)));
        let limits = Limits { max_connections: 64, header_timeout: Duration::from_secs(10) };
        let shutdown = Shutdown::new();
        tokio::spawn(serve_tls(listener, router, limits, Arc::new(identity.config()), shutdown.clone()));
        Self { address, shutdown, seen }
    }

    /// An address under it, by the name `localhost`.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// The methods and paths that were asked for.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for SecuredWeb {
    fn drop(&mut self) {
        self.shutdown.request_immediate();
    }
}

async fn handle(
    State((answer, seen)): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{method} {}", uri.path()));
    match answer {
        Answer::Text(text) => text.into_response(),
        Answer::Of { upstream, authorization } => {
            if headers.get(header::AUTHORIZATION).is_none_or(|found| found != authorization.as_str()) {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            let mut request = reqwest::Client::new().request(method, format!("{upstream}{path}")).body(body);
            for name in [header::CONTENT_TYPE, header::ACCEPT] {
                request = headers
                    .get(&name)
                    .into_iter()
                    .fold(request, |request, value| request.header(&name, value));
            }
            let answer = request.send().await.expect("the server behind answers");
            let (status, kind) = (answer.status(), answer.headers().get(header::CONTENT_TYPE).cloned());
            let body = answer.bytes().await.expect("the server behind answers in full");
            let kind = kind.into_iter().map(|kind| (header::CONTENT_TYPE, kind)).collect::<HeaderMap>();
            (status, kind, body).into_response()
        }
    }
}
