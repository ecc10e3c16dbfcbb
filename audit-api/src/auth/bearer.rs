//! The token out of the headers, and what its own header may say.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use jsonwebtoken::{Algorithm, Header};

use super::AuthError;

/// A longer token is refused unread, in bytes.
const LONGEST_TOKEN: usize = 16 * 1024;
/// A longer key id is refused, in bytes.
const LONGEST_KID: usize = 256;
/// What `typ` may be: a JWT, or an OAuth 2 access token (RFC 9068). An ID token has no type of its own; its audience
/// is what tells it apart.
const TYPES: [&str; 4] = ["jwt", "application/jwt", "at+jwt", "application/at+jwt"];

/// The one bearer token of a request.
pub(super) fn token(headers: &HeaderMap) -> Result<&str, AuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(AuthError::Missing)?;
    if values.next().is_some() {
        return Err(AuthError::Invalid("more than one Authorization header"));
    }
    let value = value.to_str().map_err(|_| AuthError::Invalid("the Authorization header is not ASCII"))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthError::Invalid("the scheme is not Bearer"));
    }
    let token = token.trim_matches(' ');
    if token.len() > LONGEST_TOKEN {
        return Err(AuthError::Invalid("the token is too long"));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let parts = token.split('.');
    if token.bytes().all(allowed) && parts.clone().count() == 3 && parts.clone().all(|part| !part.is_empty())
    {
        Ok(token)
    } else {
        Err(AuthError::Invalid("not a signed token in compact form"))
    }
}

/// The token's header, refused when it asks for anything but a plain signature by the configured algorithm.
///
/// `jku`, `x5u`, `jwk` and `x5c` are never looked at: keys come from the configuration alone.
pub(super) fn header(token: &str, algorithm: Algorithm) -> Result<Header, AuthError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| {
        AuthError::Invalid("the token's header cannot be read, or names an unknown algorithm")
    })?;
    if header.alg != algorithm {
        return Err(AuthError::Invalid("another algorithm than the configured one"));
    }
    let extends = header.crit.is_some()
        || header.enc.is_some()
        || header.zip.is_some()
        || header.extras.inner().contains_key("b64");
    if extends {
        return Err(AuthError::Invalid("a header extension that is not understood"));
    }
    if header.typ.as_ref().is_some_and(|typ| !TYPES.contains(&typ.to_ascii_lowercase().as_str())) {
        return Err(AuthError::Invalid("not an access token"));
    }
    if header.kid.as_ref().is_some_and(|kid| kid.len() > LONGEST_KID) {
        return Err(AuthError::Invalid("the key id is too long"));
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).expect("a header"));
        }
        headers
    }

    #[test]
    fn one_bearer_token_in_any_case() {
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(token(&with(&[&format!("{scheme} a.b.c")])), Ok("a.b.c"));
        }
        assert_eq!(token(&HeaderMap::new()), Err(AuthError::Missing));
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("Bearer {}.b.c", "a".repeat(LONGEST_TOKEN));
        for value in [
            "Basic a.b.c",
            "Bearer",
            "Bearer a.b",
            "Bearer a.b.",
            "Bearer a.b.c.d",
            "Bearer a b.c.d",
            "Bearer a.b.c,d",
            "a.b.c",
            &long,
        ] {
            assert!(matches!(token(&with(&[value])), Err(AuthError::Invalid(_))), "{value}");
        }
        assert!(matches!(token(&with(&["Bearer a.b.c", "Bearer a.b.c"])), Err(AuthError::Invalid(_))));
    }
}
