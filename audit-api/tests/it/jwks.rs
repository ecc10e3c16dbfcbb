//! Public keys: each algorithm, rotation, a source that is down, and keys that must not be taken.

use std::{sync::Arc, time::Duration};

use audit_api::auth::{AuthError, Jwks};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use reqwest::StatusCode;
use serde_json::{Value, json};
use service::config::{Algorithm as Configured, AuthSettings};
use test_support::Token;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

use crate::server::{Options, Server};

/// A key pair of an issuer.
struct Key {
    id: String,
    algorithm: Algorithm,
    signing: EncodingKey,
    public: Value,
}

impl Key {
    fn new(id: &str, algorithm: Algorithm) -> Self {
        let kind = match algorithm {
            Algorithm::RS256 => &rcgen::PKCS_RSA_SHA256,
            Algorithm::ES256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            _ => &rcgen::PKCS_ED25519,
        };
        let pair = rcgen::KeyPair::generate_for(kind).expect("a key");
        let pem = pair.serialize_pem();
        let signing = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem.as_bytes()),
            _ => EncodingKey::from_ed_pem(pem.as_bytes()),
        };
        let signing = signing.expect("a PEM of our own");
        let public = if algorithm == Algorithm::EdDSA {
            json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.public_key_raw())})
        } else {
            let jwk = Jwk::from_encoding_key(&signing, algorithm).expect("a key with a public part");
            serde_json::to_value(jwk).expect("JSON")
        };
        Self { id: id.to_owned(), algorithm, signing, public }
    }

    /// The public key; `use`, `alg` and `kid` set.
    fn public(&self) -> Value {
        let mut jwk = self.public.clone();
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(format!("{:?}", self.algorithm));
        jwk["kid"] = json!(self.id);
        jwk
    }

    fn bearer(&self) -> String {
        self.bearer_with(|_| {})
    }

    fn bearer_with(&self, change: impl FnOnce(&mut Header)) -> String {
        let hmac = Token::admin().sign();
        let claims = URL_SAFE_NO_PAD.decode(hmac.split('.').nth(1).expect("claims")).expect("base64");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON");
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.clone());
        change(&mut header);
        format!("Bearer {}", jsonwebtoken::encode(&header, &claims, &self.signing).expect("signed"))
    }
}

fn settings(algorithm: Configured, url: String) -> AuthSettings {
    AuthSettings { algorithm, secret: None, jwks_url: Some(url), ..Options::default().auth }
}

async fn publish(source: &MockServer, answer: ResponseTemplate) {
    source.reset().await;
    Mock::given(path("/keys")).respond_with(answer).mount(source).await;
}

async fn publish_keys(source: &MockServer, keys: &[Value]) {
    publish(source, ResponseTemplate::new(200).set_body_json(json!({ "keys": keys }))).await;
}

async fn start(source: &MockServer, algorithm: Configured) -> Server {
    let auth = settings(algorithm, format!("{}/keys", source.uri()));
    Server::with(Options { auth, ..Options::default() }).await
}

async fn status(server: &Server, bearer: &str) -> StatusCode {
    let request = server.client.get(server.url("/v1/dead-letters?limit=0")).header("authorization", bearer);
    request.send().await.expect("an answer").status()
}

/// `limit=0` is refused by the handler: the token was accepted.
const ACCEPTED: StatusCode = StatusCode::BAD_REQUEST;

#[tokio::test(flavor = "multi_thread")]
async fn each_algorithm_takes_its_own_keys_only() {
    for (algorithm, configured) in [
        (Algorithm::RS256, Configured::RS256),
        (Algorithm::ES256, Configured::ES256),
        (Algorithm::EdDSA, Configured::EdDSA),
    ] {
        let source = MockServer::start().await;
        let (key, same_id) = (Key::new("one", algorithm), Key::new("one", algorithm));
        publish_keys(&source, &[key.public()]).await;
        let server = start(&source, configured).await;
        assert_eq!(status(&server, &key.bearer()).await, ACCEPTED, "{algorithm:?}");
        assert_eq!(
            status(&server, &key.bearer_with(|header| header.kid = None)).await,
            ACCEPTED,
            "the only key"
        );
        assert_eq!(
            status(&server, &same_id.bearer()).await,
            StatusCode::UNAUTHORIZED,
            "another key of that id"
        );
        assert_eq!(
            status(&server, &Token::admin().bearer()).await,
            StatusCode::UNAUTHORIZED,
            "a shared secret"
        );
        // The public key as an HMAC secret, the classic confusion.
        for secret in [key.public().to_string(), key.public()["n"].to_string(), key.public()["x"].to_string()]
        {
            let confused = Token::admin().signed_with(&secret).bearer();
            assert_eq!(status(&server, &confused).await, StatusCode::UNAUTHORIZED);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_costs_one_fetch_and_an_outage_none() {
    let source = MockServer::start().await;
    let (old, new, unknown) = (
        Key::new("old", Algorithm::ES256),
        Key::new("new", Algorithm::ES256),
        Key::new("unknown", Algorithm::ES256),
    );
    publish_keys(&source, &[old.public()]).await;
    let server = Arc::new(start(&source, Configured::ES256).await);
    assert_eq!(status(&server, &old.bearer()).await, ACCEPTED);

    publish_keys(&source, &[old.public(), new.public()]).await;
    let asking: Vec<_> = (0..20)
        .map(|index| {
            let (server, bearer) =
                (Arc::clone(&server), if index % 2 == 0 { new.bearer() } else { old.bearer() });
            tokio::spawn(async move { status(&server, &bearer).await })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.expect("asked"), ACCEPTED, "nobody is refused during a rotation");
    }
    assert_eq!(source.received_requests().await.expect("recorded").len(), 1);

    for kid in ["unknown", "../../etc/passwd", "' or 1=1 --", "http://127.0.0.1:1/keys"] {
        let bearer = unknown.bearer_with(|header| header.kid = Some(kid.to_owned()));
        assert_eq!(status(&server, &bearer).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(
        source.received_requests().await.expect("recorded").len(),
        1,
        "unknown ids fetch once in 30 s"
    );

    publish(&source, ResponseTemplate::new(500)).await;
    assert_eq!(status(&server, &new.bearer()).await, ACCEPTED, "an outage changes nothing for known keys");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_from_the_configured_address_alone() {
    let (source, attacker) = (MockServer::start().await, MockServer::start().await);
    let (key, evil) = (Key::new("one", Algorithm::ES256), Key::new("evil", Algorithm::ES256));
    publish_keys(&source, &[key.public()]).await;
    publish_keys(&attacker, &[evil.public()]).await;
    let server = start(&source, Configured::ES256).await;
    let there = format!("{}/keys", attacker.uri());
    for change in [
        |header: &mut Header, there: &str| header.jku = Some(there.to_owned()),
        |header: &mut Header, there: &str| header.x5u = Some(there.to_owned()),
        |header: &mut Header, there: &str| header.kid = Some(there.to_owned()),
    ] {
        let bearer = evil.bearer_with(|header| change(header, &there));
        assert_eq!(status(&server, &bearer).await, StatusCode::UNAUTHORIZED);
    }
    let embedded: Jwk = serde_json::from_value(evil.public()).expect("a key");
    let bearer = evil.bearer_with(|header| header.jwk = Some(embedded));
    assert_eq!(status(&server, &bearer).await, StatusCode::UNAUTHORIZED);
    assert!(attacker.received_requests().await.expect("recorded").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn unsuitable_keys_are_passed_over() {
    let source = MockServer::start().await;
    let key = Key::new("one", Algorithm::ES256);
    let changed = |name: &str, value: Value| {
        let mut jwk = key.public();
        jwk[name] = value;
        jwk["kid"] = json!(format!("{name}-changed"));
        jwk
    };
    let mut without_use = changed("x-nothing", json!(1));
    without_use.as_object_mut().expect("an object").remove("use");
    let shared_secret =
        json!({"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "oct", "use": "sig"});
    let unsuitable = [
        changed("use", json!("enc")),
        changed("alg", json!("ES384")),
        changed("crv", json!("P-384")),
        shared_secret,
        json!(5),
        json!({"kty": "new"}),
    ];
    let mut keys = unsuitable.to_vec();
    keys.push(without_use);
    keys.push(key.public());
    publish_keys(&source, &keys).await;
    let server = start(&source, Configured::ES256).await;
    assert_eq!(status(&server, &key.bearer()).await, ACCEPTED);
    let said_nothing = key.bearer_with(|header| header.kid = Some("x-nothing-changed".to_owned()));
    assert_eq!(status(&server, &said_nothing).await, ACCEPTED, "`use` is optional");
    for id in ["use-changed", "alg-changed", "crv-changed", "oct"] {
        let bearer = key.bearer_with(|header| header.kid = Some(id.to_owned()));
        assert_eq!(status(&server, &bearer).await, StatusCode::UNAUTHORIZED, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_keys_the_api_is_unavailable_and_not_open() {
    let source = MockServer::start().await;
    let key = Key::new("one", Algorithm::ES256);
    let huge = format!("{{\"keys\":[],\"filler\":\"{}\"}}", "x".repeat(1024 * 1024));
    for answer in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(200).set_body_string("not JSON"),
        ResponseTemplate::new(200).set_body_json(json!({"keys": []})),
        ResponseTemplate::new(200).set_body_string(huge),
        ResponseTemplate::new(302).insert_header("location", format!("{}/elsewhere", source.uri()).as_str()),
    ] {
        publish(&source, answer).await;
        Mock::given(path("/elsewhere"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"keys": [key.public()]})))
            .mount(&source)
            .await;
        let server = start(&source, Configured::ES256).await;
        assert_eq!(status(&server, &key.bearer()).await, StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_id_asks_again_after_half_a_minute() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys.json");
    let write = |keys: &[&Key]| {
        let keys: Vec<Value> = keys.iter().map(|key| key.public()).collect();
        std::fs::write(&file, json!({ "keys": keys }).to_string()).expect("written");
    };
    let (old, new) = (Key::new("old", Algorithm::EdDSA), Key::new("new", Algorithm::EdDSA));
    write(&[&old]);
    let jwks = Jwks::new(&format!("file://{}", file.display()), None, Algorithm::EdDSA).expect("a source");
    assert_eq!(jwks.refresh().await, Ok(()));
    assert!(matches!(jwks.key(Some("new")).await, Err(AuthError::Invalid(_))), "asked, and not there yet");
    write(&[&new]);
    tokio::time::advance(Duration::from_secs(29)).await;
    assert!(matches!(jwks.key(Some("new")).await, Err(AuthError::Invalid(_))), "asked too lately");
    assert!(jwks.key(Some("old")).await.is_ok());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(jwks.key(Some("new")).await.is_ok());
    assert!(jwks.key(Some("old")).await.is_err(), "withdrawn");
}
