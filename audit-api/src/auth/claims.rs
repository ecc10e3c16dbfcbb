//! The claims: who issued the token, for whom, how long it holds, and what it says about the caller.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use service::config::{AuthSettings, ConfigError};
use shared::{clock::Clock, timestamp::Timestamp};

use super::{AuthError, Caller, Roles};

/// What a token says; kept as JSON because the places of the claims are configuration.
pub(super) type Claims = Map<String, Value>;

/// The longest subject and organisation that are taken, in bytes (semantics.md 1 for the organisation).
const LONGEST_NAME: usize = 255;

/// What must hold of every token.
pub(super) struct Rules {
    issuer: String,
    audience: String,
    roles: Pointer,
    organization: Pointer,
    subject: Pointer,
    leeway: Duration,
    clock: Arc<dyn Clock>,
}

impl Rules {
    pub(super) fn new(settings: &AuthSettings, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        Ok(Self {
            issuer: settings.issuer()?.to_owned(),
            audience: settings.audience()?.to_owned(),
            roles: Pointer::parse(&settings.roles_claim),
            organization: Pointer::parse(&settings.organization_claim),
            subject: Pointer::parse(&settings.subject_claim),
            leeway: settings.leeway,
            clock,
        })
    }

    /// The caller that these claims, whose signature holds, speak of.
    pub(super) fn caller(&self, claims: &Claims) -> Result<Caller, AuthError> {
        let expires = self.check_times(claims)?;
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(AuthError::Invalid("another issuer"));
        }
        if !names(claims.get("aud"), &self.audience) {
            return Err(AuthError::Invalid("for another audience"));
        }
        let subject = self.subject.find(claims).and_then(Value::as_str).unwrap_or_default();
        if subject.is_empty() || subject.len() > LONGEST_NAME || subject.chars().any(char::is_control) {
            return Err(AuthError::Invalid("no usable subject"));
        }
        let organization = match self.organization.find(claims) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) if text.len() <= LONGEST_NAME && !text.contains('\0') => {
                Some(text.clone())
            }
            Some(_) => return Err(AuthError::Invalid("the organisation is not a name")),
        };
        Ok(Caller { subject: subject.to_owned(), organization, roles: self.roles(claims), expires })
    }

    /// `exp` is required, `nbf` and `iat` count when present; answers when the token expires.
    fn check_times(&self, claims: &Claims) -> Result<Timestamp, AuthError> {
        let now = self.clock.now().as_micros();
        let leeway = i64::try_from(self.leeway.as_micros()).unwrap_or(i64::MAX);
        let expires = seconds(claims.get("exp"))?.ok_or(AuthError::Invalid("no expiry"))?;
        if now >= expires.saturating_add(leeway) {
            return Err(AuthError::Invalid("expired"));
        }
        for name in ["nbf", "iat"] {
            if seconds(claims.get(name))?.is_some_and(|start| start > now.saturating_add(leeway)) {
                return Err(AuthError::Invalid("not valid yet"));
            }
        }
        Ok(Timestamp::from_micros(expires))
    }

    /// The roles that we know, out of an array, or out of a text with spaces as OAuth scopes have it.
    fn roles(&self, claims: &Claims) -> Roles {
        match self.roles.find(claims) {
            Some(Value::Array(names)) => Roles::of(names.iter().filter_map(Value::as_str)),
            Some(Value::String(names)) => Roles::of(names.split(' ')),
            _ => Roles::default(),
        }
    }
}

/// A NumericDate (RFC 7519, 2), in microseconds; a claim that is there and is none refuses the token.
fn seconds(claim: Option<&Value>) -> Result<Option<i64>, AuthError> {
    /// The last second of the year 9999.
    const LAST: f64 = 253_402_300_799.0;
    match claim {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "within the years 1970 to 9999, exact to the microsecond"
            )]
            Some(seconds) if (0.0..=LAST).contains(&seconds) => Ok(Some((seconds * 1e6) as i64)),
            _ => Err(AuthError::Invalid("a time that is no time")),
        },
    }
}

fn names(audience: Option<&Value>, wanted: &str) -> bool {
    match audience {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(wanted)),
        _ => false,
    }
}

/// A JSON Pointer (RFC 6901) into the claims.
struct Pointer(Vec<String>);

impl Pointer {
    fn parse(text: &str) -> Self {
        Self(text.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect())
    }

    fn find<'a>(&self, claims: &'a Claims) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter().try_fold(claims.get(first)?, |value, token| value.get(token))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::clock::ManualClock;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn check(claims: Value) -> Result<Caller, AuthError> {
        let settings = AuthSettings {
            issuer: Some("issuer".to_owned()),
            audience: Some("audit".to_owned()),
            roles_claim: "/realm_access/roles".to_owned(),
            leeway: Duration::from_secs(5),
            ..AuthSettings::default()
        };
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(NOW * 1_000_000)));
        let Value::Object(claims) = claims else { panic!("an object") };
        Rules::new(&settings, clock).expect("complete").caller(&claims)
    }

    fn good(more: &Value) -> Value {
        let mut claims = json!({"iss": "issuer", "aud": ["x", "audit"], "sub": "u", "exp": NOW + 60, "org": "acme",
            "realm_access": {"roles": ["audit:org-admin", "offline_access"]}});
        for (name, value) in more.as_object().expect("an object") {
            if value.is_null() {
                claims.as_object_mut().expect("an object").remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    #[test]
    fn a_good_token_names_its_caller() {
        let caller = check(good(&json!({}))).expect("accepted");
        assert_eq!((caller.subject.as_str(), caller.organization.as_deref()), ("u", Some("acme")));
        assert_eq!(caller.roles, Roles::of(["audit:org-admin"]));
        assert_eq!(caller.expires, Timestamp::from_micros((NOW + 60) * 1_000_000));
        assert!(check(good(&json!({"aud": "audit"}))).is_ok());
    }

    #[test]
    fn times_are_exact_at_the_leeway() {
        for (name, at, accepted) in [
            ("exp", NOW - 4, true),
            ("exp", NOW - 5, false),
            ("exp", NOW - 6, false),
            ("nbf", NOW + 5, true),
            ("nbf", NOW + 6, false),
            ("iat", NOW + 5, true),
            ("iat", NOW + 6, false),
        ] {
            assert_eq!(check(good(&json!({name: at}))).is_ok(), accepted, "{name} {}", at - NOW);
        }
    }

    #[test]
    fn every_claim_that_does_not_hold_refuses() {
        for wrong in [
            json!({"exp": null}),
            json!({"exp": "1800000000"}),
            json!({"exp": -1}),
            json!({"exp": 1e300}),
            json!({"nbf": "soon"}),
            json!({"iss": "other"}),
            json!({"iss": ["issuer"]}),
            json!({"iss": null}),
            json!({"aud": "other"}),
            json!({"aud": []}),
            json!({"aud": null}),
            json!({"aud": {"audit": 1}}),
            json!({"sub": null}),
            json!({"sub": ""}),
            json!({"sub": 7}),
            json!({"sub": "a\u{0}b"}),
            json!({"org": 7}),
        ] {
            assert!(matches!(check(good(&wrong)), Err(AuthError::Invalid(_))), "{wrong}");
        }
    }
}
