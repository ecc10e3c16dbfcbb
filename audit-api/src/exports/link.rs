//! Links to files of a folder: the name, when the link ends, and a signature over both. No token is in them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use shared::timestamp::Timestamp;

const SECOND: i64 = 1_000_000;

/// What signs links.
#[derive(Clone)]
pub struct Link {
    key: Hmac<Sha256>,
}

/// A link is not good here and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The signature is not over this name and this end.
    #[error("the link is not one of ours")]
    Forged,
    /// It was good until then.
    #[error("the link has expired")]
    Expired,
}

impl Link {
    /// With a secret that all instances share.
    pub(super) fn new(secret: &[u8]) -> Self {
        Self { key: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length") }
    }

    /// With a secret that ends with this process.
    pub(super) fn of_this_process() -> Self {
        Self::new(&rand::random::<[u8; 32]>())
    }

    fn over(&self, name: &str, expires: i64) -> Hmac<Sha256> {
        self.key.clone().chain_update(name).chain_update(b"\n").chain_update(expires.to_string())
    }

    /// The query of a link to this file that works until then, in whole seconds.
    pub fn query(&self, name: &str, until: Timestamp) -> String {
        let expires = until.as_micros().div_euclid(SECOND);
        let signature = hex::encode(self.over(name, expires).finalize().into_bytes());
        format!("expires={expires}&signature={signature}")
    }

    /// Whether a link to this file is good now.
    pub fn check(&self, name: &str, expires: i64, signature: &str, now: Timestamp) -> Result<(), LinkError> {
        let signature = hex::decode(signature).map_err(|_| LinkError::Forged)?;
        // In constant time.
        self.over(name, expires).verify_slice(&signature).map_err(|_| LinkError::Forged)?;
        if now.as_micros() >= expires.saturating_mul(SECOND) { Err(LinkError::Expired) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_for_its_file_until_its_end() {
        let link = Link::new(b"secret");
        let at = |seconds: i64| Timestamp::from_micros(seconds * SECOND);
        let query = link.query("a.csv", at(100));
        let signature = query.strip_prefix("expires=100&signature=").expect("the form of a query");
        let check = |name, expires, now| link.check(name, expires, signature, at(now));
        assert_eq!(check("a.csv", 100, 99), Ok(()));
        assert_eq!(check("a.csv", 100, 100), Err(LinkError::Expired));
        assert_eq!(check("b.csv", 100, 99), Err(LinkError::Forged));
        assert_eq!(check("a.csv", 101, 99), Err(LinkError::Forged));
        assert_eq!(link.check("a.csv", 100, "zz", at(99)), Err(LinkError::Forged));
        assert_eq!(link.check("a.csv", 100, &signature[2..], at(99)), Err(LinkError::Forged));
        assert_eq!(Link::new(b"other").check("a.csv", 100, signature, at(99)), Err(LinkError::Forged));
        assert_eq!(Link::of_this_process().check("a.csv", 100, signature, at(99)), Err(LinkError::Forged));
    }
}
