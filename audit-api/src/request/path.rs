//! Path parameters, decoded: a segment may hold any text, `/` as `%2F`.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use crate::respond::Problem;

/// The longest id in a path, in bytes: 255 characters of four bytes.
const LONGEST: usize = 1020;

/// axum's `Path`, with our own refusals.
pub struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(_) => Err(Problem::request(
                "a part of the path cannot be read: percent-encode its UTF-8 bytes, and give numbers where numbers belong",
            )),
        }
    }
}

/// An id out of the path, as the store can look it up.
pub fn id(name: &str, text: String) -> Result<String, Problem> {
    if text.contains('\0') {
        return Err(Problem::parameter(name, "holds U+0000, which no id does"));
    }
    if text.len() > LONGEST {
        return Err(Problem::parameter(name, &format!("is longer than {LONGEST} bytes, which no id is")));
    }
    Ok(text)
}

/// A number out of the path, from 0.
pub fn number<N>(name: &str, text: &str, most: &N) -> Result<N, Problem>
where
    N: std::str::FromStr + std::fmt::Display,
{
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| Problem::parameter(name, &format!("is not a whole number from 0 to {most}")))
}
