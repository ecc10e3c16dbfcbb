//! Separation (semantics.md 12): every operation of the OpenAPI document, every role, both organisations, every way to name
//! what is the other's. The status is exact, and not one byte of the other's is in body or headers.

mod answer;
mod attempts;
mod callers;
mod operations;
mod writes;

use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use reqwest::{Method, header::ACCEPT};
use serde_json::Value;
use service::config::{ApiSettings, ExportSettings};
use shared::text_query::TextFields;
use store::indexes::{Optional, create};
use tempfile::TempDir;
use test_support::{Role, TestDatabase, TestTopic, Token};

use crate::{
    look_alikes::{LookAlikes, Organization, SHARED},
    older_writes::Storing,
    openapi::{Operation, operations},
    server::{Options, Server},
    submit::writing,
};

use answer::{Answer, HEARTBEAT};
use attempts::{Attempt, Attempts, Names, almost};
use callers::{Caller, Gets, callers};
use operations::{Asks, asks};

/// Requests at once.
const AT_ONCE: usize = 8;

/// A server with look-alikes in it, which takes events and writes exports.
struct Stage {
    server: Arc<Server>,
    both: LookAlikes,
    _letters: TestTopic,
    _storing: Storing,
    _folder: TempDir,
}

impl Stage {
    async fn set() -> Self {
        let (topic, letters) = (TestTopic::create(1).await, TestTopic::create(1).await);
        let folder = TempDir::new().expect("a folder");
        let api = ApiSettings { pool_size: 8, heartbeat: HEARTBEAT, ..Options::default().api };
        let exports = ExportSettings {
            folder: Some(folder.path().to_owned()),
            max_concurrent: AT_ONCE,
            ..ExportSettings::default()
        };
        let writing = Some(writing(topic.name()));
        let database = TestDatabase::create().await;
        for index in [Optional::Payload, Optional::Text(TextFields::new(["/subject"]).expect("fields"))] {
            create(&database.database_url(Role::Migrator), &index, |_| {}).await.expect("built");
        }
        let options = Options { api, exports, writing, ..Options::default() };
        let server = Server::on(database, options).await;
        let both = LookAlikes::stored(&server, letters.name()).await;
        let server = Arc::new(server);
        let storing = Storing::from(&server, topic);
        Self { server, both, _letters: letters, _storing: storing, _folder: folder }
    }

    async fn send(
        &self,
        operation: &Operation,
        attempt: &Attempt,
        accept: &str,
        token: Option<&Token>,
    ) -> Answer {
        let method: Method = operation.method.to_uppercase().parse().expect("a method");
        let mut request = self.server.client.request(method, self.server.url(&attempt.address));
        request = request.header(ACCEPT, accept);
        if let Some(token) = token {
            request = request.header("authorization", token.bearer());
        }
        for (name, value) in &attempt.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &attempt.body {
            request = request.json(body);
        }
        let is_live = accept == "text/event-stream";
        answer::read(request.send().await.expect("an answer"), is_live).await
    }
}

/// The media types of a good answer.
fn produced(operation: &Operation) -> Vec<String> {
    let responses = operation.definition["responses"].as_object().expect("responses");
    let good = ["200", "201", "202"].into_iter().find_map(|status| responses.get(status)?.get("content"));
    let kinds = good.and_then(Value::as_object).map(|content| content.keys().cloned().collect());
    kinds.unwrap_or_else(|| vec!["*/*".to_owned()])
}

/// The one status that is right.
fn expected(operation: &Operation, asks: Asks, gets: Gets, is_own: bool, attempt: &Attempt) -> u16 {
    let done = match (asks, operation.path.as_str()) {
        (Asks::Submit, "/v1/events") | (Asks::Redrive, _) => 202,
        (Asks::Submit, _) => 201,
        // The job was cancelled already.
        (Asks::Steer, path) if !path.ends_with("{id}") => 409,
        _ => 200,
    };
    let is_aggregate = operation.path.starts_with("/v1/aggregates/{type}");
    match (gets, attempt.names) {
        (Gets::Unknown, _) => 401,
        (Gets::Forbidden, _) => 403,
        (Gets::Own, Names::Organization) if !is_own => 403,
        (Gets::Own, Names::Only)
            if matches!(asks, Asks::One | Asks::Record | Asks::Settle | Asks::Job | Asks::Steer) =>
        {
            404
        }
        (Gets::Own, _) if asks == Asks::Letter => 404,
        // Its cursor is for the history of the other's aggregate.
        (Gets::Own, Names::Place) if operation.path == "/v1/aggregates/{type}/{id}/events" => 400,
        // Which of the two?
        (Gets::All, Names::Shared | Names::Place) if is_aggregate => 409,
        _ => done,
    }
}

/// What one organisation has, wanted by everybody who might.
struct Case<'a> {
    stage: &'a Stage,
    wanted: &'a Organization,
    operation: &'a Operation,
    asks: Asks,
    attempts: Vec<Attempt>,
}

impl Case<'_> {
    /// Everything that is wrong with an operation's answers to a caller.
    async fn faults(&self, caller: &Caller) -> Vec<String> {
        let gets = caller.gets(self.asks);
        // Who gets nothing at all is refused before anybody looks what he asks for.
        let attempts = match gets {
            Gets::Unknown | Gets::Forbidden => &self.attempts[..1],
            Gets::Own | Gets::All => &self.attempts[..],
        };
        let mut faults = Vec::new();
        for attempt in attempts {
            for accept in produced(self.operation) {
                let answer = self.stage.send(self.operation, attempt, &accept, caller.token.as_ref()).await;
                let wanted =
                    expected(self.operation, self.asks, gets, caller.belongs_to(self.wanted), attempt);
                let mut wrong = Vec::new();
                if answer.status != wanted {
                    wrong.push(format!("{} instead of {wanted}", answer.status));
                }
                if !caller.reads_all() {
                    let leak = answer.leak(self.wanted, attempt, gets == Gets::All);
                    wrong.extend(leak.map(|word| format!("shows {word}")));
                }
                if gets == Gets::Own && accept != "text/event-stream" {
                    wrong.extend(self.tells_apart(attempt, &accept, caller, &answer).await);
                }
                let (method, address) = (&self.operation.method, &attempt.address);
                faults.extend(wrong.into_iter().map(|wrong| {
                    format!(
                        "{method} {address} {:?} {:?} as {accept} by {}: {wrong}: {}",
                        attempt.headers, attempt.body, caller.name, answer.text
                    )
                }));
            }
        }
        faults
    }

    /// Whether what the other has and what nobody has are answered differently: that tells that it exists.
    async fn tells_apart(
        &self,
        attempt: &Attempt,
        accept: &str,
        caller: &Caller,
        answer: &Answer,
    ) -> Option<String> {
        let twin = attempt.for_nobodys(self.wanted)?;
        let nobodys = self.stage.send(self.operation, &twin, accept, caller.token.as_ref()).await;
        let same = (answer.status, answer.anonymous(self.wanted))
            == (nobodys.status, nobodys.anonymous(self.wanted));
        (!same).then(|| format!("is told apart from what nobody has, {}: {}", nobodys.status, nobodys.text))
    }

    /// Whether its own administrator is shown anything by any of these: else they could not fail.
    async fn shows_its_own(&self) -> bool {
        let admin = self.wanted.admin();
        for attempt in &self.attempts {
            for accept in produced(self.operation) {
                let answer = self.stage.send(self.operation, attempt, &accept, Some(&admin)).await;
                if answer.shows(self.wanted, attempt) {
                    return true;
                }
                if let Some(twin) = attempt.for_nobodys(self.wanted) {
                    let nobodys = self.stage.send(self.operation, &twin, &accept, Some(&admin)).await;
                    if answer.status == 200 && answer.anonymous(self.wanted) != nobodys.anonymous(self.wanted)
                    {
                        return true;
                    }
                }
            }
        }
        false
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_shown_what_is_not_his_however_he_names_it() {
    let stage = Stage::set().await;
    let operations = operations();
    let faults = Arc::new(Mutex::new(Vec::new()));
    let mut calls = 0;
    for (wanted, own) in stage.both.pairs() {
        let attempts = Attempts { server: &stage.server, both: &stage.both, wanted };
        let mut cases = Vec::new();
        for operation in &operations {
            let asks = asks(&operation.method, &operation.path);
            if !matches!(asks, Asks::Open | Asks::Link) {
                let attempts = attempts.at(operation, asks).await;
                cases.push(Case { stage: &stage, wanted, operation, asks, attempts });
            }
        }
        for case in &cases {
            let must_show =
                matches!(case.asks, Asks::List | Asks::One | Asks::Record | Asks::Jobs | Asks::Job);
            assert!(
                !must_show || case.shows_its_own().await,
                "{} shows nothing even to whose it is: let LookAlikes store it",
                case.operation.path
            );
        }
        let all = callers(wanted, own);
        let pairs = cases.iter().flat_map(|case| all.iter().map(move |caller| (case, caller)));
        let pairs: Vec<_> = pairs.collect();
        calls += pairs.len();
        futures::stream::iter(pairs)
            .for_each_concurrent(AT_ONCE, |(case, caller)| {
                let faults = Arc::clone(&faults);
                async move {
                    let found = case.faults(caller).await;
                    faults.lock().expect("no panic before").extend(found);
                }
            })
            .await;
    }
    let faults = faults.lock().expect("no panic before");
    assert!(
        faults.is_empty(),
        "{} faults in {calls} rows of the matrix:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_almost_an_organisations_is_nobodys() {
    let stage = Stage::set().await;
    let (wanted, _) = stage.both.pairs()[0];
    for token in almost(wanted) {
        for path in ["/v1/events", "/v1/aggregates", "/v1/event-types", "/logs", "/audit/security-events"] {
            let answer = stage.server.get_as(path, &token).await;
            assert_eq!(answer.status(), 200, "{path}");
            let text = answer.text().await.expect("an answer");
            let words = [wanted.secret, wanted.only, SHARED];
            assert!(!words.iter().any(|word| text.contains(word)), "{path}: {text}");
        }
        let path = format!("/v1/events/{}", wanted.own_event);
        assert_eq!(stage.server.get_as(&path, &token).await.status(), 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_an_export_shows_what_its_maker_may_see_and_leads_to_no_other_file() {
    let stage = Stage::set().await;
    let mut links = Vec::new();
    for (wanted, own) in stage.both.pairs() {
        for filters in [serde_json::json!({}), serde_json::json!({ "userId": wanted.only })] {
            let asked = serde_json::json!({ "format": "json", "filters": filters });
            let request = stage.server.client.post(stage.server.url("/audit/export"));
            let answer = request.header("authorization", own.admin().bearer()).json(&asked).send().await;
            let body: Value = answer.expect("an answer").json().await.expect("JSON");
            let link = body["downloadUrl"].as_str().expect("a link").to_owned();
            let file =
                stage.server.client.get(&link).send().await.expect("an answer").text().await.expect("a file");
            assert!(!file.contains(wanted.secret) && !file.contains(wanted.only), "{asked}: {file}");
            assert_eq!(file.contains(own.secret), filters == serde_json::json!({}), "{asked}: {file}");
            links.push(link);
        }
    }
    let (path, query) = links[0].split_once('?').expect("a signed link");
    let (other, _) = links[2].split_once('?').expect("a signed link");
    for forged in [format!("{other}?{query}"), path.to_owned(), format!("{path}?expires=99999999999&{query}")]
    {
        let answer = stage.server.client.get(&forged).send().await.expect("an answer");
        assert!([400, 403].contains(&answer.status().as_u16()), "{forged}: {}", answer.status());
        let text = answer.text().await.expect("an answer");
        assert!(stage.both.pairs().iter().all(|(wanted, _)| !text.contains(wanted.secret)), "{text}");
    }
}
