//! The API's own HTTPS, and the hops that it makes by HTTPS itself: the identity provider's keys, the collector of traces.

use std::time::Duration;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::{Certificate, StatusCode, Version, tls};
use test_support::{
    Authority, Daemon, DaemonConfig, TestDatabase, Token, authority::GOOD_UNTIL, secured::SecuredWeb,
    wait_until,
};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

use crate::{PATIENCE, done, end_of, quoted, ran};

/// A client that trusts this authority alone.
fn client(authority: &Authority) -> reqwest::ClientBuilder {
    let pem = std::fs::read(authority.file()).expect("the authority can be read");
    reqwest::Client::builder().tls_certs_only([Certificate::from_pem(&pem).expect("a certificate")])
}

async fn get(builder: reqwest::ClientBuilder, url: &str) -> reqwest::Result<(StatusCode, Version)> {
    let client = builder.build().expect("a client");
    client
        .get(url)
        .bearer_auth(Token::admin().sign())
        .send()
        .await
        .map(|answer| (answer.status(), answer.version()))
}

#[tokio::test]
async fn the_api_speaks_https_and_takes_a_renewed_certificate_without_dropping_anybody() {
    let (authority, next) = (Authority::new(), Authority::new());
    let shown = authority.issue("api", &["localhost"]);
    let database = TestDatabase::create().await;
    let config = DaemonConfig::new(&database)
        .set("api", "tls_certificate_file", quoted(&shown.certificate))
        .set("api", "tls_key_file", quoted(&shown.key))
        .set("api", "header_timeout", "\"500ms\"");
    let api = Daemon::audit_api(&config).ready().await;
    let port = api.api_address().port();
    let url = format!("https://localhost:{port}/v1/events");

    assert_eq!(get(client(&authority), &url).await.unwrap(), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(get(client(&authority).http1_only(), &url).await.unwrap().1, Version::HTTP_11);
    let older = client(&authority).tls_version_max(tls::Version::TLS_1_2);
    assert_eq!(get(older, &url).await.unwrap().0, StatusCode::OK);
    assert!(get(client(&next), &url).await.is_err(), "an authority that did not issue it");
    assert!(get(reqwest::Client::builder(), &url.replace("https", "http")).await.is_err(), "in the clear");
    wait_until("the end is measured", PATIENCE, || async {
        ((api.metric(&end_of("api", "own")).await - GOOD_UNTIL).abs() < 1.0).then_some(())
    })
    .await;

    // Whoever connects and says nothing is not waited for.
    let mut silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, silent.read(&mut [0; 1])).await;
    assert_eq!(ended.expect("it is hung up on").unwrap_or(0), 0);

    // trailctl by the system's way to name authorities.
    let operator = |authority: &Authority| {
        let config = config.clone().variable("AUDIT_TOKEN", &Token::admin().sign());
        let config = config.variable("AUDIT_API_URL", &format!("https://localhost:{port}"));
        config.variable("SSL_CERT_FILE", &authority.file().display().to_string())
    };
    done(&operator(&authority), &["events", "--limit", "1"]).await;
    let (succeeded, said) = ran(&operator(&next), &["events", "--limit", "1"]).await;
    assert!(!succeeded && said.contains("not trusted") && said.contains("SSL_CERT_FILE"), "{said}");

    // One that is connected stays so over a renewal, by which the next ones see another authority's.
    let kept = client(&authority).http1_only().build().unwrap();
    let ask = || async { kept.get(&url).bearer_auth(Token::admin().sign()).send().await?.bytes().await };
    ask().await.unwrap();
    next.issue("api", &["localhost"]).replace(&shown);
    kill(Pid::from_raw(i32::try_from(api.pid()).unwrap()), Signal::SIGHUP).unwrap();
    wait_until("the renewed certificate is shown", PATIENCE, || async {
        get(client(&next), &url).await.ok()
    })
    .await;
    ask().await.expect("the connection of before is still there");
    assert!(get(client(&authority), &url).await.is_err(), "a new connection sees the new certificate");
    assert!(api.log().contains("the API's certificate was taken anew"));
    assert!(api.stop().await.success());
}

#[tokio::test]
async fn an_api_whose_key_is_of_another_certificate_does_not_start() {
    let authority = Authority::new();
    let (one, other) = (authority.issue("one", &["localhost"]), authority.issue("other", &["localhost"]));
    let database = TestDatabase::create().await;
    let config = DaemonConfig::new(&database)
        .set("api", "tls_certificate_file", quoted(&one.certificate))
        .set("api", "tls_key_file", quoted(&other.key));
    let mut api = Daemon::audit_api(&config);
    let status = wait_until("the API gives up", PATIENCE, || std::future::ready(api.ended())).await;
    assert_eq!(status.code(), Some(2), "{}", api.log());
    assert!(
        api.log().contains("api.tls_certificate_file") && api.log().contains("does not fit"),
        "{}",
        api.log()
    );
}

/// RFC 8037, appendix A.2.
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

#[tokio::test]
async fn keys_and_traces_go_by_https_with_an_authority_of_their_own() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let issued = authority.issue("web", &["localhost"]);
    let (provider, collector) =
        (SecuredWeb::saying(&issued, KEYS).await, SecuredWeb::saying(&issued, "").await);
    let database = TestDatabase::create().await;
    let trusting = |authority: &Authority| {
        DaemonConfig::new(&database)
            .set("auth", "algorithm", "\"EdDSA\"")
            .set("auth", "jwks_url", format!("{:?}", provider.url("/keys")))
            .set("auth", "jwks_ca_file", quoted(&authority.file()))
            .set("auth", "jwks_refresh", "\"1s\"")
            .set("telemetry", "otlp_endpoint", format!("{:?}", collector.url("")))
            .set("telemetry", "otlp_ca_file", quoted(&authority.file()))
    };
    let api = Daemon::audit_api(&trusting(&authority)).ready().await;
    for hop in ["jwks", "otlp"] {
        let authorities = api.metric(&end_of(hop, "authority")).await;
        assert!(authorities > GOOD_UNTIL, "{hop}: {authorities}");
    }
    assert!((api.metric(&end_of("jwks", "peer")).await - GOOD_UNTIL).abs() < 1.0);
    let asked = reqwest::get(api.url("/v1/events")).await.unwrap();
    assert_eq!(asked.status(), StatusCode::UNAUTHORIZED);
    // The end of the process flushes what is still to be exported.
    assert!(api.stop().await.success());
    assert!(collector.seen().contains(&"POST /v1/traces".to_owned()), "{:?}", collector.seen());

    let before = (provider.seen().len(), collector.seen().len());
    let api = Daemon::audit_api(&trusting(&stranger));
    wait_until("the API runs", PATIENCE, || async {
        reqwest::get(api.telemetry_url("/health/live")).await.ok()
    })
    .await;
    let said = api.says("tokens", "not trusted").await;
    assert!(said.contains("auth.jwks_ca_file"), "{said}");
    let _ = reqwest::get(api.url("/v1/events")).await;
    wait_until("the collector's refusal is in the log", Duration::from_mins(1), || async {
        let log = api.log();
        (log.contains("traces_not_sent") && log.contains("telemetry.otlp_ca_file")).then_some(())
    })
    .await;
    assert_eq!(
        (provider.seen().len(), collector.seen().len()),
        before,
        "nothing was said to whom we do not trust"
    );
}
