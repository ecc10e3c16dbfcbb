//! Tokens: who gets in, and the attacks that must not.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Response, StatusCode};
use serde_json::json;
use test_support::{Token, canonical_event, token};

use crate::server::{Server, problem};

/// The answer to a raw `Authorization` header.
async fn with_header(server: &Server, value: &str) -> Response {
    server
        .client
        .get(server.url("/v1/events"))
        .header("authorization", value)
        .send()
        .await
        .expect("an answer")
}

/// A token with this header and these claims, signed by HS256 whatever the header says.
fn forged(header: &serde_json::Value, claims: &serde_json::Value, secret: &[u8]) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).expect("any key");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn claims() -> serde_json::Value {
    let token = Token::admin().sign();
    let claims = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_gets_in_and_no_token_is_told_how() {
    let server = Server::start().await;
    let secret = token::SECRET.as_bytes();
    for good in [
        Token::admin().bearer(),
        Token::admin().bearer().replacen("Bearer", "bEARER", 1),
        Token::admin().claim("aud", json!(["other", token::AUDIENCE])).bearer(),
        format!("Bearer {}", forged(&json!({"alg": "HS256"}), &claims(), secret)),
        format!(
            "Bearer {}",
            forged(&json!({"alg": "HS256", "typ": "at+jwt", "kid": "unknown"}), &claims(), secret)
        ),
    ] {
        assert_eq!(with_header(&server, &good).await.status(), StatusCode::OK, "{good}");
    }
    let answer = server.client.get(server.url("/v1/events")).send().await.expect("an answer");
    assert_eq!(answer.headers()["www-authenticate"], "Bearer realm=\"audit-api\"");
    assert_eq!(problem(answer, StatusCode::UNAUTHORIZED).await, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn forged_and_stale_tokens_are_refused_alike() {
    let server = Server::start().await;
    let secret = token::SECRET.as_bytes();
    let plain = json!({"alg": "HS256", "typ": "JWT"});
    let unsigned = |alg: &str| {
        let token = forged(&json!({"alg": alg}), &claims(), secret);
        let (signed, _) = token.rsplit_once('.').expect("three parts");
        signed.to_owned()
    };
    let mut bad: Vec<String> = vec![
        "x".to_owned(),
        "a.b.c".to_owned(),
        String::new(),
        Token::admin().signed_with("another secret that is longer than 32 bytes").sign(),
        Token::admin().algorithm(jsonwebtoken::Algorithm::HS384).sign(),
        Token::admin().algorithm(jsonwebtoken::Algorithm::HS512).sign(),
        Token::admin().expires_in(-60).sign(),
        Token::admin().without("exp").sign(),
        Token::admin().claim("exp", "tomorrow").sign(),
        Token::admin().claim("nbf", 4_000_000_000_u64).sign(),
        Token::admin().claim("iat", 4_000_000_000_u64).sign(),
        Token::admin().without("iss").sign(),
        Token::admin().claim("iss", "other").sign(),
        Token::admin().claim("iss", json!([token::ISSUER])).sign(),
        Token::admin().without("aud").sign(),
        Token::admin().claim("aud", "other").sign(),
        Token::admin().claim("aud", json!([])).sign(),
        Token::admin().without("sub").sign(),
        Token::admin().claim("sub", 5).sign(),
        Token::admin().claim("org", 5).sign(),
        Token::admin().claim("filler", "x".repeat(20_000)).sign(),
        forged(&plain, &json!([1]), secret),
        forged(&plain, &json!("x"), secret),
        forged(&plain, &claims(), b""),
    ];
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        bad.push(format!("{}.", unsigned(alg)));
        bad.push(unsigned(alg));
        bad.push(forged(&json!({"alg": alg}), &claims(), secret));
    }
    for alg in ["RS256", "ES256", "EdDSA", "PS256", "HS384", "dir", "A128KW"] {
        bad.push(forged(&json!({"alg": alg}), &claims(), secret));
    }
    for more in [
        json!({"crit": ["exp"]}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"b64": false}),
        json!({"crit": []}),
        json!({"typ": "JWE"}),
        json!({"typ": "id_token"}),
        json!({"enc": "A128GCM"}),
        json!({"zip": "DEF"}),
        json!({"kid": "x".repeat(300)}),
        json!({"kid": 5}),
        json!({"alg": ["HS256"]}),
        json!({"alg": null}),
    ] {
        let mut header = plain.clone();
        header.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        bad.push(forged(&header, &claims(), secret));
    }
    let good = Token::admin().sign();
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    bad.extend([
        format!("{signed}."),
        format!("{signed}.{}", &signature[..signature.len() - 4]),
        format!("{signed}.{signature}AAAA"),
        format!("{good}.x"),
        format!("{good}.."),
        format!("{good}="),
        format!("..{signature}"),
        good.replacen('.', "..", 1),
        format!(
            "{}.{}.{signature}",
            good.split('.').next().expect("a header"),
            URL_SAFE_NO_PAD.encode(json!({"sub": "x"}).to_string())
        ),
    ]);
    assert!(bad.len() >= 60, "{}", bad.len());

    let mut bodies = std::collections::BTreeSet::new();
    for token in &bad {
        let answer = with_header(&server, &format!("Bearer {token}")).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{token}");
        assert!(
            answer.headers()["www-authenticate"].to_str().expect("text").contains("invalid_token"),
            "{token}"
        );
        bodies.insert(answer.text().await.expect("a body"));
    }
    assert_eq!(bodies.len(), 1, "the body is the same for every refusal: {bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_authorization_header_counts_and_nothing_else() {
    let server = Server::start().await;
    let good = Token::admin().bearer();
    let twice = server
        .client
        .get(server.url("/v1/events"))
        .header("authorization", &good)
        .header("authorization", &good);
    assert_eq!(twice.send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    let token = Token::admin().sign();
    for path in [format!("/v1/events?access_token={token}"), format!("/v1/events?token={token}")] {
        let answer =
            server.client.get(server.url(&path)).header("cookie", format!("token={token}")).send().await;
        assert_eq!(answer.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    }
    for scheme in ["Basic", "Token", "JWT", "Bearer,"] {
        assert_eq!(
            with_header(&server, &format!("{scheme} {token}")).await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_decide_what_is_read() {
    let server = Server::start().await;
    let mut feeder = server.feeder().await;
    feeder.append([canonical_event("a", 1).organization("acme")]).await;
    let org = Token::org_admin("acme");
    let cases = [
        (Token::admin(), 200, 200),
        (Token::with_roles(&["audit:auditor"]), 200, 200),
        (org.clone(), 200, 403),
        (Token::with_roles(&["audit:org-admin"]), 403, 403),
        (Token::with_roles(&["audit:operator"]), 403, 200),
        (Token::with_roles(&["audit:producer"]), 403, 403),
        (Token::with_roles(&[]), 403, 403),
        (Token::with_roles(&["admin"]).claim("org", "acme"), 403, 403),
        (Token::with_roles(&["audit:producer", "audit:auditor"]), 200, 200),
        (Token::with_roles(&["audit:org-admin"]).claim("org", ""), 403, 403),
    ];
    for (token, events, dead_letters) in cases {
        for (path, status) in [("/v1/events", events), ("/v1/dead-letters", dead_letters)] {
            let answer = server.get_as(path, &token).await;
            assert_eq!(answer.status().as_u16(), status, "{path} {token:?}");
            if status == 403 {
                assert_eq!(problem(answer, StatusCode::FORBIDDEN).await, "forbidden");
            }
        }
    }
    assert_eq!(server.get_as("/v1/events?organizationId=acme", &org).await.status(), StatusCode::OK);
    for other in ["other", ""] {
        let answer = server.get_as(&format!("/v1/events?organizationId={other}"), &org).await;
        assert_eq!(problem(answer, StatusCode::FORBIDDEN).await, "forbidden");
    }
}
