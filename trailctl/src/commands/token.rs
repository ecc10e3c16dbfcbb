//! `trailctl token`: a signed token for local use and first steps.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use service::config::{Algorithm as Configured, AuthSettings};
use shared::clock::Clock as _;

use crate::{
    outcome::{self, Outcome, StandardOutputClosed},
    session::Session,
};

/// The roles that the API knows.
const ROLES: [&str; 5] =
    ["audit:admin", "audit:org-admin", "audit:producer", "audit:operator", "audit:auditor"];

/// Arguments of `trailctl token`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  export AUDIT_TOKEN=$(trailctl token --role audit:admin)
  trailctl token --role audit:org-admin --org demo --sub alice --ttl 8h")]
pub struct Arguments {
    /// The role, several times for several; without one the token is a user's who has no right here
    #[arg(long, value_parser = role, value_name = "ROLE")]
    role: Vec<String>,
    /// The organisation
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// The subject: who the token stands for
    #[arg(long, default_value = "trailctl", value_name = "SUB")]
    sub: String,
    /// How long it is valid
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration, value_name = "TIME")]
    ttl: Duration,
}

fn role(text: &str) -> Result<String, String> {
    ROLES
        .into_iter()
        .find(|role| *role == text || role.strip_prefix("audit:") == Some(text))
        .map(str::to_owned)
        .ok_or_else(|| format!("the roles are {}", ROLES.join(", ")))
}

/// Runs the command.
pub fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    let settings = session.config()?.auth;
    let token = make(arguments, &settings, session.clock.now().as_micros() / 1_000_000)?;
    std::io::Write::write_all(&mut std::io::stdout(), format!("{token}\n").as_bytes())
        .map_err(StandardOutputClosed)?;
    Ok(Outcome::Done)
}

/// The token, issued at `now` (seconds since 1970).
fn make(arguments: &Arguments, settings: &AuthSettings, now: i64) -> anyhow::Result<String> {
    if settings.algorithm != Configured::HS256 {
        return Err(outcome::usage(
            "auth.algorithm is not HS256: tokens come from the identity provider whose keys auth.jwks_url names",
        ));
    }
    if arguments.org.is_none() && arguments.role.iter().any(|role| role == "audit:org-admin") {
        return Err(outcome::usage("audit:org-admin sees its own organisation: name it with --org"));
    }
    let missing = |error: service::config::ConfigError| outcome::usage(error.to_string());
    let lifetime = i64::try_from(arguments.ttl.as_secs()).unwrap_or(i64::MAX);
    let mut claims = json!({
        "iss": settings.issuer().map_err(missing)?,
        "aud": settings.audience().map_err(missing)?,
        "iat": now,
        "nbf": now,
        "exp": now.saturating_add(lifetime),
    });
    place(&mut claims, &settings.subject_claim, json!(arguments.sub));
    place(&mut claims, &settings.roles_claim, json!(arguments.role));
    if let Some(org) = &arguments.org {
        place(&mut claims, &settings.organization_claim, json!(org));
    }
    let secret = settings.secret().map_err(missing)?;
    let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
    Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)?)
}

/// Sets the value at a JSON Pointer, making the objects on the way.
fn place(claims: &mut Value, pointer: &str, value: Value) {
    let mut target = claims;
    for token in pointer.split('/').skip(1) {
        let name = token.replace("~1", "/").replace("~0", "~");
        if !target.is_object() {
            *target = Value::Object(Map::new());
        }
        target = &mut target[name];
    }
    *target = value;
}

#[cfg(test)]
mod tests {
    use credentials::Secret;
    use jsonwebtoken::{DecodingKey, Validation};

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn settings() -> AuthSettings {
        AuthSettings {
            secret: Some(Secret::from(SECRET)),
            issuer: Some("https://issuer.example".to_owned()),
            audience: Some("audit-trail".to_owned()),
            roles_claim: "/realm_access/roles".to_owned(),
            ..AuthSettings::default()
        }
    }

    fn arguments(role: &str, org: Option<&str>) -> Arguments {
        Arguments {
            role: vec![role.to_owned()],
            org: org.map(str::to_owned),
            sub: "alice".to_owned(),
            ttl: Duration::from_hours(1),
        }
    }

    #[test]
    fn the_claims_are_what_the_api_checks() {
        // Far in the future, so that the library's own clock finds it valid.
        let now = 4_000_000_000;
        let token = make(&arguments("audit:org-admin", Some("demo")), &settings(), now).expect("made");
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&["audit-trail"]);
        validation.set_issuer(&["https://issuer.example"]);
        let key = DecodingKey::from_secret(SECRET.as_bytes());
        let claims = jsonwebtoken::decode::<Value>(&token, &key, &validation).expect("valid").claims;
        assert_eq!(
            claims,
            json!({"iss": "https://issuer.example", "aud": "audit-trail", "iat": now, "nbf": now, "exp": now + 3600,
                "sub": "alice", "org": "demo", "realm_access": {"roles": ["audit:org-admin"]}})
        );
        let other = DecodingKey::from_secret(b"another secret, also of 32 bytes.");
        assert!(jsonwebtoken::decode::<Value>(&token, &other, &validation).is_err());
    }

    #[test]
    fn what_could_not_work_is_refused() {
        let refused = |result: anyhow::Result<String>| {
            result.expect_err("refused").downcast_ref::<outcome::UsageError>().expect("usage").0.clone()
        };
        assert!(refused(make(&arguments("audit:org-admin", None), &settings(), 0)).contains("--org"));
        let without = AuthSettings { secret: None, ..settings() };
        assert!(refused(make(&arguments("audit:admin", None), &without, 0)).contains("auth.secret"));
    }

    #[test]
    fn roles_may_be_short() {
        assert_eq!(role("admin").as_deref(), Ok("audit:admin"));
        assert!(role("root").is_err());
    }
}
