//! `Idempotency-Key`: a repeat of a request makes the same events (semantics.md 13).

use std::time::Duration;

use axum::http::HeaderMap;
use sha2::{Digest as _, Sha256};
use shared::problem::ProblemType;
use store::submissions::SubmissionKey;

use crate::{auth::Caller, respond::Problem};

/// The header.
const HEADER: &str = "idempotency-key";
/// The longest key, in bytes.
const LONGEST: usize = 255;

/// A request that makes its events once, however often it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    key: String,
    body_digest: [u8; 32],
}

impl Once {
    /// The key of a request, if it has one; `body` is what a repeat must equal.
    pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let key = value.to_str().ok().filter(|key| is_usable(key) && values.next().is_none());
        let Some(key) = key else {
            let detail = "must be one value of 1 to 255 visible ASCII characters, such as a UUID";
            return Err(Problem::header("Idempotency-Key", detail));
        };
        Ok(Some(Self { key: key.to_owned(), body_digest: Sha256::digest(body).into() }))
    }

    /// The key as it is stored: each caller, subject and organisation together, has keys of its own.
    pub(super) fn of(self, caller: &Caller) -> SubmissionKey {
        let organization = caller.organization.as_deref().unwrap_or_default();
        let mut hash = Sha256::new();
        for part in [organization, &caller.subject] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        SubmissionKey { caller: hash.finalize().into(), key: self.key, body_digest: self.body_digest }
    }
}

fn is_usable(key: &str) -> bool {
    (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The key came before, with another body.
pub(super) fn reused() -> Problem {
    Problem::new(
        ProblemType::IdempotencyKeyReused,
        "this Idempotency-Key came with another body: repeat that body as it was, byte for byte, or make a new key",
    )
}

/// An attempt holds the key for at most so much longer.
pub(super) fn in_progress(left: Duration) -> Problem {
    let detail =
        "a request with this Idempotency-Key is still worked on: send it again after Retry-After seconds";
    Problem::new(ProblemType::RequestInProgress, detail).retry_after(left.as_secs() + 1)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use shared::timestamp::Timestamp;

    use super::*;
    use crate::auth::Roles;

    fn read(values: &[&str]) -> Result<Option<Once>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_str(value).expect("a header"));
        }
        Once::read(&headers, b"{}")
    }

    #[test]
    fn a_key_is_one_short_visible_text() {
        assert_eq!(read(&[]), Ok(None));
        assert!(read(&["0194fdc2"]).is_ok_and(|once| once.is_some()));
        assert!(read(&[&"k".repeat(255)]).is_ok());
        for bad in [&[""][..], &["a b"], &["a", "a"], &[&"k".repeat(256)]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys_of_different_callers_never_meet() {
        let caller = |subject: &str, organization: Option<&str>| Caller {
            subject: subject.to_owned(),
            organization: organization.map(str::to_owned),
            roles: Roles::default(),
            expires: Timestamp::from_micros(0),
        };
        let once = read(&["k"]).expect("a key").expect("a key");
        let digests: std::collections::BTreeSet<_> =
            [("a", None), ("b", None), ("a", Some("b")), ("b", Some("a")), ("ab", None), ("", Some("ab"))]
                .map(|(subject, organization)| once.clone().of(&caller(subject, organization)).caller)
                .into();
        assert_eq!(digests.len(), 6);
    }
}
