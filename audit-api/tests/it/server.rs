//! An API in this process, on a port and a database of its own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use audit_api::{
    access::Recorder,
    auth::Authenticator,
    exports::Exports,
    replica::{Replica, Watch},
    router,
    state::{Api, Parts},
    writing::Writing,
};
use credentials::Secret;
use reqwest::{Response, StatusCode};
use serde_json::Value;
use service::{
    Health, Shutdown,
    config::{ApiSettings, AuditConfig, AuthSettings, ExportSettings},
    http,
    metrics::Metrics,
};
use shared::{clock::SystemClock, retention::RetentionRules};
use store::Reader;
use test_support::{Role, TestDatabase, Token, token};
use tokio::net::TcpListener;

use crate::feeder::Feeder;

/// What a test may want otherwise than usual.
pub(crate) struct Options {
    pub(crate) api: ApiSettings,
    pub(crate) auth: AuthSettings,
    pub(crate) exports: ExportSettings,
    /// Another address of the database: a proxy's.
    pub(crate) database: Option<String>,
    /// A standby's address.
    pub(crate) replica: Option<String>,
    /// How events are taken; `None` = this API only reads.
    pub(crate) writing: Option<AuditConfig>,
    /// Where accesses are recorded; `None` = they are not, which most tests are not about.
    pub(crate) accesses: Option<Box<AuditConfig>>,
}

impl Default for Options {
    fn default() -> Self {
        let auth = AuthSettings {
            secret: Some(Secret::from(token::SECRET)),
            issuer: Some(token::ISSUER.to_owned()),
            audience: Some(token::AUDIENCE.to_owned()),
            ..AuthSettings::default()
        };
        Self {
            api: ApiSettings { pool_size: 4, ..ApiSettings::default() },
            auth,
            exports: ExportSettings::default(),
            database: None,
            replica: None,
            writing: None,
            accesses: None,
        }
    }
}

/// A running API; stops with this value.
pub(crate) struct Server {
    pub(crate) database: TestDatabase,
    pub(crate) address: SocketAddr,
    pub(crate) client: reqwest::Client,
    /// The standby, when reads may go to one.
    pub(crate) replica: Option<Arc<Replica>>,
    pub(crate) recorder: Option<Recorder>,
    shutdown: Shutdown,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        // What a server is made of is large; its tests need not be.
        Box::pin(Self::on(TestDatabase::create().await, options)).await
    }

    pub(crate) async fn on(database: TestDatabase, options: Options) -> Self {
        let url = options.database.unwrap_or_else(|| database.url_for(Role::Api));
        let reader =
            Reader::connect(&store::DatabaseUrl::new(url.clone()), options.api.pool_size, "test-api")
                .await
                .expect("the database takes the API's role");
        let clock = Arc::new(SystemClock);
        let authenticator = Authenticator::new(&options.auth, clock.clone()).expect("complete settings");
        if let Some(jwks) = authenticator.jwks() {
            let _ = jwks.refresh().await;
        }
        let writing = options.writing.and_then(|config| {
            let url = store::DatabaseUrl::new(url.clone());
            Writing::new(&config, &url, &reader, clock.clone()).expect("complete settings")
        });
        let recorder = options
            .accesses
            .and_then(|config| Recorder::new(&config, clock.clone()).expect("complete settings"));
        let shutdown = Shutdown::new();
        if let Some(writing) = &writing {
            tokio::spawn(writing.replays.clone().keep(shutdown.clone()));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let limits = http::Limits {
            max_connections: options.api.max_connections,
            header_timeout: options.api.header_timeout,
        };
        let exports = Exports::new(&options.exports).expect("a place that can be opened");
        let api = Api::new(Parts {
            reader,
            writing,
            exports,
            retention: RetentionRules::default(),
            recorder: recorder.clone(),
            authenticator,
            settings: options.api,
            clock,
            shutdown: shutdown.clone(),
        });
        let replica = options.replica.map(|url| follow(&api, &url));
        let metrics = Metrics::detached().expect("constant buckets");
        let router = router::router(api, replica.clone(), Health::new(), metrics);
        tokio::spawn(http::serve(listener, router, limits, shutdown.clone()));
        let client = reqwest::Client::builder().no_proxy().no_gzip().build().expect("a client");
        Self { database, address, client, replica, recorder, shutdown }
    }

    /// Fills the database.
    pub(crate) async fn feeder(&self) -> Feeder {
        Feeder::new(&self.database).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, path: &str, token: &Token) -> reqwest::RequestBuilder {
        self.client.get(self.url(path)).header("authorization", token.bearer())
    }

    /// The answer for an administrator.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.get_as(path, &Token::admin()).await
    }

    pub(crate) async fn get_as(&self, path: &str, token: &Token) -> Response {
        self.request(path, token).send().await.expect("an answer")
    }

    /// Sends events; headers as pairs.
    pub(crate) async fn post(
        &self,
        token: &Token,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Response {
        let mut request = self.client.post(self.url("/v1/events")).header("authorization", token.bearer());
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body).send().await.expect("an answer")
    }

    /// A JSON answer of status 200 for an administrator.
    pub(crate) async fn json(&self, path: &str) -> Value {
        json(self.get(path).await, StatusCode::OK).await
    }

    /// The lines of an NDJSON answer, whole.
    pub(crate) async fn lines(&self, path: &str) -> Vec<Value> {
        let request = self.request(path, &Token::admin()).header("accept", "application/x-ndjson");
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        parse_lines(&answer.text().await.expect("a whole answer"))
    }

    /// Asks for a graceful stop.
    pub(crate) fn stop(&self) {
        self.shutdown.request();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.request_immediate();
    }
}

/// Reads go to the standby at this address, as soon as it is seen.
fn follow(api: &Arc<Api>, url: &str) -> Arc<Replica> {
    let watch = Watch {
        url: store::DatabaseUrl::new(url),
        connections: api.settings.pool_size,
        application: "test-api-replica",
        max_lag: api.settings.replica_max_lag,
    };
    let replica = Arc::<Replica>::default();
    tokio::spawn(watch.keep(Arc::clone(api), Arc::clone(&replica)));
    replica
}

/// The body of an answer that must have this status.
pub(crate) async fn json(answer: Response, status: StatusCode) -> Value {
    let (given, url) = (answer.status(), answer.url().clone());
    let text = answer.text().await.expect("a whole answer");
    assert_eq!(given, status, "{url}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}: {error}: {text}"))
}

/// The slug of a problem that must have this status, after checks of its shape.
pub(crate) async fn problem(answer: Response, status: StatusCode) -> String {
    assert_eq!(answer.headers()["content-type"], "application/problem+json", "{}", answer.url());
    assert!(answer.headers().contains_key("x-request-id"));
    let body = json(answer, status).await;
    assert_eq!(body["status"], status.as_u16());
    assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
    let kind = body["type"].as_str().expect("a type").to_owned();
    kind.strip_prefix("urn:audit-trail:problem:").expect("one of our types").to_owned()
}

pub(crate) fn parse_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// The event ids of a list, in order.
pub(crate) fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["eventId"].as_str().expect("an id").to_owned()).collect()
}

/// One text percent-encoded as a path segment or a query value.
pub(crate) fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Waits for what should not take long.
pub(crate) async fn soon<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .unwrap_or_else(|_| panic!("waited 20 s in vain for {what}"))
}
