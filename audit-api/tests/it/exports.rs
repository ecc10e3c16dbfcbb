//! Export files: read back whole by their links, within their caller's scope; what is not finished leaves nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{extract::State, http::Uri, response::IntoResponse};
use bytes::Bytes;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use service::config::ExportSettings;
use tempfile::TempDir;
use test_support::{Token, canonical_event};

use crate::server::{Options, Server, json as body_of, problem};

fn into(folder: &Path) -> ExportSettings {
    ExportSettings { folder: Some(folder.to_owned()), ..ExportSettings::default() }
}

async fn server(settings: ExportSettings) -> Server {
    Server::with(Options { exports: settings, ..Options::default() }).await
}

async fn export(server: &Server, token: &Token, asked: &Value) -> Response {
    let request = server.client.post(server.url("/audit/export")).header("authorization", token.bearer());
    request.json(asked).send().await.expect("an answer")
}

async fn url_of(answer: Response) -> String {
    let body = body_of(answer, StatusCode::OK).await;
    body["downloadUrl"].as_str().expect("a link").to_owned()
}

/// Without a token, as whoever has the link.
async fn download(server: &Server, url: &str) -> Response {
    server.client.get(url).send().await.expect("an answer")
}

fn files(folder: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path().join("reports")).expect("the folder of reports");
    entries.map(|entry| entry.expect("readable").file_name().into_string().expect("text")).collect()
}

/// RFC 4180, taken apart by a reader that is not ours.
fn csv(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let rows =
        reader.records().map(|row| row.expect("a record").iter().map(str::to_owned).collect()).collect();
    (header, rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_read_back_whole_in_both_formats() {
    let folder = TempDir::new().expect("a folder");
    let server = server(into(folder.path())).await;
    let mut feeder = server.feeder().await;
    let mut events: Vec<_> = (1..1500).map(|version| canonical_event("o", version)).collect();
    events.push(canonical_event("=cmd|' /C calc'!A0", 1).metadata("userId", "a \"quoted\", user\r\n"));
    let expected: BTreeSet<String> = events.iter().map(|event| event.clone().build().event_id).collect();
    for part in events.chunks(500) {
        feeder.append(part.to_vec()).await;
    }

    let answer = export(&server, &Token::admin(), &json!({"format": "csv"})).await;
    let body = body_of(answer, StatusCode::OK).await;
    assert_eq!(body["events"], 1500);
    let file = download(&server, body["downloadUrl"].as_str().expect("a link")).await;
    assert_eq!(file.headers()["content-type"], "text/csv; charset=utf-8");
    assert_eq!(file.headers()["cache-control"], "no-store");
    assert!(
        file.headers()["content-disposition"].to_str().expect("text").starts_with("attachment; filename=")
    );
    let (header, rows) = csv(&file.text().await.expect("a whole file"));
    assert_eq!(header[..4], ["id", "eventType", "userId", "resourceType"]);
    assert_eq!(rows.iter().map(|row| row[0].clone()).collect::<BTreeSet<_>>(), expected);
    assert_eq!(rows.len(), expected.len());
    let odd = rows.iter().find(|row| row[4].contains("cmd")).expect("the odd one");
    assert_eq!((odd[4].as_str(), odd[2].as_str()), ("'=cmd|' /C calc'!A0", "a \"quoted\", user\r\n"));

    let asked = json!({"format": "json", "filters": {"eventType": "Order*", "userId": "user-1"}});
    let url = url_of(export(&server, &Token::admin(), &asked).await).await;
    let file = body_of(download(&server, &url).await, StatusCode::OK).await;
    let logs = file.as_array().expect("an array");
    assert_eq!(logs.len(), 1499);
    assert!(logs.windows(2).all(|pair| pair[0]["timestamp"].as_str() <= pair[1]["timestamp"].as_str()));
    assert_eq!(logs[0]["payload"], json!({"orderId": "o", "step": 1}));
    assert_eq!(files(&folder).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_what_its_caller_may_see() {
    let folder = TempDir::new().expect("a folder");
    let server = server(into(folder.path())).await;
    let mut feeder = server.feeder().await;
    feeder
        .append([
            canonical_event("own", 1).organization("acme"),
            canonical_event("secret", 1).organization("other"),
        ])
        .await;
    let url = url_of(export(&server, &Token::org_admin("acme"), &json!({"format": "csv"})).await).await;
    let text = download(&server, &url).await.text().await.expect("a whole file");
    assert!(text.contains(",own,") && !text.contains("secret"), "{text}");
    let foreign = json!({"format": "csv", "filters": {"organizationId": "other"}});
    let refused = export(&server, &Token::org_admin("acme"), &foreign).await;
    assert_eq!(problem(refused, StatusCode::FORBIDDEN).await, "forbidden");
    for roles in [&["audit:producer"][..], &["audit:operator"], &[]] {
        let answer =
            export(&server, &Token::with_roles(roles).claim("org", "acme"), &json!({"format": "csv"})).await;
        assert_eq!(problem(answer, StatusCode::FORBIDDEN).await, "forbidden");
    }
    let empty = json!({"format": "json", "filters": {"userId": "nobody"}});
    let url = url_of(export(&server, &Token::admin(), &empty).await).await;
    assert_eq!(body_of(download(&server, &url).await, StatusCode::OK).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_for_one_file_and_ends() {
    let folder = TempDir::new().expect("a folder");
    let settings = ExportSettings { link_lifetime: Duration::from_secs(1), ..into(folder.path()) };
    let server = server(settings).await;
    let url = url_of(export(&server, &Token::admin(), &json!({"format": "csv"})).await).await;
    let (base, query) = url.split_once('?').expect("a query");
    for forged in [
        base.to_owned(),
        format!("{base}?{}", query.replace("expires=", "expires=9")),
        format!("{}x.csv?{query}", base.trim_end_matches(".csv")),
        format!("{}?{query}", base.replace("/audit_", "/..%2Faudit_")),
    ] {
        assert_eq!(
            problem(download(&server, &forged).await, StatusCode::FORBIDDEN).await,
            "forbidden",
            "{forged}"
        );
    }
    let expired = async {
        loop {
            let answer = download(&server, &url).await;
            if answer.status() == StatusCode::FORBIDDEN {
                break problem(answer, StatusCode::FORBIDDEN).await;
            }
        }
    };
    assert_eq!(crate::server::soon("the link's end", expired).await, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_export_leaves_nothing() {
    let folder = TempDir::new().expect("a folder");
    let server = server(ExportSettings { max_events: 5, ..into(folder.path()) }).await;
    let mut feeder = server.feeder().await;
    feeder.append((1..10).map(|version| canonical_event("o", version))).await;
    let answer = export(&server, &Token::admin(), &json!({"format": "csv"})).await;
    assert_eq!(problem(answer, StatusCode::UNPROCESSABLE_ENTITY).await, "query-too-broad");
    assert_eq!(files(&folder), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_exported_is_said() {
    let folder = TempDir::new().expect("a folder");
    let server = server(into(folder.path())).await;
    let pdf = export(&server, &Token::admin(), &json!({"format": "pdf"})).await;
    assert_eq!(problem(pdf, StatusCode::NOT_IMPLEMENTED).await, "not-implemented");
    for (asked, names) in [
        (json!({}), "format"),
        (json!({"format": "xml"}), "xml"),
        (json!({"format": "csv", "from": "2026-01-01T00:00:00Z"}), "from"),
        (json!({"format": "csv", "startDate": "yesterday"}), "RFC 3339"),
        (json!({"format": "csv", "filters": {"user": "u"}}), "user"),
        (
            json!({"format": "csv", "startDate": "2026-02-01T00:00:00Z", "endDate": "2026-01-01T00:00:00Z"}),
            "/endDate",
        ),
    ] {
        let body = body_of(export(&server, &Token::admin(), &asked).await, StatusCode::BAD_REQUEST).await;
        assert!(body["detail"].as_str().expect("a detail").contains(names), "{asked}: {body}");
    }
    let broad =
        export(&server, &Token::admin(), &json!({"format": "csv", "filters": {"action": "UPDATE"}})).await;
    let body = body_of(broad, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert!(body["detail"].as_str().expect("a detail").contains("startDate and endDate"), "{body}");
    let request =
        server.client.post(server.url("/audit/export")).header("authorization", Token::admin().bearer());
    let answer = request.body("format=csv").send().await.expect("an answer");
    assert_eq!(problem(answer, StatusCode::UNSUPPORTED_MEDIA_TYPE).await, "unsupported-media-type");

    let without = Server::start().await;
    let answer = export(&without, &Token::admin(), &json!({"format": "csv"})).await;
    assert_eq!(problem(answer, StatusCode::SERVICE_UNAVAILABLE).await, "unavailable");
}

/// As much of S3 as an export needs: what was uploaded, whole or in parts, and what was taken back.
#[derive(Clone, Default)]
struct Bucket(Arc<Mutex<Uploads>>);

#[derive(Default)]
struct Uploads {
    parts: BTreeMap<u32, Vec<u8>>,
    objects: BTreeMap<String, Vec<u8>>,
    aborted: usize,
}

impl Bucket {
    /// Answers at an address of its own.
    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let app = axum::Router::new()
            .fallback(|bucket: State<Self>, method: Method, uri: Uri, body: Bytes| {
                std::future::ready(Self::answer(bucket, &method, &uri, &body))
            })
            .with_state(self.clone());
        let app = app.layer(axum::extract::DefaultBodyLimit::disable());
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}")
    }

    fn answer(
        State(bucket): State<Self>,
        method: &Method,
        uri: &Uri,
        body: &Bytes,
    ) -> axum::response::Response {
        let query = uri.query().unwrap_or_default();
        let part = query.split('&').find_map(|pair| pair.strip_prefix("partNumber=")?.parse().ok());
        let mut uploads = bucket.0.lock().expect("not poisoned");
        let key = uri.path().to_owned();
        let etag = [("etag", "\"e\"")];
        match (method.as_str(), part) {
            ("POST", _) if query.starts_with("uploads") => {
                let id =
                    "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
                id.into_response()
            }
            ("PUT", Some(part)) => {
                uploads.parts.insert(part, body.to_vec());
                etag.into_response()
            }
            ("POST", _) => {
                let whole = std::mem::take(&mut uploads.parts).into_values().flatten().collect();
                uploads.objects.insert(key, whole);
                let done = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>";
                done.into_response()
            }
            ("DELETE", _) => {
                uploads.parts.clear();
                uploads.aborted += 1;
                StatusCode::NO_CONTENT.into_response()
            }
            ("GET", _) => uploads
                .objects
                .get(&key)
                .cloned()
                .map_or(StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response),
            _ => StatusCode::BAD_REQUEST.into_response(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_takes_an_export_in_parts_and_presigns_its_link() {
    let bucket = Bucket::default();
    let settings = ExportSettings {
        bucket: Some("audit-reports".to_owned()),
        endpoint: Some(bucket.serve().await),
        access_key_id: Some("id".to_owned()),
        secret_access_key: Some("secret".into()),
        max_events: 40,
        ..ExportSettings::default()
    };
    let server = server(settings).await;
    let mut feeder = server.feeder().await;
    let large = |version| canonical_event("o", version).payload(&json!({"text": "x".repeat(200_000)}));
    feeder.append((1..=40).map(large)).await;
    let url = url_of(export(&server, &Token::admin(), &json!({"format": "json"})).await).await;
    for part in ["/audit-reports/reports/audit_", "X-Amz-Signature=", "X-Amz-Expires=3600"] {
        assert!(url.contains(part), "{url}");
    }
    assert!(!url.contains("secret"), "{url}");
    let file = body_of(download(&server, &url).await, StatusCode::OK).await;
    assert_eq!(file.as_array().map(Vec::len), Some(40));

    feeder.append([canonical_event("o", 41)]).await;
    let answer = export(&server, &Token::admin(), &json!({"format": "json"})).await;
    assert_eq!(problem(answer, StatusCode::UNPROCESSABLE_ENTITY).await, "query-too-broad");
    let uploads = bucket.0.lock().expect("not poisoned");
    assert_eq!((uploads.aborted, uploads.parts.len(), uploads.objects.len()), (1, 0, 1));
}
